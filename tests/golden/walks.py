"""Walks: what the engine made of each event of some random executions, written down to be compared.

A walk is a file of lines; each is an event and what came of it: fields that changed, effects, dropped effects, why it was
ignored. Events are in the file, so that walks stay what they are when wandering changes. `make golden` takes new ones down:
whoever changes what the engine does reads in the difference what that means.
"""

import shutil
from pathlib import Path
from random import Random  # noqa: TID251 - seeded dice

from tests import make
from tests.playbook import Playbook
from tests.wandering import OTHER, finish, pipeline, wander

from gennaker.engine import advance, replay
from gennaker.engine.step import Step
from gennaker.model import codec
from gennaker.model.codec import Json, JsonObject
from gennaker.model.effect import RunTask
from gennaker.model.event import (
    Again,
    ChildEnded,
    Done,
    Event,
    Failed,
    IgnoreFailureAsked,
    ManualJudgmentGiven,
    RestartAsked,
    SkipAsked,
    StagePatched,
    Submitted,
    TaskReported,
    TaskResult,
)
from gennaker.model.execution import Execution
from gennaker.model.problems import Problem
from gennaker.model.queue import Queue
from gennaker.model.statuses import Status
from gennaker.model.waiting import ForOther

FOLDER = Path(__file__).parent / "walks"
_TURNS = 14
_SEEDS = (6, 18, 20, 31, 66, 83, 152, 169, 198)
"""Of the first 250 those that together take most turnings for their length."""
_NOTIFIED: tuple[JsonObject, ...] = (
    {"type": "test", "address": "team", "when": ["pipeline.starting", "pipeline.complete", "stage.complete"]},
    {"type": "test", "address": "duty", "when": ["pipeline.failed", "stage.failed", "stage.starting"]},
    {"type": "test", "address": "judge", "when": ["manualJudgment", "stage.starting"], "notifyEveryMs": 60_000},
    {"type": "test", "address": "judged", "when": ["manualJudgmentContinue", "manualJudgmentStop"]},
)

_CONTEXTS: tuple[JsonObject, ...] = (
    {},
    {},
    {"type": "skippable", "skippable": True},
    {"type": "skippable", "skippable": True, "stageTimeoutMs": 40_000},
    {"exception": {"details": {"errors": ["earlier (x)"]}}, "problems": [{"code": "x", "message": "earlier"}]},
    {"exception": "odd", "problems": "odd", "executionId": "child", "executionName": "child"},
    {"expressionEvaluationSummary": {"x": [{"description": "earlier"}, {"level": "ERROR"}, "odd"], "y": "odd"}},
    {"type": "manualJudgment", "judgmentInputs": [{"value": "yes"}, {"value": "no"}]},
    {"restrictExecutionDuringTimeWindow": True, "type": "both"},
    {"type": "clearing", "result": 1, "executionId": "child"},
    {"type": "taking", "size": 1},
)
_TRIGGERS: tuple[JsonObject, ...] = (
    {"type": "manual"},
    {"type": "pipeline", "parentExecution": {"id": "parent", "rootId": "root"}, "parentPipelineStageId": "stage"},
    {"type": "pipeline", "parentExecution": {"id": "parent"}},
    {"type": "pipeline", "parentExecution": "odd"},
)
_PROBLEM = Problem(code="walk.broken", message="It broke.")
_RESULTS: tuple[TaskResult, ...] = (
    Again(after=make.seconds(5), waiting_for=ForOther(reason="somebody"), announce=("manualJudgment",)),
    Again(after=make.seconds(5), waiting_for=ForOther(reason="somebody"), memory={"seen": 1}, outputs={"a": 1}),
    Done(announce=("manualJudgmentContinue",), context={"a": 1}),
    Done(outputs={"b": 2}),
    Done(status=Status.REDIRECT),
    Failed(problem=_PROBLEM, announce=("manualJudgmentStop",), context={"a": 2}, outputs={"c": 3}),
    Failed(problem=_PROBLEM, retryable=True),
    Done(context={"expressionEvaluationSummary": {"z": [{"description": "late"}]}}),
)


def lines(events: list[Event]) -> list[JsonObject]:
    """Each event, and what the engine makes of it."""
    first = events[0]
    assert isinstance(first, Submitted)
    execution = replay.accepted(first.head)
    found: list[JsonObject] = []
    for event in events:
        step = advance.advance(execution, event, make.RULES)
        found.append({"event": codec.to_json(event), **_made_of_it(execution, step)})
        execution = step.execution
    return found


