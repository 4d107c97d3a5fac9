"""The audit trail in memory, which users get too."""

from gennaker.testing.audit import MemoryAuditTrail

__all__ = ["MemoryAuditTrail"]
