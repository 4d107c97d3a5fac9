"""Manual judgment: waits for an authorised person, notifies once, and says who decided and why."""

import asyncio
from typing import Any

import pytest
from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.harness import TESTER, Harness, problem_of, reached

from gennaker.interfaces.services import Services
from gennaker.model.codec import JsonObject
from gennaker.model.event import ManualJudgmentGiven
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.model.waiting import said
from gennaker.plugins.flow import plugin as flow

MOMENTS = ["manualJudgment", "manualJudgmentContinue", "manualJudgmentStop"]
NOTIFIED: dict[str, Any] = {
    "sendNotifications": True,
    "notifications": [{"type": "test", "address": "team", "when": [moment]} for moment in MOMENTS],
}


class Judged:
    """A run whose judgment is answered after a while, once for each answer."""

    def __init__(
        self, *answers: dict[str, Any], kill_at: tuple[str, ...] = (), looks_after: float = 5, **context: Any
    ) -> None:
        self.looks_after = looks_after
        self.target = Target()
        self.waited_for: list[str] = []
        self.answers = answers
        harness = Harness(flow.plugin, scripted.plugin(self.target))
        stages: list[Any] = [make.stage_json("j", type="manualJudgment", name="Approve", **context)]
        config: JsonObject = {"application": "shop", "name": "d", "stages": stages}
        self.execution: Execution = harness.run(config, meanwhile=self._judge, after_kill=self._judge, kill_at=kill_at)

    async def _judge(self, services: Services, execution_id: str) -> None:
        for answer in self.answers:
            await reached(services, execution_id, "manualJudgment", task="waitForJudgment")
            await asyncio.sleep(1700)  # between two looks: one that is under way would be followed by another at once
            execution = await services.executions.get(execution_id)
            assert execution is not None
            stage = next(execution.in_order())
            given: dict[str, Any] = {"by": "ada", "judgment": "continue", **answer}
            event = ManualJudgmentGiven(at=services.clock.now(), stage_id=stage.id, **given)
            await services.executions.tell(execution_id, event, TESTER)
            await asyncio.sleep(self.looks_after)
            after = await services.executions.get(execution_id)
            assert after is not None
            self.waited_for.append(said(next(after.in_order()).tasks[0].waiting_for))

    @property
    def moments(self) -> list[str]:
        return sorted(key.split("/")[3] for key in self.target.inbox.mails)


def test_continue_goes_on_and_gives_the_choice_to_what_follows() -> None:
    judged = Judged({"judgment_input": "all"}, judgmentInputs=[{"value": "all"}, {"value": "half"}])

    assert judged.execution.head.status is Status.SUCCEEDED
    assert next(judged.execution.in_order()).outputs["judgmentInput"] == "all"


def test_an_administrator_may_answer_whatever_the_roles() -> None:
    judged = Judged({"by": "root", "roles": frozenset({"Admin"})}, selectedStageRoles=["release"])

    assert judged.execution.head.status is Status.SUCCEEDED


def test_stop_fails_with_who_and_why() -> None:
    judged = Judged({"judgment": "stop", "comment": "too slow"})

    assert judged.execution.head.status is Status.TERMINAL
    assert "ada judged to stop: too slow" in problem_of(judged.execution)


@pytest.mark.parametrize(("judgment", "last"), [("continue", "manualJudgmentContinue"), ("stop", "manualJudgmentStop")])
def test_people_are_told_once_that_it_waits_and_once_how_it_ended(judgment: str, last: str) -> None:
    judged = Judged({"judgment": judgment}, **NOTIFIED)

    assert judged.moments == ["manualJudgment", last]
    assert set(judged.target.inbox.mails.values()) == {1}


def test_someone_without_the_role_changes_nothing_and_is_named() -> None:
    judged = Judged({"by": "bob"}, {"by": "ada", "roles": frozenset({"release"})}, selectedStageRoles=["release"])

    assert judged.execution.head.status is Status.SUCCEEDED
    last = next(judged.execution.in_order()).last_modified
    assert last is not None
    assert last.user == "ada"


@pytest.mark.parametrize("looks_after", [5, 4000])
def test_while_nobody_with_the_role_has_answered_it_says_who_is_waited_for(looks_after: float) -> None:
    answers = ({"by": "bob"}, {"by": "ada", "roles": frozenset({"release"})})
    first = Judged(*answers, looks_after=looks_after, requiredJudgmentRoles=["release", "ops"])

    assert first.execution.head.status is Status.SUCCEEDED
    assert first.waited_for[0] == "someone with one of the roles release, ops (bob has none of them)"


def test_it_survives_the_process() -> None:
    judged = Judged({}, kill_at=("commit.after:NotificationReported",), **NOTIFIED)

    assert judged.execution.head.status is Status.SUCCEEDED
    assert judged.moments == ["manualJudgment", "manualJudgmentContinue"]


def test_a_reminder_comes_after_each_of_its_pauses_until_somebody_judges() -> None:
    reminded: list[Any] = [
        {"type": "test", "address": "team", "when": ["manualJudgment"], "notifyEveryMs": 700_000},
        {"type": "test", "address": "once", "when": ["manualJudgment"]},
        {"type": "test", "address": "ended", "when": ["manualJudgmentContinue"], "notifyEveryMs": 700_000},
    ]
    judged = Judged({}, notifications=reminded, sendNotifications=True)

    # Judged after 1800 seconds: at once, after 700 and after 1400; the second once; the third at the end.
    assert judged.moments.count("manualJudgment") == 4
    assert judged.moments.count("manualJudgmentContinue") == 1
    context: Any = next(judged.execution.in_order()).context
    assert [list(one["lastNotifiedByNotificationState"]) for one in context["notifications"]] == [
        ["manualJudgment"],
        ["manualJudgment"],
        ["manualJudgmentContinue"],
    ]


