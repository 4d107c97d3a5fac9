"""Definitions in memory, which users get too."""

from gennaker.testing.definitions import MemoryDefinitions

__all__ = ["MemoryDefinitions"]
