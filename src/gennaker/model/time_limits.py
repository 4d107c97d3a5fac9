"""Time limits that people wrote: milliseconds in the context of a stage, which count for the stages within it, too."""

from datetime import timedelta

from gennaker.model import lengths
from gennaker.model.codec import Json
from gennaker.model.execution import Stage, StageMap

_KEY = "stageTimeoutMs"


def of_json(value: Json) -> timedelta | None:
    """Positive milliseconds of a context as a length of time, at most `lengths.LONGEST`; None for anything else."""
    if value is None or isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:  # nor NaN
        return None
    return lengths.of_milliseconds(value)


def of_stage(stage: Stage) -> timedelta | None:
    """The stage's own limit."""
    return of_json(stage.context.get(_KEY))


def limiting_stage(stages: StageMap, stage: Stage) -> Stage | None:
    """The nearest stage, from this one upwards, that has a limit."""
    current: Stage | None = stage
    while current is not None:
        if of_stage(current) is not None:
            return current
        current = stages.get(current.parent_id) if current.parent_id else None
    return None


def around(stages: StageMap, stage: Stage) -> timedelta | None:
    """The limit that counts for a stage: its own, or that of the nearest stage around it."""
    owner = limiting_stage(stages, stage)
    return None if owner is None else of_stage(owner)
