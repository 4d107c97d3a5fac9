"""The cloud provider in memory, which users get too."""

from gennaker.testing.clouds import CloudState, FakeCloud

__all__ = ["CloudState", "FakeCloud"]
