"""Commands about one stage: patching, judging, skipping."""

import pytest
from tests.make import AT, child, execution, seconds, stage_json, task
from tests.playbook import Playbook, stage_id

from gennaker.engine import advance
from gennaker.engine.step import Step
from gennaker.model.codec import JsonObject
from gennaker.model.effect import StartTimer
from gennaker.model.event import (
    Again,
    Done,
    Failed,
    ManualJudgmentGiven,
    PauseAsked,
    PlannedStage,
    RestartAsked,
    SkipAsked,
    StagePatched,
    StagePrepared,
    TimerRang,
)
from gennaker.model.execution import LastModified
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status
from gennaker.model.waiting import ForOther

JUDGE = {"stage_id": stage_id("a"), "by": "ada", "roles": frozenset({"release"})}


def waiting(kind: str, **context: object) -> Playbook:
    play = Playbook(stage_json("a", type=kind, **context), stage_json("b", "a"))  # type: ignore[arg-type]  # JSON
    play.prepared("a", task())
    play.reported("a", Again(after=seconds(900), waiting_for=ForOther(reason="a person")))
    return play


def test_a_judgment_is_kept_with_who_gave_it_and_looked_at_at_once() -> None:
    play = waiting("manualJudgment")

    play.send(ManualJudgmentGiven(at=AT, judgment="Continue", judgment_input="blue", comment="looks good", **JUDGE))  # type: ignore[arg-type]  # a builder's keywords

    stage = play.stage("a")
    assert stage.last_modified == LastModified(user="ada", at=AT, roles=frozenset({"release"}))
    assert stage.context["judgmentStatus"] == "continue"
    assert (stage.context["judgmentInput"], stage.context["judgmentComment"]) == ("blue", "looks good")
    assert play.due("a") == seconds(0)


def test_the_first_judgment_stands() -> None:
    play = waiting("manualJudgment")
    play.send(ManualJudgmentGiven(at=AT, judgment="stop", **JUDGE))  # type: ignore[arg-type]  # a builder's keywords

    step = play.send(ManualJudgmentGiven(at=AT, judgment="continue", **JUDGE))  # type: ignore[arg-type]  # a builder's keywords

    assert step.ignored == "stage a was judged before"


@pytest.mark.parametrize(
    ("kind", "judgment", "reason"),
    [
        ("work", "continue", "stage a is no manual judgment"),
        ("manualJudgment", "perhaps", "a judgment is `continue` or `stop`, not 'perhaps'"),
    ],
)
def test_what_is_no_judgment_is_ignored(kind: str, judgment: str, reason: str) -> None:
    play = waiting(kind)

    step = play.send(ManualJudgmentGiven(at=AT, judgment=judgment, **JUDGE))  # type: ignore[arg-type]  # a builder's keywords

    assert step.ignored == reason


CHOICES = [{"value": "blue"}, {"value": "green"}]
UNKNOWN = "'red' is no choice of this judgment. (at /judgmentInput) It offers 'blue', 'green'."


def test_a_choice_that_is_not_offered_is_ignored_with_those_that_are() -> None:
    play = waiting("manualJudgment", judgmentInputs=CHOICES)

    step = play.send(ManualJudgmentGiven(at=AT, judgment="continue", judgment_input="red", **JUDGE))  # type: ignore[arg-type]  # a builder's keywords

    assert step.ignored == UNKNOWN
    assert "judgmentStatus" not in play.stage("a").context


@pytest.mark.parametrize(("kind", "ignored"), [("manualJudgment", UNKNOWN), ("work", "")])
def test_a_choice_in_a_patch_is_looked_at_where_it_is_one(kind: str, ignored: str) -> None:
    play = waiting(kind, judgmentInputs=CHOICES)
    patch: JsonObject = {"judgmentStatus": "continue", "judgmentInput": "red"}

    step = play.send(StagePatched(at=AT, stage_id=stage_id("a"), by="ada", patch=patch))

    assert step.ignored == ignored


def test_skipping_a_wait_skips_its_rest() -> None:
    play = waiting("wait")

    play.send(SkipAsked(at=AT, stage_id=stage_id("a"), by="ada"))

    assert play.stage("a").context["skipRemainingWait"] is True
    assert play.due("a") == seconds(0)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("wait", {"skipRemainingWait": True}),
        ("restrictExecutionDuringTimeWindow", {"skipRemainingWait": True}),
        ("waitForCondition", {"status": "SKIPPED"}),
    ],
)
def test_what_only_waits_is_told_that_it_need_not(kind: str, said: JsonObject) -> None:
    play = Playbook(stage_json("a", type=kind))
    play.prepared("a", task())

    play.send(SkipAsked(at=AT, stage_id=stage_id("a"), by="ada"))

    assert {key: play.stage("a").context.get(key) for key in said} == said
    assert play.status is Status.RUNNING


