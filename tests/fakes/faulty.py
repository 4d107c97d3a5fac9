"""Faults around providers, which users get too."""

from gennaker.testing.faults import Faults, FaultyCloud, FaultyTraffic

__all__ = ["Faults", "FaultyCloud", "FaultyTraffic"]
