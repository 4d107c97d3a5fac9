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


class HeadPlace(Protocol):
    """Where signed heads of the chain are kept beside file and webhook. Raises Refused."""

    @property
    def name(self) -> str:
        """As it is told to people."""
        ...

    async def keep(self, number: int, head: bytes) -> None:
        """Keeps the head of this number, for good."""
        ...

    async def newest(self) -> bytes | None:
        """The head with the greatest number; None: there is none."""
        ...
