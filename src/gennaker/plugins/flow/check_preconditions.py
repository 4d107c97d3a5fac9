"""Check preconditions: one child a precondition, all at once; each says by its own `failPipeline` what a failure means.

Kinds are Orca's: an expression that must be true, the number of server groups of a cluster, the status of a stage, and
`noop`, which always holds; and Gennaker's `environments`: two of them must be alike. What failed is said with the values that were seen.
"""

import msgspec

from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType, Unplannable
from gennaker.model import foreign
from gennaker.model.artifact import Plain
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, Failed, PlannedStage, TaskResult
from gennaker.model.problems import Problem
from gennaker.plugins.flow import cluster_size, environments

_TYPE = "checkPreconditions"
_INHERITED = ("cluster", "regions", "credentials", "zones")
"""What a precondition's own `context` takes from the stage where it doesn't say it."""


class Facts(cluster_size.Wanted, frozen=True, kw_only=True, rename="camel"):
    """A precondition's `context`, of any type."""

    expression: Plain = ""
    stage_name: str = ""
    stage_status: str = ""
    environments: tuple[str, ...] = ()
    aspects: tuple[str, ...] = ()
    failure_message: Plain = ""


class Precondition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One of them."""

    type: str = ""
    """`expression`, `clusterSize`, `stageStatus`, `environments` or `noop`."""
    fail_pipeline: bool = True
    context: Facts = Facts()


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    preconditions: tuple[Precondition, ...] = ()


async def plan(_: StageSpec, context: StageContext) -> Plan:
    """The pipeline's own stage has children, a child its one task."""
    stage = context.stage
    if stage.parent_id is not None and stage.context.get("preconditionType"):
        return Plan(tasks=(_TASK.planned(),))
    common: JsonObject = {key: value for key, value in stage.context.items() if key != "preconditions"}
    return Plan(before=tuple(_child(common, one) for one in foreign.mappings(context.lookup("preconditions"))))


def _child(common: JsonObject, precondition: JsonObject) -> PlannedStage:
    kind = precondition.get("type")
    if not isinstance(kind, str) or not kind:
        raise Unplannable(
            Problem(
                code="precondition.no_type",
                message="A precondition has no type.",
                remedy=f"Give each a `type`: {', '.join(_KINDS)}.",
                pointer="/preconditions",
            )
        )
    given = precondition.get("context")
    own: JsonObject = dict(given) if isinstance(given, dict) else {}
    for key in _INHERITED:
        if not own.get(key) and common.get(key) is not None:
            own[key] = common[key]
    child: JsonObject = {**common, **precondition, "context": own, "preconditionType": kind, "type": _TYPE}
    return PlannedStage(type=_TYPE, name=f"Check precondition ({kind})", context=child)


async def check(context: TaskContext) -> TaskResult:
    """Looks once."""
    kind = str(context.stage.context.get("preconditionType"))
    given = context.stage.context.get("context")
    own = given if isinstance(given, dict) else {}
    match kind:
        case "expression":
            return _expression(context, own)
        case "stageStatus":
            return _stage_status(context, own)
        case "clusterSize":
            return _concluded(await cluster_size.check(context.services, own), own)
        case "environments":
            application = context.execution.head.application
            return _concluded(await environments.check(context.services, application, own), own)
        case "noop":
            return Done()
        case _:
            return Failed(
                problem=Problem(
                    code="precondition.unknown_type",
                    message=f"There is no precondition of type {kind!r}.",
                    remedy=f"Use one of {', '.join(_KINDS)}.",
                )
            )


def _expression(context: TaskContext, own: JsonObject) -> TaskResult:
    written = _text(own.get("expression"))
    evaluation = context.sight.evaluate("${" + written + "}")
    result = _text(evaluation.value)
    if evaluation.failed and result.startswith("${"):
        result = result[2:-1]
    seen: JsonObject = {"context": {**own, "expressionResult": result}}
    if evaluation.summary:
        seen["expressionEvaluationSummary"] = evaluation.summary
    if result.lower() == "true":
        return Done(context=seen)
    why = (
        f"could not be evaluated: {'; '.join(evaluation.failed)}"
        if evaluation.failed
        else f"gave {result!r}, not true."
    )
    failed = Problem(code="precondition.expression", message=f"The expression `{written}` {why}")
    return Failed(problem=_said(failed, own), context=seen)


def _stage_status(context: TaskContext, own: JsonObject) -> TaskResult:
    wanted, status = _text(own.get("stageName")), _text(own.get("stageStatus"))
    if not wanted or not status:
        missing = "stageName" if not wanted else "stageStatus"
        return Failed(
            problem=Problem(
                code="precondition.field_missing",
                message=f"A precondition of type stageStatus needs `{missing}`.",
                remedy="Add it to the precondition's `context`.",
            )
        )
    found = next((one for one in context.execution.in_order() if one.name == wanted), None)
    if found is None:
        names = ", ".join(dict.fromkeys(one.name for one in context.execution.top_level()))
        problem = Problem(
            code="precondition.no_stage",
            message=f"Failed to find stage {wanted!r} in execution.",
            remedy=f"The pipeline's stages are {names}.",
        )
        return _concluded(problem, own)
    if found.status.value == status:
        return Done()
    problem = Problem(
        code="precondition.stage_status",
        message=f"The status of stage {wanted!r} was asserted to be {status}, but was actually {found.status.value}.",
    )
    return _concluded(problem, own)


def _concluded(problem: Problem | None, own: JsonObject) -> TaskResult:
    return Done() if problem is None else Failed(problem=_said(problem, own))


def _said(problem: Problem, own: JsonObject) -> Problem:
    """The problem, begun with the sentence that the pipeline's author has given for it."""
    written = _text(own.get("failureMessage"))
    facts: JsonObject = {**problem.details, "precondition": own}
    message = f"{written} ({problem.message})" if written else problem.message
    return msgspec.structs.replace(problem, message=message, details=facts)


def _text(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


_KINDS = ("expression", "clusterSize", "stageStatus", "environments", "noop")
_TASK = TaskType(name="checkPrecondition", run=check, is_calculation=True)
stage = StageType(
    name=_TYPE,
    label="Check Preconditions",
    about=__doc__,
    spec=Spec,
    tasks=(_TASK,),
    plan=plan,
    restart_takes=("preconditions",),
    runs_in_dry_run=True,
    # Orca has done all of them before it looks at what one has come to: one that stops the branch must not hide another
    # that fails the pipeline.
    ends_with_all_before=True,
)
