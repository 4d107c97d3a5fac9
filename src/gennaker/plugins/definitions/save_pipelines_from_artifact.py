"""Save pipelines from artifact: stores all pipelines that an artifact holds, `{"application": [pipeline, …], …}`.

One after another; those of a name that exists are updated. Some may fail: the others are saved all the same, the lists in
the stage's context say what became of each, and then the stage fails. Those that are left stand encoded in the context, which
is evaluated before each task: their expressions are for their own runs.
"""

from base64 import b64decode, b64encode

import msgspec

from gennaker.interfaces import artifacts
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, decode_json, encode
from gennaker.model.event import Done, Failed, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.plugins.definitions import pipelines

_LISTS = ("pipelinesCreated", "pipelinesUpdated", "pipelinesFailedToSave")


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    pipelines_artifact_id: str | None = None
    """Id of the expected artifact that was bound before."""
    pipelines_artifact: JsonObject | None = None
    """An artifact of its own instead."""


async def plan(_: StageSpec, __: StageContext) -> Plan:
    """Read, save one after another, conclude."""
    return Plan(
        tasks=(
            _GET.planned(),
            _SAVE.planned(is_loop_start=True),
            _REMAINING.planned(is_loop_end=True),
            _COMPLETE.planned(),
        )
    )


async def get(context: TaskContext) -> TaskResult:
    """Reads the artifact and finds the pipelines that exist already."""
    try:
        fetched = await artifacts.content(context.services.artifacts, _artifact(context))
    except artifacts.ArtifactUnavailable as failure:
        problem = Problem(code="artifact.unavailable", message=f"The artifact can't be read now: {failure}")
        return Failed(problem=problem, retryable=True)
    content = _content(fetched)
    to_save: list[Json] = []
    for application, listed in content.items():
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise Refused(_unreadable(f"the pipelines of {application!r} are no list of objects"))
        for one in listed:
            given: JsonObject = {**one, "application": application} if isinstance(one, dict) else {}
            existing = await pipelines.named(context, application, str(given.get("name")))
            whole = {**given, "id": existing.id} if existing else given
            to_save.append(b64encode(encode(whole)).decode())
    if not to_save:
        raise Refused(_unreadable("it holds no pipeline"))
    lists: JsonObject = {key: [] for key in _LISTS}
    return Done(context={**lists, "pipelinesToSave": to_save})


async def save(context: TaskContext) -> TaskResult:
    """Saves the first that is left."""
    one, *rest = _left(context)
    first = _read(one)
    reference: JsonObject = {"application": first.get("application"), "name": first.get("name")}
    try:
        saved = await pipelines.save(context, first)
        key = "pipelinesCreated" if saved.is_new else "pipelinesUpdated"
        reference["id"] = saved.body["id"]
    except Refused as refused:
        key = "pipelinesFailedToSave"
        reference["errors"] = [str(problem) for problem in refused.problems]
    before = context.stage.context.get(key)
    listed: list[Json] = [*(before if isinstance(before, list) else []), reference]
    return Done(context={key: listed, "pipelinesToSave": rest})


async def check_remaining(context: TaskContext) -> TaskResult:
    """Back to saving as long as one is left."""
    return Done(status=Status.REDIRECT) if _left(context) else Done()


async def complete(context: TaskContext) -> TaskResult:
    """Fails if any has failed."""
    outputs: JsonObject = {key: context.stage.context.get(key) for key in _LISTS}
    failed = context.stage.context.get("pipelinesFailedToSave")
    if not isinstance(failed, list) or not failed:
        return Done(outputs=outputs)
    said = "; ".join(
        f"{one.get('application')}: {one.get('name')}: {', '.join(map(str, errors))}"
        for one in failed
        if isinstance(one, dict) and isinstance(errors := one.get("errors"), list)
    )
    problem = Problem(code="pipelines.not_saved", message=f"Failed to save pipelines: {said}")
    return Failed(problem=problem, outputs=outputs)


def _left(context: TaskContext) -> list[Json]:
    return list(foreign.items(context.stage.context.get("pipelinesToSave")))


def _read(left: Json) -> JsonObject:
    """Of executions that were under way when this began to encode them, it is the pipeline itself."""
    return left if isinstance(left, dict) else foreign.mapping(decode_json(b64decode(str(left))))


def _artifact(context: TaskContext) -> JsonObject:
    inline = context.stage.context.get("pipelinesArtifact")
    if isinstance(inline, dict) and inline:
        return inline
    wanted = str(context.stage.context.get("pipelinesArtifactId") or "")
    found = context.sight.bound_artifact(wanted) if wanted else None
    if found is None:
        raise Refused(Problem(code="artifact.unbound", message=f"No artifact could be bound to {wanted!r}."))
    return found


def _content(fetched: bytes) -> JsonObject:
    try:
        content = decode_json(fetched)
    except msgspec.DecodeError as error:
        raise Refused(_unreadable(str(error))) from error
    if not isinstance(content, dict):
        raise Refused(_unreadable("it is no object"))
    return content


def _unreadable(why: str) -> Problem:
    return Problem(
        code="pipelines.unreadable",
        message=f"The artifact's pipelines can't be read: {why}.",
        remedy='It must be JSON: `{"application": [pipeline, …]}`.',
    )


_GET = TaskType(name="getPipelinesFromArtifact", run=get)
_SAVE = TaskType(name="savePipeline", run=save)
_REMAINING = TaskType(name="checkForRemainingPipelines", run=check_remaining)
_COMPLETE = TaskType(name="savePipelinesCompleteTask", run=complete)
stage = StageType(
    name="savePipelinesFromArtifact",
    label="Save Pipelines",
    about=__doc__,
    spec=Spec,
    tasks=(_GET, _SAVE, _REMAINING, _COMPLETE),
    plan=plan,
    restart_clears=(*_LISTS, "pipelinesToSave"),
)
