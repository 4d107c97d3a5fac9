"""Evidence and logs in memory, which users get too."""

from gennaker.testing.evidence import MemoryEvidence, MemoryLogs

__all__ = ["MemoryEvidence", "MemoryLogs"]
