"""Every state: each command in each state of an execution and of the stage that it is about, by a table of its own.

The states are those that wandering comes to, told apart by what the execution and the stage are doing. In each the
command is accepted or refused as orca.md §3.10 and docs/compatibility.md say, the engine's invariants hold (the playbook
checks them), and the execution can still come to its end.
"""

from collections import defaultdict
from collections.abc import Callable
from random import Random  # noqa: TID251 - seeded dice

import pytest
from tests.make import seconds
from tests.playbook import Playbook
from tests.wandering import finish, start, wander

from gennaker.engine import graph, rollup
from gennaker.model.effect import RunTask, StartTimer, StopTask
from gennaker.model.event import (
    CancelAsked,
    Event,
    IgnoreFailureAsked,
    ManualJudgmentGiven,
    PauseAsked,
    RestartAsked,
    ResumeAsked,
    SkipAsked,
)
from gennaker.model.execution import Side, Stage
from gennaker.model.statuses import Status

pytestmark = [pytest.mark.slow, pytest.mark.simulation, pytest.mark.xdist_group("every-state")]
_WALKS = 1_200
_STEPS = 45
_EXAMPLES = 2
"""Of each state and kind of stage."""
ACTIVE = {Status.RUNNING, Status.PAUSED}
FAILED = {Status.TERMINAL, Status.STOPPED}
PASSED = {Status.SUCCEEDED, Status.FAILED_CONTINUE, Status.SKIPPED}
State = tuple[str, str]
Example = tuple[Playbook, str]
"""A playbook in some state, and the stage that it is about."""


def of_execution(play: Playbook) -> str:
    """What the execution is doing."""
    head = play.execution.head
    if head.status is not Status.NOT_STARTED:
        return head.status.value
    if not head.is_submitted:
        return "being submitted"
    return "waiting again" if head.start_time else "waiting"


def of_stage(play: Playbook, stage: Stage) -> str:
    """What the stage is doing."""
    if stage.status is Status.NOT_STARTED:
        return "being planned" if stage.is_preparing else "not started"
    if stage.status not in ACTIVE:
        return stage.status.value
    doing = _doing(play, stage)
    return f"{doing}, paused" if stage.status is Status.PAUSED else doing


def _doing(play: Playbook, stage: Stage) -> str:
    if stage.start_time is None:
        return "about to start"
    if stage.is_preparing:
        return "planning what follows"
    task = next((one for one in stage.tasks if one.status in ACTIVE), None)
    if task is not None:
        if task.start_time is None:
            return "before a task"
        if not task.is_prepared:
            return "evaluating"
        return "between polls" if task.due is not None and task.due > play.at else "at a task"
    sides = {one.side for one in play.execution.children(stage.id) if one.status in ACTIVE or one.is_preparing}
    return "in its after-stages" if Side.AFTER in sides else "in its before-stages"


def kind(stage: Stage) -> str:
    """What tells stages apart for commands."""
    if stage.type in ("wait", "manualJudgment"):
        return stage.type
    return "skippable" if stage.type == "skippable" and stage.context.get("skippable") is True else "other"


@pytest.fixture(scope="module")
def states() -> dict[State, list[Example]]:
    """Playbooks in all states that are reached, and the stage that it is about, some of each kind."""
    found: dict[State, list[Example]] = defaultdict(list)
    kinds: dict[tuple[State, str, bool], int] = defaultdict(int)
    for seed in range(_WALKS):
        chance = Random(seed)
        play = start(chance)
        for _ in range(_STEPS):
            wander(play, chance, 1)
            copied: Playbook | None = None
            for stage in play.execution.in_order():
                state = of_execution(play), of_stage(play, stage)
                seen = state, kind(stage), stage.is_synthetic
                if kinds[seen] < _EXAMPLES:
                    kinds[seen] += 1
                    copied = copied or play.copy()
                    found[state].append((copied, stage.id))
    return found


ENDED_STAGES = {"not started", "SUCCEEDED", "FAILED_CONTINUE", "SKIPPED", "STOPPED", "TERMINAL", "CANCELED"}
WORKING_STAGES = {"at a task", "between polls", "evaluating"}
RUNNING_STAGES = {
    *ENDED_STAGES,
    *WORKING_STAGES,
    *("being planned", "planning what follows", "in its before-stages", "in its after-stages"),
}
PAUSED_STAGES = {
    *(RUNNING_STAGES - WORKING_STAGES),
    *(f"{stage}, paused" for stage in (*WORKING_STAGES, "about to start", "before a task", "planning what follows")),
    *("in its before-stages, paused", "in its after-stages, paused"),
}
STAGES_BY_EXECUTION = {
    "waiting": {"not started"},
    "RUNNING": RUNNING_STAGES,
    "PAUSED": PAUSED_STAGES,
    "SUCCEEDED": ENDED_STAGES,
    "TERMINAL": ENDED_STAGES,
    "CANCELED": ENDED_STAGES,
    "waiting again": ENDED_STAGES,
}