def test_a_skippable_stage_is_skipped_with_its_parts_and_what_follows_starts() -> None:
    play = Playbook(stage_json("a", type="skippable", skippable=True), stage_json("b", "a"))
    play.prepared("a", task("own"), before=[child("first")])
    assert play.stage("a").context["canManuallySkip"] is True
    play.prepared("first", task())

    play.send(StagePatched(at=AT, stage_id=stage_id("a"), by="ada", patch={"manualSkip": True}))

    assert play.statuses() == {"first": "SKIPPED", "a": "SKIPPED", "b": "NOT_STARTED"}
    play.wants("prepare b")


def test_a_stage_that_says_so_itself_is_skipped_before_its_first_task_and_no_other_is() -> None:
    play = Playbook(
        stage_json("a", manualSkip=True), stage_json("text", manualSkip="true"), stage_json("c"), stage_json("b", "a")
    )
    play.prepared("text", task())
    play.prepared("c")
    play.prepared("a", task())

    assert play.statuses() == {"a": "SKIPPED", "text": "RUNNING", "c": "SKIPPED", "b": "NOT_STARTED"}
    assert play.stage("a").tasks[0].status is Status.SKIPPED
    play.wants("prepare b", "run text.run")


def test_a_part_is_skipped_with_the_stage_above_it_that_says_so() -> None:
    play = Playbook(stage_json("a", manualSkip=True), stage_json("b", "a"))
    play.prepared("a", task(), before=[child("first"), child("second")])
    play.prepared("first", task())

    assert play.statuses() == {"first": "SKIPPED", "second": "SKIPPED", "a": "SKIPPED", "b": "NOT_STARTED"}
    play.wants("prepare b")


def test_what_a_task_writes_has_its_stage_skipped_at_the_next_poll() -> None:
    play = Playbook(stage_json("a"), stage_json("b", "a"))
    play.prepared("a", task(), task("never"))

    play.reported("a", Again(after=seconds(9), waiting_for=ForOther(reason="it"), context={"manualSkip": True}))

    assert play.statuses() == {"a": "SKIPPED", "b": "NOT_STARTED"}
    play.wants("prepare b")


@pytest.mark.parametrize("context", [{}, {"skippable": False}])
def test_a_stage_that_does_not_allow_it_is_not_skipped(context: dict[str, object]) -> None:
    play = waiting("skippable", **context)

    assert play.send(SkipAsked(at=AT, stage_id=stage_id("a"), by="ada")).ignored
    assert play.statuses()["a"] == "RUNNING"


def test_a_patch_while_a_stage_is_planned_has_it_planned_anew() -> None:
    play = Playbook(stage_json("a"))
    stale = StagePrepared(at=AT, key=next(iter(play.outbox)), stage_id=stage_id("a"))

    play.send(StagePatched(at=AT, stage_id=stage_id("a"), by="ada", patch={"colour": "green"}))

    assert play.send(stale).ignored == "the stage no longer waits for this preparation"
    play.prepared("a")
    assert play.stage("a").context["colour"] == "green"


def test_a_patch_while_a_context_is_evaluated_has_it_evaluated_anew() -> None:
    play = Playbook(stage_json("a", title="${ x }"))
    play.prepared("a", task())
    before = set(play.outbox)

    play.send(StagePatched(at=AT, stage_id=stage_id("a"), by="ada", patch={"colour": "green"}))

    assert not before & set(play.outbox)
    play.task_prepared("a", play.stage("a").context)
    play.wants("run a.run")


def test_a_stage_that_has_ended_can_still_be_patched() -> None:
    play = Playbook(stage_json("a"))
    play.prepared("a")

    play.send(StagePatched(at=AT, stage_id=stage_id("a"), by="ada", patch={"comments": "fine"}))

    assert play.stage("a").context["comments"] == "fine"
    assert play.status is Status.SUCCEEDED


def test_a_timer_of_nobody_is_ignored() -> None:
    found = execution(stage_json("a"), status=Status.RUNNING)

    step = advance.advance(found, TimerRang(at=AT, key="elsewhere"), Playbook(stage_json("a")).rules)

    assert step.ignored == "no timer of this execution has this key"


def skippable(*children: PlannedStage) -> Playbook:
    """A stage that may be skipped as a whole, whose stages before it run."""
    play = Playbook(stage_json("a", type="skippable", skippable=True), stage_json("b", "a"))
    play.prepared("a", task("own"), before=children)
    for one in children:
        play.prepared(one.name, task())
    return play


def test_skipping_a_stage_leaves_its_parts_that_have_ended_as_they_are() -> None:
    play = Playbook(stage_json("a", type="skippable", skippable=True), stage_json("b", "a"))
    play.prepared("a", task("own"), before=[child(name) for name in ("done", "skipped", "running")])
    play.prepared("done", task())
    play.prepared("running", task())
    play.reported("done", Done())
    play.prepared("skipped", skip="it is disabled")

    play.send(SkipAsked(at=play.later(seconds(5)), stage_id=stage_id("a"), by="ada"))

    assert play.statuses() == {
        "done": "SUCCEEDED",
        "skipped": "SKIPPED",
        "running": "SKIPPED",
        "a": "SKIPPED",
        "b": "NOT_STARTED",
    }
    assert {play.stage(name).end_time for name in ("done", "skipped")} == {AT}
    assert (play.stage("running").end_time, play.stage("running").waiting_for) == (play.at, None)
    play.wants("prepare b")
    play.replayed()


