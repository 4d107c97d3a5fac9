"""Auditing: which records a run leaves: who asked, what was done, how it ended; polls leave none."""

import asyncio
from datetime import timedelta
from typing import Any

from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.harness import TESTER, Harness, reached

from gennaker.interfaces.services import Services
from gennaker.model.event import ManualJudgmentGiven
from gennaker.model.principal import Principal
from gennaker.plugins.flow import plugin as flow


def recorded(*stages: Any, **fields: Any) -> list[tuple[str, str, dict[str, Any]]]:
    harness = Harness(flow.plugin, scripted.plugin(Target()))
    meanwhile = fields.pop("meanwhile", None)
    config = {"application": "shop", "name": "d", "stages": list(stages), **fields}
    harness.run(config, meanwhile=meanwhile, afterwards=timedelta(minutes=1))
    return [(entry.actor, entry.action, entry.details) for entry in harness.journal.audit]


def test_a_run_leaves_its_beginning_its_effects_and_its_end() -> None:
    found = recorded(make.stage_json("a", type="make", name="Make it"), make.stage_json("b", "a", type="poll"))

    assert [action for _, action, _ in found] == [
        "execution.submitted",
        "execution.running",
        "effect.performed",
        "effect.performed",
        "execution.succeeded",
    ]
    details = found[2][2]
    assert (details["stage"], details["task"], details["status"]) == ("Make it", "run", "SUCCEEDED")
    assert found[4][2]["before"] == "RUNNING"


def test_a_failure_is_recorded_with_its_problem() -> None:
    found = recorded(make.stage_json("a", type="fail"))

    (details,) = [details for _, action, details in found if action == "effect.performed"]
    assert (details["status"], details["problem"], details["retryable"]) == ("TERMINAL", "It was meant to fail.", False)
    assert found[-1][1] == "execution.terminal"


def test_a_submission_that_is_refused_is_recorded_with_all_its_problems() -> None:
    found = recorded(make.stage_json("a", "nowhere", type="make"), make.stage_json("b", "a", "nobody", type="make"))

    (details,) = [details for _, action, details in found if action == "submission.refused"]
    assert len(details["problems"]) == 2


def test_a_judgment_is_recorded_with_who_what_and_why() -> None:
    async def judge(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "manualJudgment", task="waitForJudgment")
        execution = await services.executions.get(execution_id)
        assert execution is not None
        event = ManualJudgmentGiven(
            at=services.clock.now(),
            stage_id=next(execution.in_order()).id,
            by="ada",
            judgment="continue",
            comment="looks fine",
        )
        await services.executions.tell(execution_id, event, TESTER)

    found = recorded(make.stage_json("a", type="manualJudgment"), meanwhile=judge)

    (record,) = [one for one in found if one[1] == "command.ManualJudgmentGiven"]
    assert record[0] == TESTER.name
    assert record[2]["judgment"] == "continue"
    assert record[2]["comment"] == "looks fine"


def test_an_answer_that_does_not_count_is_recorded_as_refused_once() -> None:
    stage_ids: list[str] = []

    async def judge(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "manualJudgment", task="waitForJudgment")
        for by in (TESTER, Principal(name="eve")):
            execution = await services.executions.get(execution_id)
            assert execution is not None
            stage_ids.append(next(execution.in_order()).id)
            event = ManualJudgmentGiven(
                at=services.clock.now(),
                by=by.name,
                stage_id=stage_ids[0],
                judgment="continue",
            )
            await services.executions.tell(execution_id, event, by)
            await asyncio.sleep(3600)

    asked = make.stage_json("a", type="manualJudgment", name="Go on?", preventSelfApproval=True)
    found = recorded(asked, meanwhile=judge)

    why = f"It waits for somebody else than {TESTER.name}, who started the execution."
    assert [(who, details) for who, action, details in found if action == "judgment.refused"] == [
        (TESTER.name, {"stage": "Go on?", "stageId": stage_ids[0], "why": why})
    ]
    assert found[-1][1] == "execution.succeeded"
