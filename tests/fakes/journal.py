"""The journal in memory, which users get too."""

from gennaker.testing.journal import MemoryJournal

__all__ = ["MemoryJournal"]
