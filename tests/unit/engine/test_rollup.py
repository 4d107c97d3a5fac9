"""Roll-up: the status of a stage from its parts, of an execution from its stages."""

import pytest
from msgspec.structs import replace
from tests.make import EXECUTION, config, stage_json, task

from gennaker.engine import rollup
from gennaker.engine.synthetics import stages_of, tasks_of
from gennaker.model.codec import JsonObject
from gennaker.model.execution import Stage
from gennaker.model.statuses import Status


def stage(status: str = "RUNNING", *tasks: str, ref: str = "a", **context: object) -> Stage:
    found = stages_of(EXECUTION, config(stage_json(ref, **context)))[0]  # type: ignore[arg-type]  # JSON
    planned = tasks_of([task(str(place)) for place in range(len(tasks))])
    done = tuple(replace(one, status=Status(said)) for one, said in zip(planned, tasks, strict=True))
    return replace(found, status=Status(status), tasks=done)


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({}, "TERMINAL"),
        ({"failPipeline": True}, "TERMINAL"),
        ({"failPipeline": None}, "TERMINAL"),
        ({"failPipeline": False}, "STOPPED"),
        ({"failPipeline": "true"}, "STOPPED"),
        ({"failPipeline": "false"}, "STOPPED"),
        ({"failPipeline": "soon"}, "TERMINAL"),
        ({"failPipeline": {}}, "TERMINAL"),
        ({"continuePipeline": True}, "FAILED_CONTINUE"),
        ({"continuePipeline": True, "failPipeline": True}, "FAILED_CONTINUE"),
        ({"continuePipeline": "true"}, "TERMINAL"),
    ],
)
def test_flags_decide_what_a_failure_counts_as(context: JsonObject, expected: str) -> None:
    assert rollup.failure_status(context).value == expected


@pytest.mark.parametrize(
    ("tasks", "children", "late", "expected"),
    [
        ((), (), False, "NOT_STARTED"),
        (("SUCCEEDED",), ("SKIPPED",), False, "SUCCEEDED"),
        (("SUCCEEDED", "TERMINAL"), ("STOPPED",), False, "TERMINAL"),
        (("CANCELED",), ("STOPPED",), False, "STOPPED"),
        (("CANCELED", "FAILED_CONTINUE"), (), False, "CANCELED"),
        (("SUCCEEDED", "FAILED_CONTINUE"), (), True, "FAILED_CONTINUE"),
        (("SUCCEEDED",), ("NOT_STARTED",), True, "RUNNING"),
        (("NOT_STARTED",), (), False, "TERMINAL"),
    ],
)
def test_the_first_rule_that_fits_gives_a_stages_status(
    tasks: tuple[str, ...], children: tuple[str, ...], late: bool, expected: str
) -> None:
    found = rollup.stage_status(stage("RUNNING", *tasks), [stage(one) for one in children], has_unstarted_after=late)

    assert found.value == expected


def test_failed_planning_counts_as_a_failed_part() -> None:
    found = stage(beforeStagePlanningFailed=True, failPipeline=False)

    assert rollup.stage_status(found, [], has_unstarted_after=False) is Status.STOPPED


@pytest.mark.parametrize(
    ("statuses", "is_ready", "fails_late", "expected"),
    [
        (("SUCCEEDED", "SKIPPED", "FAILED_CONTINUE"), False, False, "SUCCEEDED"),
        (("RUNNING", "TERMINAL", "CANCELED"), False, False, "TERMINAL"),
        (("RUNNING", "CANCELED"), False, False, "CANCELED"),
        (("RUNNING", "STOPPED"), False, False, None),
        (("PAUSED", "STOPPED"), False, False, None),
        (("NOT_STARTED", "STOPPED"), True, False, None),
        (("NOT_STARTED", "STOPPED"), False, False, "SUCCEEDED"),
        (("SUCCEEDED", "STOPPED"), False, True, "TERMINAL"),
        (("SUCCEEDED", "NOT_STARTED"), True, False, None),
    ],
)
def test_the_first_rule_that_fits_gives_an_executions_status(
    statuses: tuple[str, ...], is_ready: bool, fails_late: bool, expected: str | None
) -> None:
    found = rollup.execution_status(
        [stage(one) for one in statuses], is_ready=lambda _: is_ready, fails_late=lambda: fails_late
    )

    assert found == (Status(expected) if expected else None)


@pytest.mark.parametrize(
    ("context", "tasks", "children", "expected"),
    [
        ({}, ("SUCCEEDED", "CANCELED"), (), "CANCELED"),
        ({}, ("TERMINAL",), ("CANCELED",), "TERMINAL"),
        ({}, ("STOPPED",), ("CANCELED",), "STOPPED"),
        ({"failPipeline": False}, (), ("TERMINAL", "CANCELED"), "STOPPED"),
        ({"continuePipeline": True}, (), ("TERMINAL", "CANCELED"), "CANCELED"),
        ({"continuePipeline": True}, ("STOPPED",), ("TERMINAL",), "CANCELED"),
        ({"beforeStagePlanningFailed": True}, (), ("CANCELED",), "TERMINAL"),
        ({}, ("FAILED_CONTINUE",), ("CANCELED",), "CANCELED"),
        ({}, ("NOT_STARTED",), (), "CANCELED"),
    ],
)
def test_what_is_cut_off_stays_failed(
    context: JsonObject, tasks: tuple[str, ...], children: tuple[str, ...], expected: str
) -> None:
    parts = [stage(status, ref=f"a>{place}") for place, status in enumerate(children)]

    assert rollup.cut_status(stage("RUNNING", *tasks, **context), parts).value == expected
