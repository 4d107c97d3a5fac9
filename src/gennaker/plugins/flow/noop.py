"""Noop: a stage without tasks. It does nothing and ends SKIPPED, as in Orca."""

from gennaker.interfaces.stages import StageSpec, StageType

stage = StageType(name="noop", label="No-op", about=__doc__, spec=StageSpec)
