"""Accounts of files at addresses: `http/file`, `github/file`, `gitlab/file`, `bitbucket/file`.

Differs from Clouddriver in one thing: an account's credentials go to its own address only. A pipeline chooses what an
artifact refers to, and must not be able to send a token elsewhere. Redirects are checked one by one and lose all headers
that may be secret when they lead to another origin.
"""

import base64
from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from gennaker import addresses
from gennaker.interfaces.artifacts import PUBLIC_HTTP, ArtifactUnavailable
from gennaker.interfaces.secrets import Secrets
from gennaker.interfaces.services import Services
from gennaker.model import foreign
from gennaker.model.codec import JsonObject, decode_json
from gennaker.model.problems import Problem, Refused
from gennaker.settings import ArtifactAccountSettings
from gennaker.transport.ci_http import token_of
from gennaker.transport.http import GuardedClient, HttpAnswer, HttpFailure, HttpLimits, NoAnswer

_LIMITS = HttpLimits(read_seconds=20, total_seconds=60, answer_bytes=20_000_000, redirects=10)
_PUBLIC = {
    "http": "",
    "github": "https://api.github.com",
    "gitlab": "https://gitlab.com",
    "bitbucket": "https://api.bitbucket.org",
}
_BRANCH = "master"
"""What Spinnaker reads where an artifact names no version."""
_MAY_PASS = frozenset({429, 502, 503, 504})


class FileAccount:
    """One account."""

    def __init__(
        self,
        name: str,
        settings: ArtifactAccountSettings,
        *,
        allowed: tuple[str, ...] = (),
        secrets: Secrets | None = None,
    ) -> None:
        """`allowed`: `host:port` inside that may be read from. Nothing is asked yet."""
        self.name = name
        self.types = (f"{settings.type}/file",)
        self._settings = settings
        self._secrets = secrets
        self._address = settings.address or _PUBLIC[settings.type]
        own = (addresses.of_url(settings.address),) if settings.address else ()
        self._allowed = (*own, *allowed)

    async def fetch(self, artifact: JsonObject) -> bytes:
        """Reads the file."""
        reference = foreign.text(artifact.get("reference"))
        version = foreign.text(artifact.get("version")) or _BRANCH
        match self._settings.type:
            case "github":
                return await self._from_github(_with_query(reference, {"ref": version}))
            case "gitlab":
                return (await self._get(_with_query(reference, {"ref": version}))).body
            case _:
                return (await self._get(reference)).body

    async def _from_github(self, url: str) -> bytes:
        """The contents API gives the file itself, or says where it can be downloaded."""
        if self._settings.use_content_api:
            return (await self._get(url, {"Accept": "application/vnd.github.v3.raw"})).body
        answer = await self._get(url)
        try:
            address = foreign.text_at(decode_json(answer.body), "download_url")
        except msgspec.DecodeError:
            address = ""
        if not address:
            message = f"{url} is no file of GitHub's contents API: the answer has no download_url."
            remedy = "Use https://api.github.com/repos/OWNER/REPOSITORY/contents/PATH as the reference."
            raise Refused(Problem(code="artifact.no_download_url", message=message, remedy=remedy))
        return (await self._get(address)).body

    async def _get(self, url: str, headers: Mapping[str, str] | None = None) -> HttpAnswer:
        client = GuardedClient(allowed=self._allowed, limits=_LIMITS)
        try:
            answer = await client.request("GET", url, headers={**(headers or {}), **(await self._credentials(url))})
        except NoAnswer as failure:
            raise ArtifactUnavailable(str(failure)) from failure
        except HttpFailure as failure:
            raise Refused(Problem(code="artifact.refused", message=str(failure))) from failure
        finally:
            await client.close()
        shown = url.partition("?")[0]
        if answer.status in _MAY_PASS:
            raise ArtifactUnavailable(f"{shown} answered {answer.status}.")
        if not 200 <= answer.status < 300:
            raise Refused(self._not_given(shown, answer.status))
        return answer

    @property
    def _has_token(self) -> bool:
        return bool(self._settings.token or self._settings.token_file)

    async def _credentials(self, url: str) -> dict[str, str]:
        if not self._has_token or _origin(url) != _origin(self._address):
            return {}
        token = await token_of(self._settings, f"artifact-accounts.{self.name}", self._secrets)
        if self._settings.username:
            pair = base64.b64encode(f"{self._settings.username}:{token}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        match self._settings.type:
            case "github":
                return {"Authorization": f"token {token}"}
            case "gitlab":
                return {"Private-Token": token}
            case _:
                return {"Authorization": f"Bearer {token}"}

    def _not_given(self, shown: str, status: int) -> Problem:
        remedy = "Correct the artifact's reference and version."
        if status in {401, 403} or (status == 404 and not self._has_token):
            remedy = f"Look whether the account {self.name} may read it."
        return Problem(
            code="artifact.not_given", message=f"The artifact can't be read: {shown} answered {status}.", remedy=remedy
        )


def public(services: Services) -> FileAccount:
    """The one that needs no credentials."""
    settings = ArtifactAccountSettings(type="http")
    return FileAccount(PUBLIC_HTTP, settings, allowed=services.settings.webhook_hosts)


def _with_query(url: str, more: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    query = urlencode(more, quote_via=quote)
    return parts._replace(query=f"{parts.query}&{query}" if parts.query else query).geturl()


def _origin(url: str) -> tuple[str, str]:
    return urlsplit(url).scheme, addresses.of_url(url)
