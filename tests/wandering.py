"""Wandering: one execution under random answers, commands and clocks, for tests of whatever must hold in every state.

Behind it stands a playbook, which checks the engine's invariants after every event. Chance comes from the caller.
"""

from random import Random  # noqa: TID251 - seeded dice, or what hypothesis hands out

from tests import make
from tests.playbook import Playbook, without_version

from gennaker.engine import limits
from gennaker.model.codec import JsonObject
from gennaker.model.effect import (
    Effect,
    PrepareAfterStages,
    PrepareStage,
    PrepareTask,
    RunTask,
    StartTimer,
)
from gennaker.model.event import (
    AfterStagesPrepared,
    Again,
    CancelAsked,
    ChildEnded,
    Done,
    EnterAsked,
    Event,
    Failed,
    IgnoreFailureAsked,
    Left,
    ManualJudgmentGiven,
    PauseAsked,
    PlannedStage,
    PlannedTask,
    Queued,
    RestartAsked,
    ResumeAsked,
    SkipAsked,
    StagePatched,
    StagePrepared,
    Started,
    TaskPrepared,
    TaskReported,
    TaskResult,
    TimerRang,
)
from gennaker.model.problems import Problem
from gennaker.model.queue import Queue
from gennaker.model.statuses import Status
from gennaker.model.waiting import ForOther

OTHER = "01JEXECUTION0000000000000B"
"""The other execution of the same pipeline."""
PROBLEM = Problem(code="test.broken", message="It broke.")
TYPES = ("work", "after", "rescue", "both", "skippable", "clearing", "wait", "manualJudgment", "noop")
FLAGS: tuple[JsonObject, ...] = (
    {},
    {},
    {"continuePipeline": True},
    {"failPipeline": False},
    {"failPipeline": False, "completeOtherBranchesThenFail": True},
    {"failPipeline": "true"},
    {"skippable": True},
    {"stageTimeoutMs": 50_000},
    {"markSuccessfulOnTimeout": True, "stageTimeoutMs": 5_000},
    {"failOnFailedExpressions": True},
    {"title": "${ title }"},
    {"backoffPeriodMs": 7_000},
    {"allowSiblingStagesToContinueOnFailure": True},
)


def pipeline(chance: Random) -> list[JsonObject]:
    """A random acyclic graph of one to seven stages."""
    stages: list[JsonObject] = []
    for place in range(chance.randint(1, 7)):
        above = [str(one) for one in range(place) if chance.random() < 0.35]
        stages.append(make.stage_json(str(place), *above, type=chance.choice(TYPES), **chance.choice(FLAGS)))
    return stages


def planned_stages(chance: Random, most: int) -> tuple[PlannedStage, ...]:
    """Random synthetic stages, each requiring some of those before it."""
    return tuple(
        make.child(
            f"child{chance.randint(0, 99)}",
            *(one for one in range(place) if chance.random() < 0.5),
            type=chance.choice(TYPES),
            **chance.choice(FLAGS),
        )
        for place in range(chance.randint(0, most))
    )


def planned_tasks(chance: Random) -> tuple[PlannedTask, ...]:
    """None to three tasks, some with limits and retries, sometimes a loop."""
    count = chance.randint(0, 3)
    loops = count > 1 and chance.random() < 0.2
    return tuple(
        make.task(
            f"task{place}",
            is_loop_start=loops and place == 0,
            is_loop_end=loops and place == 1,
            timeout=chance.choice((None, make.seconds(20), make.seconds(100))),
            is_timeout_overridable=chance.random() < 0.5,
            retries=chance.choice((0, 2, -1)),
        )
        for place in range(count)
    )


def result(chance: Random, *, is_final: bool) -> TaskResult:
    """How a run of a task ends."""
    context: JsonObject = {"expressionEvaluationSummary": {"x": []}} if chance.random() < 0.05 else {}
    ends: list[TaskResult] = [
        Done(outputs={"result": chance.randint(0, 9)}, context=context),
        Done(status=Status.SKIPPED),
        Failed(problem=PROBLEM),
        Failed(problem=PROBLEM, status=Status.CANCELED),
        Done(status=Status.FAILED_CONTINUE),
        Done(status=Status.STOPPED),
        Done(status=Status.TERMINAL),
    ]
    if is_final:
        return chance.choice(ends)
    ends += [
        Again(after=make.seconds(chance.randint(-1, 30)), waiting_for=ForOther(reason="something")),
        Failed(problem=PROBLEM, retryable=True),
        Done(status=Status.REDIRECT),
        Done(status=Status.RUNNING),
        Done(),
        Done(),
    ]
    return chance.choice(ends)


