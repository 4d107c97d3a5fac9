"""Documents in memory, which users get too."""

from gennaker.testing.documents import MemoryDocuments, MemoryStore

__all__ = ["MemoryDocuments", "MemoryStore"]
