"""Phases: where an application stands on its way from Spinnaker, as documents that all servers of a store share.

The front of the engine asks for each run, so what is known is kept in memory where no other server can change it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from gennaker.interfaces.documents import Documents, VersionMismatch
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import to_json
from gennaker.model.foreign import mapping
from gennaker.model.problems import Problem, Refused

_NAMESPACE = "migration.phases"


class Phase(StrEnum):
    """How far it has come."""

    IMPORTED = "imported"
    """Its definitions are here, its triggers are off; what people start is planned only."""
    SHADOW = "shadow"
    """Its triggers are on; whatever starts is planned only."""
    LIVE = "live"
    """The cut-over is recorded."""


class Standing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Where one application stands."""

    application: str
    """In lower case."""
    phase: Phase
    source: str = ""
    """Where it was read: Gate's address, or files."""
    since: datetime
    """Of this phase."""
    by: str
    imported_at: datetime
    left_there: tuple[str, ...] = ()
    """What Spinnaker could still start at the cut-over, in words."""


class Phases:
    """All of them."""

    def __init__(self, documents: Callable[[str], Documents], *, is_alone: bool) -> None:
        """`documents` by namespace; `is_alone`: no other server shares the store."""
        self._documents = documents(_NAMESPACE)
        self._is_alone = is_alone
        self._kept: dict[str, Standing] | None = None
        self._writes = 0

    async def of(self, application: str) -> Standing | None:
        """None: it didn't come from elsewhere."""
        name = application.lower()
        if self._is_alone:
            return (await self._all()).get(name)
        found = await self._documents.get(name) if name else None
        return msgspec.convert(found.body, Standing) if found else None

    async def all(self) -> tuple[Standing, ...]:
        """By name."""
        return tuple((await self._all()).values())

    async def is_held(self, application: str) -> bool:
        """Whether what starts of it is planned only: it came from elsewhere, and its cut-over isn't recorded."""
        found = await self.of(application)
        return found is not None and found.phase is not Phase.LIVE

    @property
    def hold_nothing(self) -> bool:
        """True: it is known without asking that no application came from elsewhere. False says nothing."""
        return self._is_alone and self._kept is not None and not self._kept

    async def may_hold(self) -> bool:
        """False: no application is held. Asks no database, and says True where it would have to."""
        if not self._is_alone:
            return True
        known = self._kept if self._kept is not None else await self._all()
        return bool(known) and any(one.phase is not Phase.LIVE for one in known.values())

    async def put(self, standing: Standing, *, audit: Sequence[AuditEntry] = ()) -> None:
        """Writes it, whatever there is, with its audit records."""
        await self._documents.put(standing.application, mapping(to_json(standing)), audit=audit)
        self._wrote()

    async def change(self, standing: Standing, *, before: Standing, audit: Sequence[AuditEntry]) -> None:
        """Writes it, with its audit records, where the application still stands as before. Raises Refused(409)."""
        found = await self._documents.get(standing.application)
        try:
            if found is None or msgspec.convert(found.body, Standing) != before:
                raise Refused(_changed(standing.application), status=409)
            body = mapping(to_json(standing))
            await self._documents.put(standing.application, body, if_version=found.version, audit=audit)
        except VersionMismatch as mismatch:
            raise Refused(_changed(standing.application), status=409) from mismatch
        self._wrote()

    def _wrote(self) -> None:
        self._writes += 1
        self._kept = None

    async def _all(self) -> dict[str, Standing]:
        if self._kept is not None and self._is_alone:
            return self._kept
        writes = self._writes
        listed = [msgspec.convert(one.body, Standing) for one in await self._documents.list()]
        found = {one.application: one for one in listed}
        if writes == self._writes:  # else it may be from before the write, and would be kept for ever
            self._kept = found
        return found


def _changed(application: str) -> Problem:
    return Problem(
        code="import.changed",
        message=f"Somebody has changed where {application} stands meanwhile; nothing was done.",
        remedy="Look at it again (`gennaker list imports`), and repeat what is still wanted.",
    )