def test_skipping_a_part_skips_the_stage_of_the_pipeline_that_it_belongs_to() -> None:
    play = skippable(child("part", type="skippable", skippable=True))

    play.send(SkipAsked(at=play.at, stage_id=play.stage("part").id, by="ada"))

    assert play.statuses() == {"part": "SKIPPED", "a": "SKIPPED", "b": "NOT_STARTED"}
    assert play.stage("part").context["manualSkip"] is True
    play.wants("prepare b")


def test_what_is_being_planned_below_a_skipped_stage_is_no_longer_wanted() -> None:
    play = Playbook(stage_json("a", type="skippable", skippable=True), stage_json("b", "a"))
    play.prepared("a", before=[child("part")])
    play.wants("prepare part")

    play.send(SkipAsked(at=play.at, stage_id=stage_id("a"), by="ada"))

    play.wants("prepare b")
    assert not play.stage("part").is_preparing


@pytest.mark.parametrize("is_paused", [False, True])
def test_a_wait_is_skipped_while_it_waits_and_while_it_is_paused(*, is_paused: bool) -> None:
    play = waiting("wait")
    if is_paused:
        play.send(PauseAsked(at=play.at, by="ada"))

    step = play.send(SkipAsked(at=play.at, stage_id=stage_id("a"), by="ada"))

    assert step.ignored == ""
    assert play.stage("a").context["skipRemainingWait"] is True


def test_a_wait_that_has_not_begun_is_not_skipped() -> None:
    play = Playbook(stage_json("a"), stage_json("b", "a", type="wait"))

    step = play.send(SkipAsked(at=play.at, stage_id=stage_id("b"), by="ada"))

    assert step.ignored == "stage b isn't waiting; it is NOT_STARTED"


def test_a_time_limit_in_a_patch_is_set_for_what_runs_alone() -> None:
    play = Playbook(stage_json("a"), stage_json("b", "a"), stage_json("c"))
    play.prepared("a", task("first"), task("second"))
    play.prepared("c")
    limit: JsonObject = {"stageTimeoutMs": 60_000}

    waits = play.send(StagePatched(at=play.at, stage_id=stage_id("b"), by="ada", patch=limit))
    ended = play.send(StagePatched(at=play.at, stage_id=stage_id("c"), by="ada", patch=limit))
    runs = play.send(StagePatched(at=play.at, stage_id=stage_id("a"), by="ada", patch=limit))

    def timers(step: Step) -> list[str]:
        return [one.effect.about for one in step.effects if isinstance(one.effect, StartTimer)]

    assert (timers(waits), timers(ended)) == ([], [])
    assert len([about for about in timers(runs) if "first" in about or "stage a" in about]) == len(timers(runs)) > 0
    assert not [about for about in timers(runs) if "second" in about]


def test_a_timer_of_an_earlier_run_of_a_task_is_ignored() -> None:
    play = Playbook(stage_json("a"))
    play.prepared("a", task("own", timeout=seconds(60)))
    (old,) = (one.key for one in play.timers())
    play.reported("a", Failed(problem=Problem(code="x", message="It broke.")))
    play.send(RestartAsked(at=play.at, stage_id=stage_id("a"), by="ada"))
    play.prepared("a", task("own", timeout=seconds(60)))

    step = play.send(TimerRang(at=play.later(seconds(61)), key=old))

    assert step.ignored == "the task no longer has this time limit"
    assert play.statuses() == {"a": "RUNNING"}


def test_a_timer_of_an_earlier_run_of_a_stage_is_ignored() -> None:
    play = Playbook(stage_json("a", stageTimeoutMs=60_000))
    play.prepared("a", task("own"))
    old = next(key for key in play.outbox if key.endswith("/a/deadline/0"))
    play.reported("a", Failed(problem=Problem(code="x", message="It broke.")))
    play.send(RestartAsked(at=play.at, stage_id=stage_id("a"), by="ada"))
    play.prepared("a", task("own"))

    step = play.send(TimerRang(at=play.later(seconds(61)), key=old))

    assert step.ignored == "the stage no longer has this time limit"
    assert play.statuses() == {"a": "RUNNING"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("requiredApprovals", 1),
        ("preventSelfApproval", False),
        ("selectedStageRoles", []),
        ("requiredJudgmentRoles", []),
        ("approvalsExpireAfterMs", None),
        ("propagateAuthenticationContext", True),
        ("judgmentInputs", []),
    ],
)
def test_a_patch_does_not_change_who_may_judge(key: str, value: JsonObject) -> None:
    play = waiting("manualJudgment", requiredApprovals=2)
    before = play.stage("a")

    step = play.send(StagePatched(at=AT, patch={"judgmentStatus": "continue", key: value}, **JUDGE))  # type: ignore[arg-type]  # a builder's keywords

    assert key in step.ignored
    assert play.stage("a") == before
    other = waiting("wait")
    other.send(StagePatched(at=AT, patch={key: value}, **JUDGE))  # type: ignore[arg-type]  # a builder's keywords
    assert other.stage("a").context[key] == value