def test_someone_without_the_role_causes_no_second_message() -> None:
    answers = ({"by": "bob"}, {"by": "ada", "roles": frozenset({"release"})})
    judged = Judged(*answers, selectedStageRoles=["release"], **NOTIFIED)

    assert judged.moments == ["manualJudgment", "manualJudgmentContinue"]


@pytest.mark.parametrize(("passes_on", "user"), [(True, "bob"), (False, "tester")])
def test_a_child_pipeline_runs_as_the_judge_who_passes_that_on(passes_on: bool, user: str) -> None:
    harness = Harness(flow.plugin, scripted.plugin(Target()))
    body: JsonObject = {"application": "shop", "name": "the child", "stages": [make.stage_json("m", type="make")]}
    asyncio.run(harness.definitions.save("pipeline", "child", body, author="ada"))

    async def judge(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "manualJudgment", task="waitForJudgment")
        execution = await services.executions.get(execution_id)
        assert execution is not None
        event = ManualJudgmentGiven(
            at=services.clock.now(), stage_id=next(execution.in_order()).id, by="bob", judgment="continue"
        )
        await services.executions.tell(execution_id, event, TESTER)

    harness.run(
        make.config(
            make.stage_json("j", type="manualJudgment", propagateAuthenticationContext=passes_on),
            make.stage_json("p", "j", type="pipeline", pipeline="child"),
        ),
        meanwhile=judge,
    )

    (child,) = (one for one in harness.executions() if one.head.name == "the child")
    assert child.head.authentication.user == user
    assert child.head.trigger["user"] == user


@pytest.mark.parametrize(
    ("context", "status"),
    [
        ({"stageTimeoutMs": 60_000}, Status.TERMINAL),
        ({"stageTimeoutMs": 60_000, "markSuccessfulOnTimeout": True}, Status.SUCCEEDED),
        ({"stageTimeoutMs": 60_000, "failPipeline": False}, Status.STOPPED),
    ],
)
def test_nobody_who_judges_in_time_lets_it_time_out(context: JsonObject, status: Status) -> None:
    execution = Harness(flow.plugin).run(make.config(make.stage_json("j", type="manualJudgment", **context)))

    stage = next(execution.in_order())
    assert stage.status is status
    assert stage.start_time is not None
    assert stage.end_time is not None
    assert 60 <= (stage.end_time - stage.start_time).total_seconds() < 62


def by(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"by": name, **more} for name in names]


def test_several_people_have_to_approve_each_for_themselves() -> None:
    judged = Judged(*by("ada", "ada", "bob"), requiredApprovals=2)

    assert judged.execution.head.status is Status.SUCCEEDED
    assert "so far: ada" in judged.waited_for[0]
    assert "somebody else than ada, whose approval counts once" in judged.waited_for[1]
    approvals: Any = next(judged.execution.in_order()).outputs["approvals"]
    assert [one["by"] for one in approvals] == ["ada", "bob"]


def test_whoever_started_it_is_none_of_them_but_may_stop_it() -> None:
    judged = Judged(*by("ada", TESTER.name), {"by": TESTER.name, "judgment": "stop"}, requiredApprovals=2)

    assert f"somebody else than {TESTER.name}, who started the execution" in judged.waited_for[1]
    assert judged.execution.head.status is Status.TERMINAL
    assert f"{TESTER.name} judged to stop" in problem_of(judged.execution)


def test_a_name_written_otherwise_is_no_second_person() -> None:
    judged = Judged(*by(TESTER.name.upper(), "ada", "Ada", "bob"), requiredApprovals=2)

    assert "who started the execution" in judged.waited_for[0]
    assert "whose approval counts once" in judged.waited_for[2]
    assert [one["by"] for one in outputs_of(judged)] == ["ada", "bob"]


def test_one_other_person_is_enough_where_only_the_starter_is_kept_out() -> None:
    judged = Judged(*by(TESTER.name, "ada"), preventSelfApproval=True)

    assert judged.execution.head.status is Status.SUCCEEDED
    assert "who started the execution" in judged.waited_for[0]


def test_an_approval_counts_for_its_time_only() -> None:
    # Answers come half an hour apart.
    judged = Judged(*by("ada", "bob"), requiredApprovals=2, approvalsExpireAfterMs=3_000_000)
    assert [one["by"] for one in outputs_of(judged)] == ["ada", "bob"]

    judged = Judged(
        *by("ada", "bob"), {"by": "cy", "judgment": "stop"}, requiredApprovals=2, approvalsExpireAfterMs=60_000
    )
    assert judged.execution.head.status is Status.TERMINAL
    assert "so far: bob" in judged.waited_for[1]


def test_approvals_need_the_stages_roles_and_the_same_choice() -> None:
    judged = Judged(
        *by("ada", judgment_input="half", roles=frozenset({"ops"})),
        *by("eve", judgment_input="half", roles=frozenset({"dev"})),
        *by("bob", judgment_input="all", roles=frozenset({"ops"})),
        *by("cy", judgment_input="all", roles=frozenset({"Ops"})),
        requiredApprovals=2,
        selectedStageRoles=["ops"],
        judgmentInputs=[{"value": "all"}, {"value": "half"}],
    )

    assert "eve has none of them" in judged.waited_for[1]
    assert [one["by"] for one in outputs_of(judged)] == ["bob", "cy"]
    assert next(judged.execution.in_order()).outputs["judgmentInput"] == "all"


def test_where_one_is_enough_there_is_no_list() -> None:
    assert "approvals" not in next(Judged(*by("ada"), requiredApprovals=1).execution.in_order()).outputs


def outputs_of(judged: Judged) -> Any:
    return next(judged.execution.in_order()).outputs["approvals"]
