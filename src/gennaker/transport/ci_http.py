"""HTTP to a CI system of the settings: signing in, JSON, and what its answers mean for whoever asked.

The address comes from the operator, not from a pipeline: that one host may be inside. Where it redirects, the guard's
rules hold. What may be asked again follows Orca's rules for HTTP: 503 and 429 whatever the method, as nothing has
happened; other failures of the server or the network if the method may be repeated. Where it may not, nobody knows whether
it happened, and whoever asked has to look before asking again.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import msgspec

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
_OF_SOMEONE_BETWEEN = frozenset({502, 504})
_PORTS = {"http": 80, "https": 443}


class CiHttp:
    """Requests to one installation."""

    def __init__(self, *, name: str, address: str, also_allowed: tuple[str, ...] = ()) -> None:
        """`also_allowed`: other `host:port` inside that it may redirect to."""
        self._name = name
        self._address = address.rstrip("/")
        parts = urlsplit(self._address)
        host = f"{parts.hostname}:{parts.port or _PORTS.get(parts.scheme, 0)}"
        self._allowed = (host, *also_allowed)

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
        url = path if "://" in path else f"{self._address}/{path.lstrip('/')}"
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

    async def json(
        self, path: str, *, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Json:
        """GET of JSON. Raises CiFailure, Refused."""
        answer = await self.request("GET", path, query=query, headers=headers)
        try:
            return decode_json(answer.body)
        except msgspec.DecodeError as error:
            raise CiUnavailable(f"{self._name} answered {path} with something that is not JSON.") from error

    def _check(self, method: str, url: str, answer: HttpAnswer) -> None:
        status = answer.status
        if status < 400:
            return
        said = answer.body[:_SHOWN].decode(errors="replace").strip()
        message = f"{self._name} answered {status} to {method} {url.partition('?')[0]}" + (f": {said}" if said else ".")
        if status == 404:
            raise CiMissing(message)
        if status in _NOTHING_HAPPENED or (status >= 500 and method in _REPEATABLE):
            raise CiUnavailable(message)
        if status in _OF_SOMEONE_BETWEEN:
            raise CiUnanswered(message)
        raise Refused(Problem(code="ci.refused", message=message, remedy=_remedy(status)))


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