def test_every_state_is_reached_and_no_other(states: dict[State, list[Example]]) -> None:
    reached: dict[str, set[str]] = defaultdict(set)
    for execution, stage in states:
        reached[execution].add(stage)

    assert reached == STAGES_BY_EXECUTION


# -- what is expected, from the specification alone -------------------------------------------------------------------


def may_cancel(play: Playbook, _: Stage) -> bool:
    """Whatever hasn't ended."""
    return not play.status.is_complete


def may_pause(play: Playbook, _: Stage) -> bool:
    return play.status is Status.RUNNING


def may_resume(play: Playbook, _: Stage) -> bool:
    return play.status is Status.PAUSED


def may_restart(play: Playbook, stage: Stage) -> bool:
    """The pipeline's own stage has ended, or not begun and could; no part of what is reset is still at work."""
    if of_execution(play) in ("PAUSED", "waiting", "waiting again", "being submitted"):
        return False
    top = own_stage(play, stage)
    if top.is_preparing or top.status in ACTIVE:
        return False
    by_ref = {one.ref_id: one for one in play.execution.top_level()}
    if not all(ref in by_ref and by_ref[ref].status in PASSED for ref in top.requisite_ref_ids):
        return False
    reset = [top, *(one for one in downstream(play, top) if one.status.is_complete)]
    parts = [part for one in reset for part in parts_of(play, one)]
    return not any(part.is_preparing or part.status in ACTIVE for part in parts)


def may_skip(_: Playbook, stage: Stage) -> bool:
    """A wait's rest, or a stage that says so of a type that allows it."""
    return stage.status in ACTIVE and kind(stage) in ("wait", "skippable")


def may_ignore_failure(play: Playbook, stage: Stage) -> bool:
    """A failure, but not a judgment's "no", wherever below the stage it was said."""
    own = own_stage(play, stage)
    if play.status is Status.PAUSED or own.status not in FAILED:
        return False
    family = [one for one in play.execution.in_order() if own_stage(play, one) is own]
    return not any(one.type == "manualJudgment" and one.status in FAILED for one in family)


def may_judge(_: Playbook, stage: Stage) -> bool:
    is_judged = stage.context.get("judgmentStatus") in ("continue", "stop")
    return stage.type == "manualJudgment" and stage.status in ACTIVE and not is_judged


def own_stage(play: Playbook, stage: Stage) -> Stage:
    while stage.parent_id is not None:
        stage = play.execution.stages[stage.parent_id]
    return stage


def downstream(play: Playbook, stage: Stage) -> list[Stage]:
    found: dict[str, Stage] = {}
    refs = {stage.ref_id}
    while following := [
        one for one in play.execution.top_level() if refs & set(one.requisite_ref_ids) and one.ref_id not in found
    ]:
        found |= {one.ref_id: one for one in following}
        refs |= set(found)
    return list(found.values())


def parts_of(play: Playbook, stage: Stage) -> list[Stage]:
    return [one for one in play.execution.in_order() if one.is_synthetic and own_stage(play, one).id == stage.id]


# -- the commands -----------------------------------------------------------------------------------------------------


COMMANDS: dict[str, tuple[Callable[[Playbook, Stage], Event], Callable[[Playbook, Stage], bool]]] = {
    "cancel": (lambda play, _: CancelAsked(at=play.at, by="ada"), may_cancel),
    "pause": (lambda play, _: PauseAsked(at=play.at, by="ada"), may_pause),
    "resume": (lambda play, _: ResumeAsked(at=play.at, by="ada"), may_resume),
    "restart": (lambda play, stage: RestartAsked(at=play.at, by="ada", stage_id=stage.id), may_restart),
    "skip": (lambda play, stage: SkipAsked(at=play.at, by="ada", stage_id=stage.id), may_skip),
    "ignore failure": (
        lambda play, stage: IgnoreFailureAsked(at=play.at, by="ada", stage_id=stage.id),
        may_ignore_failure,
    ),
    "judge": (
        lambda play, stage: ManualJudgmentGiven(at=play.at, by="ada", stage_id=stage.id, judgment="continue"),
        may_judge,
    ),
}


@pytest.mark.parametrize("clock", [0.0, -100_000.0, 100_000.0], ids=["the time", "a clock set back", "a clock set on"])
@pytest.mark.parametrize("command", COMMANDS)
def test_in_every_state_it_is_accepted_or_refused_and_the_execution_can_end(
    states: dict[State, list[Example]], command: str, clock: float
) -> None:
    make, may = COMMANDS[command]
    accepted: set[State] = set()

    for state, examples in states.items():
        for number, (found, stage_id) in enumerate(examples):
            play = found.copy()
            stage = play.execution.stages[stage_id]
            is_expected = may(play, stage)
            play.later(seconds(clock))

            step = play.send(make(play, stage))

            assert (not step.ignored) is is_expected, (state, kind(stage), step.ignored)
            if is_expected:
                accepted.add(state)
                CONSEQUENCES[command](found, play, stage_id)
            finish(play, Random(number))
            if is_expected:  # what was refused isn't in the journal, which is then as it was
                play.replayed()

    assert accepted, "nowhere accepted"


