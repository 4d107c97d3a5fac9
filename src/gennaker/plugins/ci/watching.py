"""The tasks that follow a build to its end and take over its properties and artifacts."""

from typing import NamedTuple

from gennaker.interfaces.ci import (
    BUILDER,
    BuildResult,
    BuildState,
    CiFailure,
    CiMissing,
    CiSystem,
    CiUnavailable,
    UnreadableProperties,
)
from gennaker.interfaces.stages import TaskContext
from gennaker.model import build_artifacts, foreign, waiting
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status
from gennaker.plugins.ci import build_log, stage_settings

_VENDORS = {
    "jenkins": "Jenkins",
    "github": "GitHub",
    "gitlab": "GitLab",
    "azure-devops": "Azure DevOps",
    "builder": "Gennaker",
}


async def monitor(context: TaskContext) -> TaskResult:
    """Ends as the build ends."""
    system, job = stage_settings.system(context), str(context.lookup("job") or "")
    number = _number(context)
    if number is None:
        return Failed(problem=_no_number())
    try:
        state = await system.build(job, number)
    except (CiUnavailable, CiMissing) as failure:
        url = foreign.text_at(foreign.mapping(context.stage.context.get("buildInfo")), "url")
        return _again(context, _Watched(system, job, number, url), observed=str(failure), kept={})
    except CiFailure as failure:
        return Failed(problem=Problem(code="ci.unreadable", message=str(failure)))
    is_over = state.result not in (BuildResult.BUILDING, BuildResult.NOT_BUILT)
    await build_log.keep(context, system, job, number, is_over=is_over)
    known = {kind: one.compiled() for kind, one in context.services.settings.ci_artifacts.items()}
    kept: JsonObject = {"buildInfo": build_artifacts.described(state.info, known)}
    is_unstable_fine = str(context.lookup("markUnstableAsSuccessful") or "").lower() == "true"
    match state.result:
        case BuildResult.BUILDING | BuildResult.NOT_BUILT:
            watched = _Watched(system, job, number, state.url)
            return _again(context, watched, observed=state.result.value, kept=kept)
        case BuildResult.SUCCESS:
            return Done(context=kept, outputs=kept)
        case BuildResult.UNSTABLE if is_unstable_fine:
            return Done(context=kept, outputs=kept)
        case BuildResult.ABORTED:
            problem = _failed(system, job, number, state)
            said = {**kept, **_in_orcas_shape(problem)}
            return Failed(problem=problem, status=Status.CANCELED, context=said, outputs=kept)
        case BuildResult.UNSTABLE | BuildResult.FAILURE:
            problem = _failed(system, job, number, state)
            return Failed(problem=problem, context={**kept, **_in_orcas_shape(problem)}, outputs=kept)


async def properties(context: TaskContext) -> TaskResult:
    """Every property of the file becomes an output of the stage."""
    file = stage_settings.property_file(context)
    if not file:
        return Done()
    system, job = stage_settings.system(context), str(context.lookup("job") or "")
    number = _number(context)
    if number is None:
        return Failed(problem=_no_file_without_number())
    try:
        found = await system.properties(job, number, file)
    except UnreadableProperties as failure:
        return Failed(problem=_no_properties(file, str(failure)))
    except CiMissing as failure:
        return Failed(problem=_no_properties(file, str(failure)), retryable=True)
    except CiFailure as failure:
        return Failed(problem=Problem(code="ci.unreadable", message=str(failure)), retryable=True)
    if not found:
        return Failed(problem=_no_properties(file, "it is empty."))
    kept: JsonObject = {**found, "propertyFileContents": found}
    return Done(context=kept, outputs=kept)


async def artifacts(context: TaskContext) -> TaskResult:
    """The build's artifacts become the stage's."""
    info = foreign.mapping(context.stage.context.get("buildInfo"))
    found: list[JsonObject] = []
    for one in foreign.mappings(info.get("artifacts")):
        known: JsonObject = {
            key: one[key] for key in ("type", "name", "version", "reference", "location") if one.get(key)
        }
        metadata: JsonObject = {"fileName": one.get("fileName"), "decorated": one.get("decorated", True)}
        found.append({**known, "metadata": {**foreign.mapping(one.get("metadata")), **metadata}})
    return Done(context={"artifacts": list(found)}, outputs={"artifacts": list(found)})


def _number(context: TaskContext) -> str | None:
    found = context.stage.context.get("buildNumber")
    if found is None:
        found = context.lookup("buildNumber")
    return None if found is None else str(found)


class _Watched(NamedTuple):
    system: CiSystem
    job: str
    number: str
    url: str
    """Empty: not known yet."""


def _again(context: TaskContext, watched: _Watched, *, observed: str, kept: JsonObject) -> Again:
    system, job, number, url = watched
    reason = f"build {number} of {job} in {system.name} to end"
    waiting_for: waiting.Waiting
    if system.type == BUILDER:  # an execution here, which can say itself what it waits for
        waiting_for = waiting.ForExecution(reason=reason, execution_id=number, name=job, status=observed)
    else:
        waiting_for = waiting.ForObject(
            reason=reason, kind="build", name=f"{number} of {job}", observed=observed, place=system.name, url=url
        )
    return Again(after=stage_settings.poll_pause(context, system), waiting_for=waiting_for, context=kept)


def _failed(system: CiSystem, job: str, number: str, state: BuildState) -> Problem:
    """In Orca's words, to which pipelines may compare; which build it was stands beside them."""
    vendor = _VENDORS.get(system.type, system.name)
    match state.result:
        case BuildResult.UNSTABLE:
            message = "Job is unstable"
        case BuildResult.ABORTED:
            message = f"Job was aborted (see {vendor})"
        case _:
            message = f"Job failed (see {vendor})"
    which = f"build {number} of {job} in {system.name}"
    return Problem(
        code="ci.build_failed",
        message=message,
        remedy=f"Look at {which}, which ended {state.result.value}{f': {state.url}' if state.url else '.'}",
        details={"url": state.url, "result": state.result.value, "number": number, "job": job},
    )


def _in_orcas_shape(problem: Problem) -> JsonObject:
    """Only the sentence: expressions of pipelines look for it in the list."""
    errors: list[Json] = [problem.message]
    return {"exception": {"details": {"errors": errors}}}


def _no_number() -> Problem:
    return Problem(code="ci.no_number", message="The build has no number: the stage's `buildNumber` is missing.")


def _no_file_without_number() -> Problem:
    """In Orca's words."""
    message = "Can't retrieve property file because the build number is not available, check for build start failures"
    return Problem(code="ci.no_number", message=message)


def _no_properties(file: str, reason: str) -> Problem:
    """In Orca's words."""
    return Problem(
        code="ci.no_properties",
        message=f"Expected properties file {file} but it was either missing, empty or contained invalid syntax",
        remedy=f"Let the build archive it, or remove `propertyFile` from the stage: {reason}",
    )
