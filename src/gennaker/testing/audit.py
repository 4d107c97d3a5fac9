"""An audit trail in memory."""

import hashlib

from gennaker.model.audit import AuditEntry, AuditRecord
from gennaker.model.codec import encode_sorted


class MemoryAuditTrail:
    """Chained as the real one, without anything that could be tampered with."""

    def __init__(self) -> None:
        self._records: list[AuditRecord] = []

    async def record(self, *entries: AuditEntry) -> None:
        for entry in entries:
            number = len(self._records) + 1
            previous = self._records[-1].hash if self._records else "0" * 64
            chained = f"{number}\n{previous}\n".encode() + encode_sorted(entry)
            self._records.append(
                AuditRecord(number=number, entry=entry, previous=previous, hash=hashlib.sha256(chained).hexdigest())
            )

    async def records(self, *, after: int = 0, limit: int = 1000) -> tuple[AuditRecord, ...]:
        return tuple(self._records[after : after + limit])