def answer(play: Playbook, effect: Effect, chance: Random, *, is_final: bool) -> Event:
    """A random answer to an effect."""
    at = play.at
    problem = PROBLEM if chance.random() < 0.08 else None
    again = not is_final and chance.random() < 0.3
    deep = 0 if is_final else 2
    match effect:
        case PrepareStage(key=key, stage_id=stage_id):
            stage = play.execution.stages[stage_id]
            before = planned_stages(chance, deep if stage.parent_id is None or chance.random() < 0.2 else 0)
            return StagePrepared(
                at=at,
                key=key,
                stage_id=stage_id,
                context=stage.context,
                tasks=planned_tasks(chance),
                before=before,
                skip="it is disabled" if chance.random() < 0.08 else "",
                problem=problem,
                is_retryable=again,
            )
        case PrepareAfterStages(key=key, stage_id=stage_id):
            stages = planned_stages(chance, deep)
            return AfterStagesPrepared(
                at=at, key=key, stage_id=stage_id, stages=stages, problem=problem, is_retryable=again
            )
        case PrepareTask(key=key, stage_id=stage_id, task_id=task_id):
            context = play.execution.stages[stage_id].context
            return TaskPrepared(at=at, key=key, stage_id=stage_id, task_id=task_id, context=context, problem=problem)
        case RunTask(key=key, stage_id=stage_id, task_id=task_id):
            given = result(chance, is_final=is_final)
            return TaskReported(at=at, key=key, stage_id=stage_id, task_id=task_id, result=given)
        case StartTimer(key=key):
            return TimerRang(at=at, key=key)
        case _:
            raise AssertionError(f"nobody answers {effect}")


def open_effects(play: Playbook) -> list[Effect]:
    """What somebody may answer now, in a stable order."""
    waiting = [one for _, one in sorted(play.outbox.items())]
    carried = [one for one in map(limits.carried, waiting) if one is not None]
    return [
        one.effect
        for one in (*waiting, *carried)
        if isinstance(one.effect, (PrepareStage, PrepareAfterStages, PrepareTask, RunTask, StartTimer))
    ]


def command(play: Playbook, chance: Random) -> Event:
    """Something that a person or a neighbour may send at any time, sensible or not."""
    at = play.at
    stage_id = chance.choice([*play.execution.head.stage_order, "nowhere"])
    return chance.choice(
        [
            CancelAsked(at=at, by="eve") if chance.random() < 0.2 else PauseAsked(at=at, by="eve"),
            PauseAsked(at=at, by="eve"),
            ResumeAsked(at=at, by="eve"),
            ResumeAsked(at=at, by="eve"),
            StagePatched(at=at, stage_id=stage_id, by="eve", patch={"colour": "green"}),
            StagePatched(at=at, stage_id=stage_id, by="eve", patch={"manualSkip": True}),
            ManualJudgmentGiven(at=at, stage_id=stage_id, by="eve", judgment=chance.choice(("continue", "stop", "?"))),
            SkipAsked(at=at, stage_id=stage_id, by="eve"),
            RestartAsked(at=at, stage_id=stage_id, by="eve"),
            RestartAsked(at=at, stage_id=stage_id, by="eve"),
            IgnoreFailureAsked(at=at, stage_id=stage_id, by="eve"),
            ChildEnded(at=at, stage_id=stage_id, child_id="c", status=Status.SUCCEEDED),
            Started(at=at),
            Queued(at=at, waiting_for=ForOther(reason="another")),
            TimerRang(at=at, key="no such timer"),
        ]
    )


def queue_moves(play: Playbook, chance: Random) -> None:
    """Another execution of the pipeline ends, or comes."""
    if play.queue.running and play.queue.running[0] == OTHER and chance.random() < 0.5:
        play.queue_told(Left(at=play.at, execution_id=OTHER, keep_waiting=chance.random() < 0.5))
    else:
        play.queue_told(EnterAsked(at=play.at, execution_id=OTHER, limit_concurrent=True))


def wander(play: Playbook, chance: Random, steps: int) -> None:
    """Random answers, late and repeated answers, and commands."""
    for _ in range(steps):
        if chance.random() < 0.4:
            play.later(make.seconds(chance.choice((0.001, 1, 15, 61, -0.5, -40))))
        waiting = open_effects(play)
        dice = chance.random()
        if waiting and dice < 0.75:
            play.send(answer(play, chance.choice(waiting), chance, is_final=False))
        elif dice < 0.83:
            repeat(play, chance)
        elif dice < 0.86:
            queue_moves(play, chance)
        else:
            play.send(command(play, chance))


def repeat(play: Playbook, chance: Random) -> None:
    """An event that was applied before comes once more: results must be stale now."""
    old = chance.choice(play.events)
    if isinstance(old, (TaskReported, StagePrepared, TaskPrepared, AfterStagesPrepared)):
        before = play.execution
        step = play.send(old)
        assert step.ignored
        assert without_version(step.execution) == without_version(before)
    else:
        play.send(old)


def finish(play: Playbook, chance: Random) -> None:
    """From now on everything is answered without asking for more: the run must end."""
    if play.status is Status.PAUSED:
        play.send(ResumeAsked(at=play.at, by="ada"))
    play.queue_told(Left(at=play.at, execution_id=OTHER, keep_waiting=True))
    for _ in range(600):
        if play.status.is_complete:
            return
        waiting = [one for one in open_effects(play) if not isinstance(one, StartTimer)]
        assert waiting, f"stuck: {play.statuses()}"
        play.send(answer(play, chance.choice(waiting), chance, is_final=True))
    raise AssertionError(f"no end: {play.statuses()}")


def start(chance: Random) -> Playbook:
    """A random pipeline, without a queue, alone in its queue, or behind another execution."""
    config_id = chance.choice((None, "config", "config"))
    busy = Queue(key="pipeline:config", running=(OTHER,) if chance.random() < 0.5 else ())
    return Playbook(*pipeline(chance), queue=busy, pipeline_config_id=config_id, limit_concurrent=True)
