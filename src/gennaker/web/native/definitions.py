"""Revisions of stored definitions in the native API: who changed what and when, and going back to one of them."""

from typing import Annotated

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from gennaker.interfaces.definitions import Definition
from gennaker.model import saved_pipelines, template_references
from gennaker.model.codec import Json, JsonObject
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web import paging, pipeline_saves, preconditions, revisions
from gennaker.web.ports import Asking, Ports, WebPorts

_MOST = 1000
_KINDS = {
    "pipelines": saved_pipelines.PIPELINE,
    "strategies": saved_pipelines.STRATEGY,
    "applications": "application",
    "projects": "project",
    "templates": template_references.KIND,
    "canary-configs": "canary-config",
}
_CHECKED = (saved_pipelines.PIPELINE, saved_pipelines.STRATEGY)
Before = Annotated[int | None, QueryParameter(ge=1, description="The last answer's `next`: older revisions than this")]
Against = Annotated[int | None, QueryParameter(ge=1)]


class Restoring(msgspec.Struct, frozen=True):
    """To which revision."""

    revision: int


class DefinitionsController(Controller):
    """Routes under /api/v1/definitions."""

    path = "/api/v1/definitions/{kind:str}/{definition_id:str}"

    @get("/", dependencies=preconditions.CONDITIONS)
    async def newest(
        self,
        ports: Ports,
        principal: Asking,
        kind: FromPath[str],
        definition_id: FromPath[str],
        conditions: preconditions.Given,
    ) -> Response[JsonObject]:
        """What is stored now, with its tag; secrets are masked."""
        one = (await _history(ports, kind, definition_id, 1))[0]
        if one.is_deleted:
            raise Refused(_deleted(kind, one), status=404)
        shape: JsonObject = {**revisions.facts(one), "definition": revisions.shown(one)}
        return conditions.answer(shape, preconditions.of_revision(one))

    @get("/revisions")
    async def revisions(
        self,
        *,
        ports: Ports,
        principal: Asking,
        request: paging.Asked,
        kind: FromPath[str],
        definition_id: FromPath[str],
        limit: paging.Limit = 20,
        before: Before = None,
    ) -> Response[JsonObject]:
        """Newest first: author, time, and what each changed of the one before it."""
        newest = (await _history(ports, kind, definition_id, 1))[0].revision
        newer = 0 if before is None else max(0, newest - before + 1)  # they are counted without gaps
        found = (await _history(ports, kind, definition_id, newer + limit + 1))[newer:]
        shown: list[Json] = [
            {**revisions.facts(one), "changes": revisions.changes(earlier, one)}
            for one, earlier in zip(found[:limit], [*found[1:], None], strict=False)
        ]
        cursor = found[limit - 1].revision if len(found) > limit else None
        return paging.answer(request, "revisions", shown, cursor, parameter="before")

    @get("/revisions/{revision:int}")
    async def revision(
        self,
        *,
        ports: Ports,
        principal: Asking,
        kind: FromPath[str],
        definition_id: FromPath[str],
        revision: FromPath[int],
        against: Against = None,
    ) -> JsonObject:
        """One revision as it was, and its differences from another; without `against` from the one before it."""
        found = await _history(ports, kind, definition_id, _MOST)
        one = _only(found, revision)
        other = _only(found, against) if against else next((each for each in found if each.revision < revision), None)
        return {
            **revisions.facts(one),
            "definition": revisions.shown(one),
            "changes": revisions.changes(other, one),
        }

    @post("/restore", status_code=200, dependencies=preconditions.CONDITIONS)
    async def restore(
        self,
        *,
        ports: Ports,
        principal: Asking,
        kind: FromPath[str],
        definition_id: FromPath[str],
        data: JSONBody[Restoring],
        conditions: preconditions.Given,
    ) -> Response[JsonObject]:
        """Makes the content of a revision the newest again, as a revision of its own; what was deleted is there again."""
        found = await _history(ports, kind, definition_id, _MOST)
        one = _only(found, data.revision)
        await conditions.refuse_definition(ports.services.definitions, _KINDS[kind], definition_id)
        with conditions.writing():
            saved = await _restored(ports, principal, one, newest=found[0])
        shape: JsonObject = {**revisions.facts(saved), "changes": revisions.changes(found[0], saved)}
        return preconditions.tagged(shape, preconditions.of_revision(saved))


async def _restored(ports: WebPorts, principal: Principal, one: Definition, *, newest: Definition) -> Definition:
    body = {key: value for key, value in one.body.items() if key not in revisions.OF_THE_STORE}
    if one.kind in _CHECKED:
        saved, _ = await pipeline_saves.save(ports, principal, {**body, "id": one.id}, kind=one.kind)
        return saved
    return await ports.services.definitions.save(
        one.kind, one.id, body, author=principal.name, if_revision=newest.revision
    )


async def _history(ports: WebPorts, kind: str, definition_id: str, limit: int) -> tuple[Definition, ...]:
    if kind not in _KINDS:
        raise Refused(
            Problem(
                code="definition.kind", message=f"There are no {kind!r}.", remedy=f"Kinds are {', '.join(_KINDS)}."
            ),
            status=404,
        )
    found = await ports.services.definitions.history(_KINDS[kind], definition_id, limit)
    if not found:
        raise Refused(
            Problem(code="definition.unknown", message=f"There is nothing {definition_id!r} among the {kind}."),
            status=404,
        )
    return found


def _only(found: tuple[Definition, ...], revision: int) -> Definition:
    for one in found:
        if one.revision == revision:
            return one
    raise Refused(
        Problem(
            code="definition.no_revision",
            message=f"{found[0].id} has no revision {revision}.",
            remedy=f"The newest is {found[0].revision}.",
        ),
        status=404,
    )


def _deleted(kind: str, one: Definition) -> Problem:
    return Problem(
        code="definition.deleted",
        message=f"{one.author} has deleted {one.id!r} of the {kind}.",
        remedy="Its revisions are there: restore one of them.",
    )
