"""Gate's routes to stored pipelines and strategies: saving, listing, renaming, deleting, their order and their history."""

from typing import Annotated

import msgspec
from litestar import Controller, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from gennaker.interfaces.definitions import Definition
from gennaker.model import foreign, saved_pipelines, trigger_secrets
from gennaker.model.codec import Json, JsonObject, milliseconds
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.model.saved_pipelines import PIPELINE, STRATEGY
from gennaker.web import orchestrations, pipeline_saves, visible
from gennaker.web.gate import amounts, jobs
from gennaker.web.gate.amounts import Amount
from gennaker.web.ports import Asking, Ports, WebPorts

StaleCheck = Annotated[bool, QueryParameter(name="staleCheck")]
NameFilter = Annotated[str, QueryParameter(name="pipelineNameFilter")]
Most = Annotated[int | None, QueryParameter(name="pipelineLimit", ge=1)]


class GatePipelineConfigsController(Controller):
    """Routes to stored pipelines."""

    @put("/pipelines/{pipeline_id:str}", status_code=200)
    async def update(
        self,
        *,
        ports: Ports,
        principal: Asking,
        pipeline_id: FromPath[str],
        data: JSONBody[JsonObject],
        stale_check: StaleCheck = False,
    ) -> JsonObject:
        """Saves a pipeline that exists, and shows it."""
        return await _updated(ports, principal, PIPELINE, pipeline_id, data, checks_staleness=stale_check)

    @post("/pipelines/bulksave", status_code=200)
    async def save_many(
        self, *, ports: Ports, principal: Asking, data: JSONBody[list[JsonObject]], application: FromQuery[str] = ""
    ) -> JsonObject:
        """Saves those that can be saved, and says which couldn't."""
        return await _saved_many(ports, principal, data, application)

    @post("/pipelines/move", status_code=200)
    async def rename(self, ports: Ports, principal: Asking, data: JSONBody["Renaming"]) -> None:
        """Renames a pipeline."""
        await _renamed(ports, principal, PIPELINE, data)

    @delete("/pipelines/{application:str}/{name:str}", status_code=200)
    async def remove(self, ports: Ports, principal: Asking, application: FromPath[str], name: FromPath[str]) -> None:
        """Deletes a pipeline by its name; its revisions stay. Deleting what isn't there is no error."""
        await _removed(ports, principal, PIPELINE, application, name)

    @get("/applications/{application:str}/pipelineConfigs")
    async def of_application(
        self,
        *,
        ports: Ports,
        principal: Asking,
        application: FromPath[str],
        name_filter: NameFilter = "",
        most: Most = None,
    ) -> list[JsonObject]:
        """All pipelines of an application, in their order."""
        found = await _in_order(ports, PIPELINE, application)
        wanted = [one for one in found if name_filter.casefold() in str(one.get("name")).casefold()]
        return wanted[:most]

    @get("/applications/{application:str}/pipelineConfigs/{name_or_id:str}")
    async def one(
        self, ports: Ports, principal: Asking, application: FromPath[str], name_or_id: FromPath[str]
    ) -> JsonObject:
        """One pipeline by name, else by id."""
        return await _one(ports, PIPELINE, application, name_or_id)

    @get("/pipelineConfigs")
    async def all(self, ports: Ports, principal: Asking) -> list[JsonObject]:
        """All pipelines of all applications."""
        found = await ports.services.definitions.list(PIPELINE)
        return [_shown(one) for one in await visible.definitions(ports, principal, found)]

    @get("/pipelineConfigs/{pipeline_id:str}/history")
    async def history(
        self, ports: Ports, principal: Asking, pipeline_id: FromPath[str], limit: Amount = 20
    ) -> list[JsonObject]:
        """Revisions of a pipeline, newest first."""
        return await _history(ports, PIPELINE, pipeline_id, limit)

    @post("/pipelines/start", status_code=200)
    async def start(self, ports: Ports, principal: Asking, data: JSONBody[JsonObject]) -> JsonObject:
        """Starts the pipeline of the body, stored or not, with the body's trigger."""
        config = {key: value for key, value in data.items() if key != "trigger"}
        trigger: JsonObject = {"type": "manual", **foreign.mapping(data.get("trigger")), "user": principal.name}
        return await orchestrations.start(ports, principal, config, trigger)


