"""Revisions of stored definitions in the native API: who changed what and when, and going back to one of them."""

from collections.abc import Callable
from typing import Annotated

import msgspec
from litestar import Controller, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from gennaker.engine import differences
from gennaker.interfaces.definitions import Definition
from gennaker.model import saved_pipelines, template_references, trigger_secrets
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web import pipeline_saves, shapes
from gennaker.web.ports import Asking, Ports, WebPorts

_MOST = 1000
_OF_THE_STORE = frozenset({"updateTs", "lastModifiedBy", "updatedTimestamp", "lastModified"})
"""They differ with every save, and say nothing about what was changed."""
_KINDS = {
    "pipelines": saved_pipelines.PIPELINE,
    "strategies": saved_pipelines.STRATEGY,
    "applications": "application",
    "projects": "project",
    "templates": template_references.KIND,
    "canary-configs": "canary-config",
}
_CHECKED = (saved_pipelines.PIPELINE, saved_pipelines.STRATEGY)
Limit = Annotated[int, QueryParameter(ge=1, le=200)]
Against = Annotated[int | None, QueryParameter(ge=1)]


class Restoring(msgspec.Struct, frozen=True):
    """To which revision."""

    revision: int


class DefinitionsController(Controller):
    """Routes under /api/v1/definitions."""

    path = "/api/v1/definitions/{kind:str}/{definition_id:str}"

    @get("/revisions")
    async def revisions(
        self, ports: Ports, principal: Asking, kind: FromPath[str], definition_id: FromPath[str], limit: Limit = 20
    ) -> JsonObject:
        """Newest first: author, time, and what each changed of the one before it."""
        found = await _history(ports, kind, definition_id, limit + 1)
        before: list[Definition | None] = [*found[1:], None]
        shown: list[Json] = [
            {**_facts(one), "changes": _changes(earlier, one)}
            for one, earlier in zip(found[:limit], before, strict=False)
        ]
        return {"revisions": shown}

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
        return {**_facts(one), "definition": _shown(one), "changes": _changes(other, one)}

    @post("/restore", status_code=200)
    async def restore(
        self,
        ports: Ports,
        principal: Asking,
        kind: FromPath[str],
        definition_id: FromPath[str],
        data: JSONBody[Restoring],
    ) -> JsonObject:
        """Makes the content of a revision the newest again, as a revision of its own; what was deleted is there again."""
        found = await _history(ports, kind, definition_id, _MOST)
        one = _only(found, data.revision)
        saved = await _restored(ports, principal, one, newest=found[0])
        return {**_facts(saved), "changes": _changes(found[0], saved)}


async def _restored(ports: WebPorts, principal: Principal, one: Definition, *, newest: Definition) -> Definition:
    body = {key: value for key, value in one.body.items() if key not in _OF_THE_STORE}
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


def _facts(one: Definition) -> JsonObject:
    return {
        "id": one.id,
        "revision": one.revision,
        "author": one.author,
        "at": shapes.instant(one.at),
        "isDeleted": one.is_deleted,
    }


def _changes(before: Definition | None, after: Definition) -> list[Json]:
    """Secrets are masked; one that was changed is named all the same."""
    if before is None:
        return []
    between = differences.between(_content(before, _shown), _content(after, _shown))
    found: list[Json] = [to_json(one) for one in between]
    if not found and _content(before, _stored) != _content(after, _stored):
        found.append({"pointer": "/triggers", "before": trigger_secrets.MASK, "after": trigger_secrets.MASK})
    return found


def _content(one: Definition, view: Callable[[Definition], JsonObject]) -> JsonObject:
    return {key: value for key, value in view(one).items() if key not in _OF_THE_STORE}


def _shown(one: Definition) -> JsonObject:
    return trigger_secrets.masked(one.body)


def _stored(one: Definition) -> JsonObject:
    return one.body
