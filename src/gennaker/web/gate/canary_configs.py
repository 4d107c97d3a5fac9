"""Gate's (Kayenta's) routes to stored canary configs."""

import re
from typing import Annotated

from litestar import Controller, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from gennaker.canary import lint
from gennaker.canary.findings import Severity
from gennaker.interfaces.definitions import Definition
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, milliseconds
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web import shapes
from gennaker.web.ports import Asking, Ports, WebPorts

KIND = "canary-config"
_NEEDED_TO_STORE = re.compile(r"/name|/applications|/metrics/\d+/name")
"""Without these, or with metrics of one name, a config can be judged by, but not stored."""
Account = Annotated[str, QueryParameter(name="configurationAccountName")]
"""There is one store of configs, whatever it is called."""


class GateCanaryConfigsController(Controller):
    """Routes under /v2/canaryConfig."""

    path = "/v2/canaryConfig"

    @get("/")
    async def all(
        self, ports: Ports, principal: Asking, application: FromQuery[str] = "", account: Account = ""
    ) -> list[JsonObject]:
        """All configs, or those of an application, in short."""
        found = await ports.services.definitions.list(KIND)
        return [_summary(one) for one in found if not application or _belongs(one.body, application)]

    @get("/{config_id:str}")
    async def one(self, ports: Ports, principal: Asking, config_id: FromPath[str], account: Account = "") -> JsonObject:
        """One config."""
        return shown(await existing(ports, config_id))

    @post("/", status_code=200)
    async def create(
        self, ports: Ports, principal: Asking, data: JSONBody[JsonObject], account: Account = ""
    ) -> JsonObject:
        """Stores a new config, under its own id where it has one."""
        config_id = foreign.text(data.get("id")) or ports.services.ids.uuid()
        if await ports.services.definitions.get(KIND, config_id) is not None:
            raise Refused(
                Problem(
                    code="canary_config.exists",
                    message=f"There is a canary config {config_id!r} already.",
                    remedy="Update it, or leave the id out.",
                    pointer="/id",
                )
            )
        return await _saved(ports, principal, config_id, data)

    @put("/{config_id:str}", status_code=200)
    async def update(
        self,
        ports: Ports,
        principal: Asking,
        config_id: FromPath[str],
        data: JSONBody[JsonObject],
        account: Account = "",
    ) -> JsonObject:
        """Replaces a config."""
        await existing(ports, config_id)
        return await _saved(ports, principal, config_id, data)

    @delete("/{config_id:str}", status_code=200)
    async def remove(self, ports: Ports, principal: Asking, config_id: FromPath[str], account: Account = "") -> None:
        """Deletes a config; its revisions stay."""
        await existing(ports, config_id)
        await ports.services.definitions.delete(KIND, config_id, author=principal.name)


async def existing(ports: WebPorts, config_id: str) -> Definition:
    """The config. Raises Refused(404)."""
    found = await ports.services.definitions.get(KIND, config_id)
    if found is None:
        raise Refused(
            Problem(code="canary_config.unknown", message=f"There is no canary config {config_id!r}."), status=404
        )
    return found


def shown(config: Definition) -> JsonObject:
    """The config with its id and the time of its last change."""
    return {**config.body, "id": config.id, **_updated(config)}


def refuse_broken(ports: WebPorts, config: JsonObject, *, scope_names: list[str] | None = None) -> None:
    """Raises Refused with all that would end a judgement."""
    findings = lint.lint(config, scope_names=scope_names, query_types=lint.QUERY_TYPES | set(ports.services.metrics))
    errors = [finding.problem for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        raise Refused(*errors)


async def _saved(ports: WebPorts, principal: Principal, config_id: str, given: JsonObject) -> JsonObject:
    findings = lint.lint(given, query_types=lint.QUERY_TYPES | set(ports.services.metrics))
    problems = [
        finding.problem
        for finding in findings
        if finding.severity is Severity.ERROR or _NEEDED_TO_STORE.fullmatch(finding.problem.pointer)
    ]
    if problems:
        raise Refused(*problems)
    before = await ports.services.definitions.get(KIND, config_id)
    now = ports.services.clock.now()
    created: Json = before.body.get("createdTimestamp") if before else None
    stamps: JsonObject = {"createdTimestamp": created or milliseconds(now), "updatedTimestamp": milliseconds(now)}
    body: JsonObject = {**given, "id": config_id, **stamps}
    await ports.services.definitions.save(KIND, config_id, body, author=principal.name)
    return {"canaryConfigId": config_id}


def _summary(config: Definition) -> JsonObject:
    applications = foreign.items(config.body.get("applications"))
    return {"id": config.id, "name": config.body.get("name"), "applications": applications, **_updated(config)}


def _updated(config: Definition) -> JsonObject:
    return {"updatedTimestamp": milliseconds(config.at), "updatedTimestampIso": shapes.instant(config.at)}


def _belongs(config: JsonObject, application: str) -> bool:
    named = [str(one).casefold() for one in foreign.items(config.get("applications"))]
    return application.casefold() in named
