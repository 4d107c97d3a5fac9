"""Differences: where two JSON values part, by JSON pointers."""

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from gennaker.model import pointers
from gennaker.model.codec import Json, to_json
from gennaker.model.execution import NO_TIME, Execution, Stage


class Difference(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One place at which two values aren't the same."""

    pointer: str
    """RFC 6901; stages by refId."""
    before: Json = None
    """None where it isn't there."""
    after: Json = None


def between(before: Json, after: Json, pointer: str = "") -> Iterator[Difference]:
    """The differences, in the order of the first value's keys."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from between(before.get(key), after.get(key), f"{pointer}/{pointers.escaped(key)}")
    elif isinstance(before, list) and isinstance(after, list):
        for place in range(max(len(before), len(after))):
            pair = [one[place] if place < len(one) else None for one in (before, after)]
            yield from between(pair[0], pair[1], f"{pointer}/{place}")
    elif before != after or type(before) is not type(after):
        yield Difference(pointer=pointer, before=before, after=after)


def of_states(before: Execution, after: Execution) -> tuple[Difference, ...]:
    """The differences of two states of one execution."""
    return tuple(between(as_json(before), as_json(after)))


def as_json(execution: Execution) -> Json:
    """A state with its stages by refId."""
    stages: Json = {stage.ref_id: to_json(_plain(stage)) for stage in execution.stages.values()}
    return {"head": to_json(execution.head), "stages": stages}


def _plain(stage: Stage) -> Stage:
    """No time is the same whether it was written or left out, which earlier versions did by chance."""
    tasks = tuple(replace(task, paused_for=task.paused_for or NO_TIME) for task in stage.tasks)
    return replace(stage, tasks=tasks, paused_for=stage.paused_for or NO_TIME)
