"""Advance: µs per event of the pure engine, for chains of 10, 100, 1,000 and 5,000 stages, and for a fan of stages.

Run: `python benchmarks/advance.py`. Each event's outbox answer is applied as the worker would; the clock stands still.
"""

import sys
import time
from datetime import UTC, datetime

from gennaker.engine import advance
from gennaker.engine.rules import Rules
from gennaker.model.codec import Json, JsonObject
from gennaker.model.effect import PrepareStage, RunTask
from gennaker.model.event import Done, Event, PlannedTask, StagePrepared, SubmissionPrepared, Submitted, TaskReported
from gennaker.model.execution import Authentication, Execution, Head
from gennaker.model.statuses import Status

_AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
_TASKS = (PlannedTask(name="run", implementing_class="run"),)


def _pipeline(count: int, *, is_chain: bool) -> JsonObject:
    stages: list[Json] = []
    for place in range(count):
        before: list[Json] = [str(place - 1)] if is_chain and place else []
        last = place == count - 1
        required: list[Json] = before if is_chain or not last else [str(one) for one in range(count - 1)]
        stages.append({"refId": str(place), "type": "work", "name": f"stage {place}", "requisiteStageRefIds": required})
    return {"stages": stages}


def _start(config: JsonObject) -> tuple[Execution, list[Event]]:
    head = Head(id="bench", application="bench", build_time=_AT, authentication=Authentication(user="bench"))
    rules = Rules()
    execution = advance.advance(Execution(head=head), Submitted(at=_AT, head=head), rules).execution
    step = advance.advance(execution, SubmissionPrepared(at=_AT, key="bench/submission", config=config), rules)
    return step.execution, [_answer(one.effect) for one in step.effects if isinstance(one.effect, PrepareStage)]


def _answer(effect: PrepareStage | RunTask) -> Event:
    if isinstance(effect, PrepareStage):
        return StagePrepared(at=_AT, key=effect.key, stage_id=effect.stage_id, tasks=_TASKS)
    return TaskReported(at=_AT, key=effect.key, stage_id=effect.stage_id, task_id=effect.task_id, result=Done())


def measure(count: int, *, is_chain: bool) -> tuple[float, int]:
    """Runs a pipeline to its end; µs per event and the number of events, without making the events."""
    execution, waiting = _start(_pipeline(count, is_chain=is_chain))
    rules, events, spent = Rules(), 0, 0.0
    while waiting:
        event = waiting.pop()
        began = time.perf_counter()
        step = advance.advance(execution, event, rules)
        spent += time.perf_counter() - began
        execution, events = step.execution, events + 1
        waiting += [_answer(one.effect) for one in step.effects if isinstance(one.effect, PrepareStage | RunTask)]
    assert execution.head.status is Status.SUCCEEDED
    return spent / events * 1e6, events


def main() -> None:
    """Prints one line a shape: the median of three runs."""
    for name, is_chain in (("chain", True), ("fan-in", False)):
        for count in (10, 100, 1_000, 5_000 if is_chain else 2_000):
            runs = sorted(measure(count, is_chain=is_chain) for _ in range(3))
            sys.stdout.write(f"{name:7} {count:6,} stages  {runs[1][0]:7.1f} µs/event  {runs[1][1]:6,} events\n")


if __name__ == "__main__":
    main()