def _made_of_it(before: Execution, step: Step) -> JsonObject:
    after = step.execution
    stages: JsonObject = {
        stage_id: _changed(
            codec.to_json(before.stages[stage_id]) if stage_id in before.stages else {},
            codec.to_json(after.stages[stage_id]),
        )
        for stage_id in step.changed
    }
    return {
        "head": _changed(codec.to_json(before.head), codec.to_json(after.head)),
        "stages": stages,
        "removed": list(step.removed),
        "effects": [codec.to_json(one) for one in step.effects],
        "dropped": list(step.dropped),
        "ignored": step.ignored,
    }


def _changed(before: Json, after: Json) -> Json:
    """Of maps only what differs, `null` where a key has gone; of everything else the new value."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return after
    gone: JsonObject = dict.fromkeys((key for key in before if key not in after), None)
    new = {key: _changed(before.get(key), value) for key, value in after.items() if before.get(key) != value}
    return {**new, **gone}


def _walk(chance: Random) -> list[Event]:
    """A random pipeline whose moments are told to somebody, to its end."""
    stages = [{**stage, **_more(chance)} for stage in pipeline(chance)]
    play = Playbook(
        is_prepared=False,
        queue=Queue(key="pipeline:config", running=(OTHER,) if chance.random() < 0.3 else ()),
        pipeline_config_id=chance.choice((None, "config")),
        limit_concurrent=True,
    )
    play.submission_prepared(make.config(*stages, **_fields(chance)), trigger=chance.choice(_TRIGGERS))
    for _ in range(_TURNS):
        wander(play, chance, 3)
        play.send(_aimed(play, chance))
    finish(play, chance)
    return play.events


def _more(chance: Random) -> JsonObject:
    listed: list[Json] = [*_NOTIFIED, "odd"]
    told: JsonObject = {"notifications": listed, "sendNotifications": chance.random() < 0.7}
    return {**told, **chance.choice(_CONTEXTS)}


def _fields(chance: Random) -> JsonObject:
    """What a definition says beside its stages; mostly nothing."""
    fields: JsonObject = {
        "notifications": list[Json](_NOTIFIED),
        "description": "a walk",
        "startTimeExpiry": "4102444800000",
        "limitConcurrent": False,
        "maxConcurrentExecutions": 3,
        "keepWaitingPipelines": True,
        "spelEvaluator": "v4",
        "templateVariables": {"colour": "green"},
        "source": {"id": "a template"},
    }
    return {key: value for key, value in fields.items() if key == "notifications" or chance.random() < 0.3}


def _aimed(play: Playbook, chance: Random) -> Event:
    """An answer or a command that is likely to change something."""
    at = play.at
    everyone = list(play.execution.in_order())
    runs = [one for one in everyone if one.status is Status.RUNNING]
    stage = chance.choice(runs or everyone)
    asked = [one.effect for one in play.outbox.values() if isinstance(one.effect, RunTask)]
    if asked and chance.random() < 0.5:
        run = chance.choice(asked)
        told: TaskResult = chance.choice(_RESULTS)
        return TaskReported(at=at, key=run.key, stage_id=run.stage_id, task_id=run.task_id, result=told)
    roles = frozenset({"team"})
    return chance.choice(
        [
            SkipAsked(at=at, stage_id=stage.id, by="ada"),
            SkipAsked(at=at, stage_id=stage.id, by="ada"),
            StagePatched(at=at, stage_id=stage.id, by="ada", roles=roles, patch={"stageTimeoutMs": 30_000}),
            StagePatched(at=at, stage_id=stage.id, by="ada", roles=roles, patch={"judgmentInput": "no"}),
            ManualJudgmentGiven(at=at, stage_id=stage.id, by="ada", roles=roles, judgment="STOP", comment="why"),
            ManualJudgmentGiven(at=at, stage_id=stage.id, by="ada", judgment="continue", judgment_input="yes"),
            ChildEnded(at=at, stage_id=stage.id, child_id="child", status=Status.TERMINAL),
            IgnoreFailureAsked(at=at, stage_id=stage.id, by="ada", reason="it is known"),
            RestartAsked(at=at, stage_id=stage.id, by="ada", keeps_child=True),
            RestartAsked(
                at=at, stage_id=stage.id, by="ada", stages=({"refId": stage.ref_id, "size": 2, "type": "taking"},)
            ),
        ]
    )


def main() -> None:
    """Takes all walks down anew."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    for seed in _SEEDS:
        taken = b"".join(codec.encode(line) + b"\n" for line in lines(_walk(Random(seed))))
        (FOLDER / f"{seed:02}.jsonl").write_bytes(taken)


if __name__ == "__main__":
    main()
