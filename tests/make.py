"""Builders of test data: executions, stages, tasks, events, with everything that a test doesn't care about filled in."""

from datetime import UTC, datetime, timedelta

from gennaker.engine.rules import Rules, StageRule
from gennaker.engine.synthetics import stages_of
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import PlannedStage, PlannedTask
from gennaker.model.execution import Authentication, Execution, ExecutionKind, Head, Stage, StageMap

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
"""When everything begins."""
EXECUTION = "01JEXECUTION0000000000000A"

RULES = Rules(
    stages={
        "after": StageRule(plans_after=True),
        "rescue": StageRule(plans_on_failure=True),
        "both": StageRule(plans_after=True, plans_on_failure=True),
        "reading": StageRule(runs_in_dry_run=True),
        "skippable": StageRule(is_skippable=True),
        "taking": StageRule(restart_takes=("size",)),
        "gathering": StageRule(ends_with_all_before=True),
        "clearing": StageRule(restart_clears=("result", "executionId")),
    }
)
"""Types named after what is special about them; all others have no rule of their own."""


def head(**fields: object) -> Head:
    """The head of an execution that was just accepted."""
    given: dict[str, object] = {
        "id": EXECUTION,
        "kind": ExecutionKind.PIPELINE,
        "application": "shop",
        "name": "deliver",
        "root_id": EXECUTION,
        "build_time": AT,
        "authentication": Authentication(user="ada"),
    }
    return Head(**{**given, **fields})  # type: ignore[arg-type]  # a builder's keywords


def stage_json(ref: str, *requires: str, type: str = "work", **context: Json) -> JsonObject:  # noqa: A002 - the key's name
    """A stage of a definition."""
    required: list[Json] = list(requires)
    return {"refId": ref, "type": type, "name": ref, "requisiteStageRefIds": required, **context}


def config(*stages: JsonObject, **fields: Json) -> JsonObject:
    """A definition."""
    listed: list[Json] = list(stages)
    return {"application": "shop", "name": "deliver", "stages": listed, **fields}


def execution(*stages: JsonObject | Stage, **fields: object) -> Execution:
    """An execution with stages that haven't started; a `Stage` is taken as it is, synthetic ones too."""
    built: list[Stage] = []
    for one in stages:
        built += [one] if isinstance(one, Stage) else stages_of(EXECUTION, config(one))
    order = tuple(stage.id for stage in built)
    return Execution(
        head=head(stage_order=order, is_submitted=True, **fields),
        stages=StageMap({stage.id: stage for stage in built}),
    )


def task(name: str = "run", **fields: object) -> PlannedTask:
    """A task of a plan, without a time limit."""
    return PlannedTask(name=name, implementing_class=name, **fields)  # type: ignore[arg-type]  # a builder's keywords


def child(name: str, *requisites: int, type: str = "work", **context: Json) -> PlannedStage:  # noqa: A002 - the field's name
    """A synthetic stage of a plan."""
    return PlannedStage(type=type, name=name, context=context, requisites=requisites)


def seconds(count: float) -> timedelta:
    """Short for a length of time."""
    return timedelta(seconds=count)
