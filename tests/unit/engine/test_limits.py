"""Limits: carried by what is asked for a task, with a timer apart only where they move meanwhile."""

from msgspec.structs import replace
from tests import make
from tests.make import seconds, stage_json, task
from tests.playbook import Playbook, stage_id

from gennaker.engine import keys, limits
from gennaker.model.effect import PendingEffect, PrepareTask, RunTask, StartTimer
from gennaker.model.event import Again, Done, PauseAsked, ResumeAsked, StagePatched
from gennaker.model.statuses import Status
from gennaker.model.waiting import ForWork


def running() -> Playbook:
    """A stage whose task is being run, with a limit of a minute."""
    play = Playbook(stage_json("a"))
    play.prepared("a", task("own", timeout=seconds(60)))
    return play


def paused(play: Playbook, length: int) -> None:
    """A pause that ends after so many seconds."""
    play.send(PauseAsked(at=play.at, by="ada"))
    play.send(ResumeAsked(at=play.later(seconds(length)), by="ada"))


def apart(play: Playbook) -> list[str]:
    """Timers that have rows of their own."""
    return [key for key, one in play.outbox.items() if isinstance(one.effect, StartTimer)]


def test_a_run_carries_the_limit_of_its_task() -> None:
    play = running()

    (pending,) = play.outbox.values()

    key = f"{make.EXECUTION}/a/1/0.1/deadline"
    timer = StartTimer(key=key, rings_at=play.at + seconds(60), about="time limit of a task")
    assert isinstance(pending.effect, RunTask)
    assert limits.carried(pending) == PendingEffect(
        effect=timer, execution_id=make.EXECUTION, due=play.at + seconds(60)
    )


def test_what_has_no_limit_carries_none() -> None:
    play = Playbook(stage_json("a"))
    play.prepared("a", task("own"))

    assert [limits.carried(one) for one in play.outbox.values()] == [None]


def test_the_evaluation_for_a_task_carries_its_limit_too() -> None:
    play = Playbook(stage_json("a", said="${ nothing }"))
    play.prepared("a", task("own", timeout=seconds(60)))
    effects = [one.effect for one in play.outbox.values()]

    (timer,) = play.timers()

    assert [type(one) for one in effects] == [PrepareTask]
    assert timer.key == f"{make.EXECUTION}/a/1/0.1/deadline"


def test_a_limit_that_a_pause_moves_while_the_task_runs_gets_a_timer_that_goes_with_the_task() -> None:
    play = running()
    play.later(seconds(10))
    paused(play, 100)
    (key,) = apart(play)
    assert play.outbox[key].due == make.AT + seconds(160)

    play.reported("a", Done())

    assert apart(play) == []
    assert play.status is Status.SUCCEEDED


def test_a_second_pause_takes_the_timer_of_the_first_away() -> None:
    play = running()
    paused(play, 100)
    assert len(apart(play)) == 1

    play.send(PauseAsked(at=play.at, by="ada"))

    assert apart(play) == []


def test_a_limit_is_carried_again_by_what_is_asked_after_a_pause() -> None:
    play = running()
    paused(play, 100)
    play.reported("a", Again(after=seconds(20), waiting_for=ForWork(reason="another look")))
    assert len(apart(play)) == 1

    paused(play, 10)

    (run,) = play.outbox.values()
    assert isinstance(run.effect, RunTask)
    assert run.effect.until == make.AT + seconds(170)


def test_a_timer_apart_moves_with_a_limit_that_was_an_expression() -> None:
    play = Playbook(stage_json("a", stageTimeoutMs="${ 90000 }"))
    play.prepared("a", task("own", timeout=seconds(60)))
    paused(play, 100)
    (key,) = apart(play)

    play.task_prepared("a", {"stageTimeoutMs": 90_000})

    assert play.outbox[key].due == make.AT + seconds(190)


def test_a_limit_that_was_an_expression_is_carried_by_the_run() -> None:
    play = Playbook(stage_json("a", stageTimeoutMs="${ 90000 }"))
    play.prepared("a", task("own", timeout=seconds(60)))

    play.task_prepared("a", {"stageTimeoutMs": 90_000})

    (run,) = (one for one in play.outbox.values() if isinstance(one.effect, RunTask))
    assert isinstance(run.effect, RunTask)
    assert run.effect.until == make.AT + seconds(90)
    assert not [key for key in apart(play) if key == keys.carried_deadline(run.effect.key)]


def test_a_ring_that_was_carried_and_comes_too_early_sets_a_timer() -> None:
    play = running()
    (early,) = play.timers()
    play.send(StagePatched(at=play.at, stage_id=stage_id("a"), by="ada", patch={"stageTimeoutMs": 90_000}))
    play.later(seconds(60))

    play.rings("task own")

    assert early.rings_at == play.at
    assert play.status is Status.RUNNING
    assert play.outbox[early.key].due == make.AT + seconds(90)


def test_timers_go_with_what_has_carried_them_unless_they_are_apart_now() -> None:
    play = running()
    (run,) = play.outbox
    key = keys.carried_deadline(run)
    with_it = limits.gone_with([run], play.execution)
    play.send(StagePatched(at=play.at, stage_id=stage_id("a"), by="ada", patch={"stageTimeoutMs": 90_000}))

    apart_now = limits.gone_with([run], play.execution)

    assert with_it == {key}
    assert apart_now == set()


def test_the_timer_of_a_later_task_is_its_own() -> None:
    play = Playbook(stage_json("a"))
    play.prepared("a", task("first", timeout=seconds(60)), task("second", timeout=seconds(60)))
    play.reported("a", Done())
    (run,) = play.outbox
    paused(play, 100)

    gone = limits.gone_with([run], play.execution)

    assert len(apart(play)) == 1
    assert gone == set()


def test_effects_of_no_task_carry_no_timer_that_is_apart() -> None:
    play = running()
    paused(play, 100)
    others = [keys.tell_queue(make.EXECUTION, "ended", 3), keys.ended(make.EXECUTION, 3)]

    gone = limits.gone_with(others, play.execution)

    assert gone.isdisjoint(apart(play))


def test_a_task_that_was_started_before_runs_carried_limits_takes_its_timer_with_it() -> None:
    play = running()
    (stage,) = play.execution.in_order()
    old = replace(stage, tasks=tuple(replace(one, is_limit_carried=False) for one in stage.tasks))
    stages = play.execution.stages.set(stage.id, old)
    play.last = replace(play.last, execution=replace(play.execution, stages=stages))
    key = keys.task_deadline(make.EXECUTION, old, old.tasks[0])
    timer = StartTimer(key=key, rings_at=make.AT + seconds(60), about="time limit")
    play.outbox[key] = PendingEffect(effect=timer, execution_id=make.EXECUTION, due=make.AT + seconds(60))

    step = play.reported("a", Done())

    assert key in step.dropped