class GateStrategyConfigsController(Controller):
    """Routes to stored strategies."""

    @post("/strategies", status_code=200)
    async def save(
        self, *, ports: Ports, principal: Asking, data: JSONBody[JsonObject], stale_check: StaleCheck = False
    ) -> None:
        """Saves a strategy: without an id it is new."""
        await pipeline_saves.save(ports, principal, data, kind=STRATEGY, checks_staleness=stale_check)

    @put("/strategies/{strategy_id:str}", status_code=200)
    async def update(
        self, ports: Ports, principal: Asking, strategy_id: FromPath[str], data: JSONBody[JsonObject]
    ) -> JsonObject:
        """Saves a strategy that exists, and shows it."""
        return await _updated(ports, principal, STRATEGY, strategy_id, data)

    @post("/strategies/move", status_code=200)
    async def rename(self, ports: Ports, principal: Asking, data: JSONBody["Renaming"]) -> None:
        """Renames a strategy."""
        await _renamed(ports, principal, STRATEGY, data)

    @delete("/strategies/{application:str}/{name:str}", status_code=200)
    async def remove(self, ports: Ports, principal: Asking, application: FromPath[str], name: FromPath[str]) -> None:
        """Deletes a strategy by its name; its revisions stay."""
        await _removed(ports, principal, STRATEGY, application, name)

    @get("/applications/{application:str}/strategyConfigs")
    async def of_application(self, ports: Ports, principal: Asking, application: FromPath[str]) -> list[JsonObject]:
        """All strategies of an application, in their order."""
        return await _in_order(ports, STRATEGY, application)

    @get("/applications/{application:str}/strategyConfigs/{name_or_id:str}")
    async def one(
        self, ports: Ports, principal: Asking, application: FromPath[str], name_or_id: FromPath[str]
    ) -> JsonObject:
        """One strategy by name, else by id."""
        return await _one(ports, STRATEGY, application, name_or_id)

    @get("/strategyConfigs")
    async def all(self, ports: Ports, principal: Asking) -> list[JsonObject]:
        """All strategies of all applications."""
        found = await ports.services.definitions.list(STRATEGY)
        return [_shown(one) for one in await visible.definitions(ports, principal, found)]

    @get("/strategyConfigs/{strategy_id:str}/history")
    async def history(
        self, ports: Ports, principal: Asking, strategy_id: FromPath[str], limit: Amount = 20
    ) -> list[JsonObject]:
        """Revisions of a strategy, newest first."""
        return await _history(ports, STRATEGY, strategy_id, limit)

    @post("/actions/{kind:str}/reorder", status_code=200)
    async def reorder(self, ports: Ports, principal: Asking, kind: FromPath[str], data: JSONBody[JsonObject]) -> None:
        """Gives pipelines or strategies of an application their places, by a job."""
        if kind not in ("pipelines", "strategies"):
            raise Refused(Problem(code="reorder.kind", message=f"{kind!r} can't be put in order."), status=404)
        application = foreign.text(data.get("application"))
        job: JsonObject = {
            "type": "reorderPipelines",
            "idsToIndices": data.get("idsToIndices"),
            "application": application,
            "isStrategy": kind == "strategies",
        }
        await jobs.done(
            ports, principal, {"application": application, "description": "Reorder pipelines", "job": [job]}
        )


