"""Definitions in memory."""

import msgspec

from gennaker.interfaces.clock import Clock
from gennaker.interfaces.definitions import Definition
from gennaker.model.codec import JsonObject, decode, encode
from gennaker.model.problems import Problem, Refused


class MemoryDefinitions:
    """All revisions by kind and id, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._revisions: dict[tuple[str, str], list[Definition]] = {}

    async def save(
        self, kind: str, definition_id: str, body: JsonObject, *, author: str, if_revision: int | None = None
    ) -> Definition:
        revisions = self._revisions.setdefault((kind, definition_id), [])
        allowed = {len(revisions), 0} if revisions and revisions[-1].is_deleted else {len(revisions)}
        if if_revision is not None and if_revision not in allowed:
            raise Refused(
                Problem(code="definition.changed", message=f"The {kind} {definition_id} was changed."), status=409
            )
        definition = Definition(
            kind=kind,
            id=definition_id,
            body=decode(encode(body), JsonObject),
            revision=len(revisions) + 1,
            author=author,
            at=self._clock.now(),
        )
        revisions.append(definition)
        return definition

    async def delete(self, kind: str, definition_id: str, *, author: str) -> None:
        revisions = self._revisions.get((kind, definition_id))
        if not revisions:
            raise Refused(
                Problem(code="definition.unknown", message=f"There is no {kind} {definition_id}."), status=404
            )
        newest = revisions[-1]
        if not newest.is_deleted:
            revisions.append(
                msgspec.structs.replace(
                    newest, revision=newest.revision + 1, author=author, at=self._clock.now(), is_deleted=True
                )
            )

    async def get(self, kind: str, definition_id: str) -> Definition | None:
        revisions = self._revisions.get((kind, definition_id))
        return revisions[-1] if revisions and not revisions[-1].is_deleted else None

    async def list(self, kind: str, application: str | None = None) -> tuple[Definition, ...]:
        newest = [revisions[-1] for (its_kind, _), revisions in sorted(self._revisions.items()) if its_kind == kind]
        return tuple(
            definition
            for definition in newest
            if not definition.is_deleted and (application is None or _is_of(definition.body, application))
        )

    async def applications(self, kind: str) -> tuple[str, ...]:
        named = (one.body.get("application") for one in await self.list(kind))
        return tuple(sorted({name.lower() for name in named if isinstance(name, str)}))

    async def history(self, kind: str, definition_id: str, limit: int = 20) -> tuple[Definition, ...]:
        return tuple(reversed(self._revisions.get((kind, definition_id), [])))[:limit]


def _is_of(body: JsonObject, application: str) -> bool:
    named = body.get("application")
    return isinstance(named, str) and named.lower() == application.lower()
