"""Find artifact from execution: takes artifacts over from the newest run of another pipeline, or of the same one."""

import msgspec

from gennaker.interfaces.executions import Found
from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model import foreign, produced_artifacts, records
from gennaker.model.artifact import ExpectedArtifactKeys
from gennaker.model.codec import Json
from gennaker.model.event import Done, Failed, TaskResult
from gennaker.model.execution import Execution, ExecutionKind
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status
from gennaker.plugins.flow import others

_LOOKED_AT = 50
"""So many of the newest runs; the one among them that began last counts."""


class Options(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which runs count; none chosen: all."""

    successful: bool = False
    succeeded: bool = False
    """The same, as older pipelines write it."""
    terminal: bool = False
    running: bool = False


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    pipeline: str
    """Id of the pipeline's definition."""
    application: str = ""
    expected_artifacts: tuple[ExpectedArtifactKeys, ...] | None = None
    expected_artifact: ExpectedArtifactKeys | None = None
    """One alone, as older pipelines write it."""
    execution_options: Options = Options()


async def find(context: TaskContext) -> TaskResult:
    """Looks once; finding nothing that fits is a failure, unless defaults do."""
    spec = _spec(context)
    wanted = Found(
        config_ids=(spec.pipeline,),
        statuses=_statuses(spec.execution_options),
        kind=ExecutionKind.PIPELINE,
        limit=_LOOKED_AT,
    )
    own = context.execution.head.id  # what this run has, the stage sees anyway
    found_runs = await context.services.executions.find(wanted)
    runs = [one for one in found_runs if one.head.start_time is not None and one.head.id != own]
    newest = max(runs, key=_began, default=None)
    refused = await others.refusal(context, newest) if newest else None
    if refused is not None:
        return Failed(problem=refused)
    is_same = context.execution.head.pipeline_config_id == spec.pipeline
    own_ref = context.stage.ref_id if is_same else ""
    artifacts = context.sight.artifacts_of(newest, without_ref_id=own_ref) if newest else ()
    expected = foreign.mappings(context.lookup("expectedArtifacts"))
    alone = foreign.mapping(context.lookup("expectedArtifact"))
    found = produced_artifacts.resolved(expected or ([alone] if alone else []), artifacts)
    if isinstance(found, Problem):
        return Failed(problem=found if newest else _no_run(spec))
    return Done(context={"foundInExecution": newest.head.id} if newest else {}, outputs=found)


def _spec(context: TaskContext) -> Spec:
    values: dict[str, Json] = {
        field.encode_name: value
        for field in msgspec.structs.fields(Spec)
        if (value := context.lookup(field.encode_name)) is not None
    }
    return records.demanded(values, Spec, of=f"stage {context.stage.name}")


def _began(execution: Execution) -> float:
    return execution.head.start_time.timestamp() if execution.head.start_time else 0.0


def _statuses(options: Options) -> tuple[Status, ...]:
    chosen = {
        Status.SUCCEEDED: options.successful or options.succeeded,
        Status.TERMINAL: options.terminal,
        Status.RUNNING: options.running,
    }
    return tuple(status for status, is_chosen in chosen.items() if is_chosen)


def _no_run(spec: Spec) -> Problem:
    statuses = " or ".join(_statuses(spec.execution_options)) or "any"
    return Problem(
        code="artifact.no_execution",
        message=f"The pipeline {spec.pipeline!r} has no execution with the status {statuses}.",
        remedy="Run it first, or choose other `executionOptions`.",
    )


stage = StageType(
    name="findArtifactFromExecution",
    label="Find Artifacts From Execution",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="findArtifactFromExecution", run=find),),
    restart_clears=("artifacts", "resolvedExpectedArtifacts", "foundInExecution"),
    runs_in_dry_run=True,
)
