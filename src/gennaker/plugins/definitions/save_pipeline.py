"""Save pipeline: stores one pipeline, or many at once of which some may fail."""

from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model import foreign, trigger_secrets
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.definitions import encoded, pipelines


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    pipeline: JsonObject | str | None = None
    """The definition, or base64 of it."""
    pipelines: tuple[JsonObject, ...] | str | None = None
    """Many of them, with `isBulkSavingPipelines`."""
    is_bulk_saving_pipelines: bool | None = False
    stale_check: bool | None = False
    """Refuse if somebody has saved it since it was loaded (`updateTs`)."""


async def save(context: TaskContext) -> TaskResult:
    """Saves what the job holds."""
    told: JsonObject = {
        "notification.type": "savepipeline",
        "application": context.stage.context.get("application") or context.execution.head.application,
    }
    is_strict = foreign.flag(context.stage.context.get("staleCheck"))
    if foreign.flag(context.stage.context.get("isBulkSavingPipelines")):
        return Done(context={**told, "bulksave": await _many(context, is_strict=is_strict)})
    saved = await pipelines.save(context, encoded.read_map(context, "pipeline"), checks_staleness=is_strict)
    return Done(context={**told, "pipeline.name": saved.body.get("name"), "pipeline.id": saved.body["id"]})


async def _many(context: TaskContext, *, is_strict: bool) -> JsonObject:
    listed = encoded.read(context, "pipelines")
    if not isinstance(listed, list):
        raise Refused(Problem(code="job.field_wrong", message="The job's `pipelines` must be a list."))
    successful: list[Json] = []
    failed: list[Json] = []
    for place, one in enumerate(listed):
        given = one if isinstance(one, dict) else {}
        try:
            saved = await pipelines.save(context, given, checks_staleness=is_strict, occasion=str(place))
            successful.append(saved.body.get("name"))
        except Refused as refused:
            failed.append(
                {**trigger_secrets.masked(given), "errorMsg": "; ".join(str(problem) for problem in refused.problems)}
            )
    return {
        "successful_pipelines_count": len(successful),
        "successful_pipelines": successful,
        "failed_pipelines_count": len(failed),
        "failed_pipelines": failed,
    }


stage = StageType(
    name="savePipeline",
    label="Save Pipeline",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="savePipeline", run=save),),
)