class Renaming(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /pipelines/move`: clients of Front50 name the old and the new name, those that know the id give it."""

    application: str
    old: str = msgspec.field(default="", name="from")
    new: str = msgspec.field(default="", name="to")
    id: str = ""
    name: str = ""


async def _updated(
    ports: WebPorts,
    principal: Principal,
    kind: str,
    wanted: str,
    data: JsonObject,
    *,
    checks_staleness: bool = False,
) -> JsonObject:
    if data.get("id") not in (None, "", wanted):
        raise Refused(
            Problem(
                code=f"{kind}.other_id",
                message=f"The body's id is {data['id']!r}, the address's {wanted!r}.",
                remedy="Give both the same.",
                pointer="/id",
            )
        )
    if await ports.services.definitions.get(kind, wanted) is None:
        raise pipeline_saves.unknown(kind, wanted)
    saved, _ = await pipeline_saves.save(
        ports, principal, {**data, "id": wanted}, kind=kind, checks_staleness=checks_staleness
    )
    return _shown(saved)


async def _saved_many(ports: WebPorts, principal: Principal, given: list[JsonObject], application: str) -> JsonObject:
    successful: list[Json] = []
    failed: list[Json] = []
    for one in given:
        body = {"application": application, **one} if application else one
        try:
            saved, _ = await pipeline_saves.save(ports, principal, body)
            successful.append(saved.body.get("name"))
        except Refused as refused:
            said = "; ".join(str(problem) for problem in refused.problems)
            failed.append({**trigger_secrets.masked(one), "errorMsg": said})
    return {
        "successful_pipelines_count": len(successful),
        "successful_pipelines": successful,
        "failed_pipelines_count": len(failed),
        "failed_pipelines": failed,
    }


async def _renamed(ports: WebPorts, principal: Principal, kind: str, wanted: Renaming) -> None:
    name = wanted.name or wanted.new
    if not name:
        raise Refused(
            Problem(
                code=f"{kind}.no_new_name",
                message="It isn't said how it is called from now on.",
                remedy="Give application, from and to; or application, id and name.",
                pointer="/to",
            )
        )
    old = wanted.id or foreign.text((await _one(ports, kind, wanted.application, wanted.old))["id"])
    found = await ports.services.definitions.get(kind, old)
    if found is None:
        raise pipeline_saves.unknown(kind, old, wanted.application)
    await pipeline_saves.save(ports, principal, {**found.body, "id": found.id, "name": name}, kind=kind)


async def _removed(ports: WebPorts, principal: Principal, kind: str, application: str, name: str) -> None:
    for one in await ports.services.definitions.list(kind, application):
        if saved_pipelines.is_same_name(one.body.get("name"), name):
            await ports.services.definitions.delete(kind, one.id, author=principal.name)


async def _in_order(ports: WebPorts, kind: str, application: str) -> list[JsonObject]:
    found = await ports.services.definitions.list(kind, application)
    return saved_pipelines.in_order(_shown(one) for one in found)


async def _one(ports: WebPorts, kind: str, application: str, name_or_id: str) -> JsonObject:
    found = await _in_order(ports, kind, application)
    named = [one for one in found if saved_pipelines.is_same_name(one.get("name"), name_or_id)]
    for one in (*named, *found):
        if one in named or one["id"] == name_or_id:
            return one
    raise pipeline_saves.unknown(kind, name_or_id, application)


async def _history(ports: WebPorts, kind: str, wanted: str, limit: int) -> list[JsonObject]:
    found = await ports.services.definitions.history(kind, wanted, min(limit, amounts.REVISIONS))
    return [{**_shown(one), **({"isDeleted": True} if one.is_deleted else {})} for one in found]


def _shown(definition: Definition) -> JsonObject:
    """With what those that were saved by other roads lack: pages read lists where there may be none."""
    stamps: JsonObject = {"updateTs": str(milliseconds(definition.at)), "lastModifiedBy": definition.author}
    return {"triggers": [], "parameterConfig": [], **stamps, **pipeline_saves.shown(definition)}
