"""Reading a Spinnaker through its Gate: for commands, with the credentials of whoever runs them. Nothing is ever written there.

Answers that aren't JSON (a sign-in page, mostly) are refused: Gate gives such a page with 200.
"""

import ssl
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlsplit

import httpx2
import msgspec

from gennaker.migration.bundle import Bundle
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, decode_json
from gennaker.model.foreign import mapping, mappings, text_at
from gennaker.model.problems import Problem, Refused
from gennaker.transport import http, tls

_TIMEOUT_SECONDS = 60.0
_GIVEN_BY_GATE = "spk_"
"""How tokens begin that Gate itself has given."""
NOT_GIVEN = (403, 404)
"""How Gate answers for one of what it has listed that may not be read, or is none; that must not keep the others away."""


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """As whom Gate is asked; empty: as nobody in particular."""

    token: str = ""
    user: str = ""
    password: str = ""
    certificate: str = ""
    """A file in PEM: Gate knows people by it."""
    key: str = ""
    """The certificate's; empty: it is in the same file."""


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to no single application."""

    bundle: Bundle
    not_offered: tuple[Problem, ...]
    """Of kinds that this Gate has switched off."""
    unread: dict[str, Problem]
    """Of canary configs that it lists and doesn't give, by id."""


class Gate:
    """One Gate. To be closed, or used as a context."""

    def __init__(
        self, address: str, credentials: Credentials, *, transport: httpx2.BaseTransport | None = None
    ) -> None:
        """Raises Refused where the address is none."""
        self.address = _checked(address)
        self._http = httpx2.Client(
            base_url=self.address,
            headers={"Accept": "application/json", "User-Agent": "gennaker-import", **_headers(credentials)},
            auth=(credentials.user, credentials.password) if credentials.user else None,
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
            verify=_trusted(credentials),
            transport=transport,
        )

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Closes."""
        self.close()

    def close(self) -> None:
        """Gives its connections back."""
        self._http.close()

    def applications(self) -> list[str]:
        """Names of all that whoever asks may read."""
        return sorted({text_at(one, "name").lower() for one in mappings(self._get("/applications"))} - {""})

    def application(self, name: str) -> Bundle:
        """All that is its own. Raises Refused where there is none."""
        path = f"/applications/{quote(name, safe='')}"
        found = mapping(self._get(path, expand="false"))
        attributes: JsonObject = {**mapping(found.get("attributes")), "name": name.lower()}
        notifications = mapping(self._get(f"/notifications/application/{quote(name, safe='')}"))
        has_any = any(isinstance(value, list) and value for value in notifications.values())
        return Bundle(
            applications=(attributes,),
            notifications=({**notifications, "application": name.lower()},) if has_any else (),
            pipelines=tuple(mappings(self._get(f"{path}/pipelineConfigs"))),
            strategies=tuple({"strategy": True, **one} for one in mappings(self._get(f"{path}/strategyConfigs"))),
        )

    def shared(self) -> Shared:
        """Templates, canary configs and projects, as far as this Gate offers and gives them."""
        problems: list[Problem] = []
        unread: dict[str, Problem] = {}
        templates = [one for one in self._offered("/v2/pipelineTemplates", problems) if "@" not in text_at(one, "id")]
        configs: list[JsonObject] = []
        for config_id in (text_at(one, "id") for one in self._offered("/v2/canaryConfig", problems)):
            try:
                found = mapping(self._get(f"/v2/canaryConfig/{quote(config_id, safe='')}"))
            except Refused as refused:
                if refused.status not in NOT_GIVEN:
                    raise
                unread[config_id] = refused.problems[0]
            else:
                configs.append({**found, "id": config_id})
        projects = self._offered("/projects", problems)
        bundle = Bundle(templates=tuple(templates), canary_configs=tuple(configs), projects=tuple(projects))
        return Shared(bundle=bundle, not_offered=tuple(problems), unread=unread)

    def executions(self, application: str, *, limit: int) -> list[JsonObject]:
        """The newest executions of each of its pipelines, whole."""
        path = f"/applications/{quote(application, safe='')}/pipelines"
        return mappings(self._get(path, limit=str(limit), expand="true"))

    def running(self, application: str) -> list[JsonObject]:
        """Its executions that are not over."""
        path = f"/applications/{quote(application, safe='')}/pipelines"
        statuses = "NOT_STARTED,RUNNING,PAUSED,SUSPENDED,BUFFERED"
        return mappings(self._get(path, limit="100", statuses=statuses, expand="false"))

    def pipelines(self) -> list[JsonObject]:
        """All pipelines of all applications."""
        return mappings(self._get("/pipelineConfigs"))

    def _offered(self, path: str, problems: list[Problem]) -> list[JsonObject]:
        try:
            return mappings(self._get(path))
        except Refused as refused:
            if refused.status not in (404, 501):
                raise
            problems += refused.problems
            return []

    def _get(self, path: str, **query: str) -> Json:
        try:
            answer = self._http.get(path, params=query)
        except http.BROKEN_OFF as error:
            raise Refused(_unreachable(self.address, str(error))) from error
        if answer.status_code >= httpx2.codes.MULTIPLE_CHOICES:
            raise Refused(_refusal(self.address, path, answer), status=answer.status_code)
        try:
            return decode_json(answer.content) if answer.content else None
        except msgspec.DecodeError as error:
            raise Refused(_no_json(self.address, path)) from error


def _checked(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused(
            Problem(
                code="gate.address",
                message=f"{address!r} is no address of a Gate.",
                remedy="Write it like https://gate.example.com.",
            )
        )
    if parts.username or parts.password:
        raise Refused(
            Problem(
                code="gate.address_with_password",
                message="The address holds a name or a password, which would be shown in lists of processes and in records.",
                remedy="Give them as GATE_USER and GATE_PASSWORD.",
            )
        )
    return address.rstrip("/")


def _trusted(credentials: Credentials) -> ssl.SSLContext:
    if not credentials.certificate:
        return tls.trusted()
    try:
        return tls.with_certificate(credentials.certificate, credentials.key)
    except OSError as error:
        raise Refused(
            Problem(
                code="gate.certificate",
                message=f"The certificate {credentials.certificate} can't be used: {error}.",
                remedy="Name a file in PEM as GATE_CERTIFICATE, and its key as GATE_KEY unless both are in one.",
            )
        ) from error


def _headers(credentials: Credentials) -> dict[str, str]:
    if not credentials.token:
        return {}
    if credentials.token.startswith(_GIVEN_BY_GATE):
        return {"X-Spinnaker-Token": credentials.token}
    return {"Authorization": f"Bearer {credentials.token}"}


def _unreachable(address: str, why: str) -> Problem:
    return Problem(
        code="gate.unreachable",
        message=f"The Gate at {address} doesn't answer: {why}.",
        remedy="Look whether it runs and can be reached from here.",
    )


def _refusal(address: str, path: str, answer: httpx2.Response) -> Problem:
    said = ""
    try:
        body = decode_json(answer.content)
        said = foreign.text_at(body, "message")
    except msgspec.DecodeError:
        pass  # a proxy's page: its status says enough
    wants = answer.status_code in (401, 403) or answer.is_redirect
    return Problem(
        code="gate.refused",
        message=f"The Gate at {address} answers {answer.status_code} to {path}" + (f": {said}" if said else "."),
        remedy="Give credentials that may read it: GATE_TOKEN, GATE_USER and GATE_PASSWORD, or GATE_CERTIFICATE."
        if wants
        else "",
    )


def _no_json(address: str, path: str) -> Problem:
    return Problem(
        code="gate.no_json",
        message=f"What {address} gives for {path} is no JSON: it is no Gate, or shows a page to sign in.",
        remedy="Name Gate's own address (not Deck's), and give GATE_TOKEN, GATE_USER and GATE_PASSWORD, or GATE_CERTIFICATE.",
    )
