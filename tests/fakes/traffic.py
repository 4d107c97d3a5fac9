"""The traffic provider in memory, which users get too."""

from gennaker.testing.traffic import FakeBalancer, FakeTraffic

__all__ = ["FakeBalancer", "FakeTraffic"]
