"""Audit: where decisions, changes, effects and refusals are recorded."""

from typing import Protocol

from gennaker.model.audit import AuditEntry, AuditRecord


class AuditTrail(Protocol):
    """An append-only chain of records."""

    async def record(self, *entries: AuditEntry) -> None:
        """Appends durably, in order."""
        ...

    async def records(self, *, after: int = 0, limit: int = 1000) -> tuple[AuditRecord, ...]:
        """Records with greater numbers, in order."""
        ...