def _cancelled(play: Playbook) -> Status:
    """What a cancelled execution counts as: what had failed before has failed all the same."""
    top = [one for one in play.execution.in_order() if one.parent_id is None]
    return Status.TERMINAL if any(one.status is Status.TERMINAL for one in top) else Status.CANCELED


def is_cancelled(before: Playbook, after: Playbook, _: str) -> None:
    """At once: nothing goes on, and what ran is told to stop."""
    assert after.status is _cancelled(after)
    stopped = {
        (one.effect.stage_id, one.effect.task_id) for one in after.last.effects if isinstance(one.effect, StopTask)
    }
    for stage in before.execution.in_order():
        now = after.execution.stages[stage.id]
        assert now.status not in ACTIVE
        if stage.status in ACTIVE and stage.start_time is not None:
            children = graph.children(graph.of(after.execution), after.execution.stages, stage.id)
            assert now.status is rollup.cut_status(now, children)
        elif stage.status is not Status.PAUSED:
            assert now.status is stage.status
        for task in stage.tasks:
            is_told = (stage.id, task.id) in stopped
            assert is_told is (task.status in ACTIVE and task.start_time is not None)


def is_paused(_: Playbook, after: Playbook, __: str) -> None:
    """No task runs as far as anybody can see; what waits for its time is put off."""
    assert after.status is Status.PAUSED
    for stage in after.execution.in_order():
        assert not [task for task in stage.tasks if task.status is Status.RUNNING]
    assert not [
        one for one in after.outbox.values() if isinstance(one.effect, RunTask) and one.due and one.due > after.at
    ]
    assert not [one for one in after.outbox.values() if isinstance(one.effect, StartTimer)]


def is_resumed(_: Playbook, after: Playbook, __: str) -> None:
    """Nothing is held any more."""
    assert after.status is Status.RUNNING
    for stage in after.execution.in_order():
        assert stage.status is not Status.PAUSED
        assert not [task for task in stage.tasks if task.status is Status.PAUSED]


def is_restarted(before: Playbook, after: Playbook, stage_id: str) -> None:
    """The stage begins anew, and all that follows it and had ended."""
    top = own_stage(before, before.execution.stages[stage_id])
    now = after.execution.stages[top.id]
    assert now.attempt == top.attempt + 1
    assert now.context["restartDetails"]["restartedBy"] == "ada"  # type: ignore[index,call-overload]  # JSON
    for one in downstream(before, top):
        assert after.execution.stages[one.id].attempt == one.attempt + one.status.is_complete
    untouched = {one.id for one in before.execution.top_level()} - {
        top.id,
        *(one.id for one in downstream(before, top)),
    }
    for one_id in untouched:
        assert after.execution.stages[one_id].attempt == before.execution.stages[one_id].attempt
    assert after.status in (Status.RUNNING, Status.NOT_STARTED)


def is_skipped(before: Playbook, after: Playbook, stage_id: str) -> None:
    """The pipeline's own stage is over without having stopped what it began; a wait looks at once."""
    stage = before.execution.stages[stage_id]
    if kind(stage) == "wait":
        assert after.execution.stages[stage_id].context["skipRemainingWait"] is True
        return
    assert after.execution.stages[own_stage(before, stage).id].status is Status.SKIPPED
    stopped = {one.effect.stage_id for one in after.last.effects if isinstance(one.effect, StopTask)}
    own = {own_stage(before, stage).id, *(one.id for one in parts_of(before, own_stage(before, stage)))}
    assert not stopped & own


def is_ignored(before: Playbook, after: Playbook, stage_id: str) -> None:
    """The pipeline's own stage counts as passed, and says who wanted it."""
    now = after.execution.stages[own_stage(before, before.execution.stages[stage_id]).id]
    assert now.status is Status.FAILED_CONTINUE
    assert now.context["ignoreFailureDetails"]["by"] == "ada"  # type: ignore[index,call-overload]  # JSON


def is_judged(_: Playbook, after: Playbook, stage_id: str) -> None:
    """The answer is there, and by whom."""
    stage = after.execution.stages[stage_id]
    assert (stage.context["judgmentStatus"], stage.context["lastModifiedBy"]) == ("continue", "ada")


CONSEQUENCES: dict[str, Callable[[Playbook, Playbook, str], None]] = {
    "cancel": is_cancelled,
    "pause": is_paused,
    "resume": is_resumed,
    "restart": is_restarted,
    "skip": is_skipped,
    "ignore failure": is_ignored,
    "judge": is_judged,
}


def test_before_the_submission_is_prepared_only_cancelling_is_possible() -> None:
    for command, (make, _) in COMMANDS.items():
        play = Playbook(is_prepared=False)
        nowhere = Stage(id="nowhere", ref_id="1", type="manualJudgment", name="nowhere")

        step = play.send(make(play, nowhere))

        assert (not step.ignored) is (command == "cancel")
        assert play.status is (Status.CANCELED if command == "cancel" else Status.NOT_STARTED)
