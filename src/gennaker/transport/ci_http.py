"""HTTP to a CI system of the settings: signing in, JSON, and what its answers mean for whoever asked.

The address comes from the operator, not from a pipeline: that one host may be inside. Where it redirects, the guard's
rules hold. What may be asked again follows Orca's rules for HTTP: 503 and 429 whatever the method, as nothing has
happened; other failures of the server or the network if the method may be repeated. Where it may not, nobody knows whether
it happened, and whoever asked has to look before asking again.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlencode, urlsplit

import msgspec

from gennaker import addresses
from gennaker.interfaces.ci import CiMissing, CiUnanswered, CiUnavailable
from gennaker.interfaces.secrets import OF_SETTINGS, Secrets
from gennaker.model.codec import Json, decode_json, encode
from gennaker.model.problems import Problem, Refused
from gennaker.settings import ArtifactAccountSettings, CiSettings
from gennaker.transport.http import GuardedClient, HttpAnswer, HttpFailure, HttpLimits, NoAnswer

_LIMITS = HttpLimits(read_seconds=20, total_seconds=60, answer_bytes=50_000_000)
_SHOWN = 300
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_NOTHING_HAPPENED = frozenset({429, 503})
_FORBIDDEN = 403
_OF_SOMEONE_BETWEEN = frozenset({502, 504})
_WHOLE = ("http://", "https://")
"""Addresses that the system itself has named."""
_ELSEWHERE = re.compile(r"[?#\\\s\x00-\x1f]")
_BETWEEN = re.compile(r"[/;\\]")
"""Between parts of an address; a quoted slash may be one, too: that is up to who answers. After `;` are a part's parameters."""
_STEPS = {".", ".."}


class CiHttp:
    """Requests to one installation."""

    def __init__(self, *, name: str, address: str, also_allowed: tuple[str, ...] = ()) -> None:
        """`also_allowed`: other `host:port` inside that it may redirect to."""
        self._name = name
        self._address = address.rstrip("/")
        self._allowed = (addresses.of_url(self._address), *also_allowed)

    @property
    def address(self) -> str:
        """Without a slash at its end."""
        return self._address

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Json = None,
        form: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """The answer, if it is a good one. Raises CiFailure, Refused."""
        url = path if path.startswith(_WHOLE) else self._below(path)
        if query:
            url = f"{url}?{urlencode(query)}"
        body, kind = b"", {}
        if json is not None:
            body, kind = encode(json), {"Content-Type": "application/json"}
        elif form is not None:
            body, kind = urlencode(form).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
        client = GuardedClient(allowed=self._allowed, limits=_LIMITS)
        try:
            answer = await client.request(method, url, headers={**(headers or {}), **kind}, body=body)
        except NoAnswer as failure:
            is_harmless = method in _REPEATABLE or not failure.was_sent
            raise (CiUnavailable if is_harmless else CiUnanswered)(f"{self._name}: {failure}") from failure
        except HttpFailure as failure:
            raise Refused(Problem(code="ci.refused", message=f"{self._name}: {failure}")) from failure
        finally:
            await client.close()
        self._check(method, url, answer)
        return answer

    def _below(self, path: str) -> str:
        """Jobs and numbers come from whoever asks: with our token they lead nowhere but to what they name. Raises Refused."""
        if _ELSEWHERE.search(path) or any(one in _STEPS for one in _BETWEEN.split(unquote(path))):
            message = f"{path!r} names nothing of {self._name}."
            remedy = "Write it without `.` and `..` as parts, and without spaces and ?, # and \\."
            raise Refused(Problem(code="ci.path", message=message, remedy=remedy))
        return f"{self._address}/{path.lstrip('/')}"

    async def json(
        self, path: str, *, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Json:
        """GET of JSON. Raises CiFailure, Refused."""
        return decoded(await self.request("GET", path, query=query, headers=headers), name=self._name)

    def _check(self, method: str, url: str, answer: HttpAnswer) -> None:
        status = answer.status
        if status < 400:
            return
        said = answer.body[:_SHOWN].decode(errors="replace").strip()
        message = f"{self._name} answered {status} to {method} {url.partition('?')[0]}" + (f": {said}" if said else ".")
        if status == 404:
            raise CiMissing(message)
        if status in _NOTHING_HAPPENED or _is_too_often(answer) or (status >= 500 and method in _REPEATABLE):
            raise CiUnavailable(message)
        if status in _OF_SOMEONE_BETWEEN:
            raise CiUnanswered(message)
        raise Refused(Problem(code="ci.refused", message=message, remedy=_remedy(status)))


def _is_too_often(answer: HttpAnswer) -> bool:
    """Whether it refuses only for now: GitHub says so with 403, beside which it tells when to ask again, or that no request is left."""
    is_spent = answer.headers.get("x-ratelimit-remaining") == "0"
    return answer.status == _FORBIDDEN and (is_spent or "retry-after" in answer.headers)


def decoded(answer: HttpAnswer, *, name: str) -> Json:
    """The JSON of an answer of the system of this name. Raises CiUnavailable."""
    try:
        return decode_json(answer.body)
    except msgspec.DecodeError as error:
        path = urlsplit(answer.url).path
        raise CiUnavailable(f"{name} answered {path} with something that is not JSON.") from error


async def token_of(settings: CiSettings | ArtifactAccountSettings, section: str, secrets: Secrets | None) -> str:
    """The token of a section of the settings, by its reference or from its file; empty: none is set. Raises Refused."""
    if settings.token:
        if secrets is None:
            raise Refused(Problem(code="ci.secret", message=f"Nobody here resolves {section}.token."))
        return str(await secrets.fill(settings.token, OF_SETTINGS))
    found = _content(settings.token_file, f"{section}.token-file")
    if secrets is not None:
        secrets.know(found)
    return found


def _content(file: str, setting: str) -> str:
    if not file:
        return ""
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"The file of the setting {setting} can't be read: {error}."
        raise Refused(Problem(code="ci.secret", message=message)) from error


def instant(text: Json) -> datetime | None:
    """RFC 3339 as an instant; None: it isn't that."""
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _remedy(status: int) -> str:
    return "Check the user and the token of the settings, and what they may do." if status in {401, 403} else ""
