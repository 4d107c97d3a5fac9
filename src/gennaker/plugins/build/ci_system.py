"""The built-in builder as a CI system: CI stages may name it as `master` `builder`.

A job is a service's folder; the parameters `repository`, `branch`, `commit` and `registryAccount` say of what. Each build is an
execution of its own with one build stage, so its id is the number. It leaves one file, `build.json`: version, commit and image.
A build with a parameter `COMMAND` is a script: its parameters are those of Spinnaker's script job, its file is the one that
`PROPERTY_FILE` names.
"""

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import Path

from gennaker.interfaces.ci import (
    BUILDER,
    MOST_BUILDS,
    BuildRequest,
    BuildResult,
    BuildState,
    CiMissing,
    Job,
    JobNames,
    JobParameter,
    Started,
    UnreadableProperties,
)
from gennaker.interfaces.executions import Found, Submission
from gennaker.interfaces.services import Services
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import CancelAsked
from gennaker.model.execution import Execution, Stage
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.plugins.build import run_script
from gennaker.transport import build_files, ci_builds
from gennaker.transport.ci_builds import Build

PROPERTIES = "build.json"
_APPLICATION = BUILDER
_SCRIPT_PARAMETERS = (
    *("COMMAND", "SCRIPT_PATH", "REPO_URL", "REPO_BRANCH", "PROPERTY_FILE"),
    *("IMAGE_ID", "REGION_PARAM", "ENV_PARAM", "CLUSTER_PARAM", "CMC"),
)
_PARAMETERS = {
    "repository": "Address or folder of the Git repository.",
    "branch": "Branch that is built; the repository's own where none is given.",
    "commit": "Commit that is built instead of the branch's newest.",
    "registryAccount": "Account of the registry that gets the image; the built-in one where none is given.",
}
_READ_BACK = 200
"""Builds among which services are looked for."""
_WHO = Principal(name="CI stage", via="engine")


class Builder:
    """The builder of this installation."""

    name = BUILDER
    type = BUILDER
    settles_after = timedelta()

    def __init__(self, services: Services) -> None:
        """Builds are executions of these services."""
        self._services = services

    async def jobs(self) -> JobNames:
        """The services that were built lately: others can be built as well, but nobody has said where they are."""
        builds = await self._newest()
        return JobNames(names=tuple(sorted({_service(one) for one in builds} - {""})), is_cut=len(builds) == _READ_BACK)

    async def job(self, name: str) -> Job:
        """Every service takes the same."""
        return Job(
            name=name,
            display_name=name,
            url=self._services.settings.server.base_url,
            parameters=tuple(JobParameter(name=one, description=said) for one, said in _PARAMETERS.items()),
        )

    async def builds(self, job: str) -> tuple[JsonObject, ...]:
        """Those of the service among the newest of all."""
        found = [one for one in await self._newest() if _service(one) == job][:MOST_BUILDS]
        return tuple(_info(one, job, _result(one.head.status), self._url(one.head.id)) for one in found)

    async def start(self, request: BuildRequest) -> Started:
        """Starts an execution; the same key never starts two."""
        is_script = "COMMAND" in request.parameters
        stage = self._script(request) if is_script else _build(request)
        name = "Run a script" if is_script else f"Build {request.job}"
        config: JsonObject = {"application": _APPLICATION, "name": name, "stages": [stage]}
        trigger: JsonObject = {"type": "manual", "correlationId": request.key}
        submission = Submission(config=config, trigger=trigger, key=f"ci/{request.key}")
        execution_id = await self._services.executions.submit(submission, _WHO)
        return Started(queue_id=execution_id, number=execution_id)

    async def find(self, request: BuildRequest) -> Started | None:
        """By the key, which is the execution's correlation id."""
        wanted = Found(application=_APPLICATION, correlation_id=request.key, limit=1)
        found = await self._services.executions.find(wanted)
        return Started(queue_id=found[0].head.id, number=found[0].head.id) if found else None

    async def numbered(self, request: BuildRequest, started: Started) -> Started:
        """It has its number from the beginning."""
        return Started(queue_id=started.queue_id, number=started.queue_id)

    async def build(self, job: str, number: str) -> BuildState:
        """The execution in Igor's form."""
        execution = await self._execution(job, number)
        result = _result(execution.head.status)
        url = self._url(number)
        return BuildState(result=result, url=url, info=_info(execution, job, result, url))

    async def properties(self, job: str, number: str, file: str) -> JsonObject:
        """Version, commit and image, once the build has them."""
        stage = _stage(await self._execution(job, number))
        if stage.type == run_script.stage.name:
            return _left_by_script(stage, number, file)
        version = stage.outputs.get("version")
        if file != PROPERTIES or version is None:
            raise CiMissing(f"Build {number} of {job} has left no file {file!r}; the builder's is {PROPERTIES}.")
        left: JsonObject = {"version": version, "commit": _sha(stage)}
        artifacts = foreign.mappings(stage.outputs.get("artifacts"))
        return {**left, "image": artifacts[0].get("reference")} if artifacts else left

    async def log(self, job: str, number: str) -> str:
        """The steps' logs, one after another."""
        await self._execution(job, number)
        files = await self._services.logs.list(number)
        return await asyncio.to_thread(_read, [(one.name, self._services.data / one.path) for one in files])

    async def stop(self, job: str, started: Started) -> None:
        """Cancels the execution."""
        execution = await self._execution(job, started.queue_id)
        if execution.head.status.is_complete:
            return
        event = CancelAsked(
            at=self._services.clock.now(), by=_WHO.name, reason="The stage that started it was stopped."
        )
        await self._services.executions.tell(execution.head.id, event, _WHO)

    def _script(self, request: BuildRequest) -> JsonObject:
        """The stage of a script. Raises Refused."""
        _check(request, _SCRIPT_PARAMETERS)
        given = request.parameters
        repository = given.get("REPO_URL") or self._services.settings.builder.script_repository
        if not repository or not given["COMMAND"]:
            message = f"The script has no {'repository' if given['COMMAND'] else 'command'}."
            remedy = "Set the stage's `command` and `repoUrl`, or the setting builder.script-repository."
            raise Refused(Problem(code="ci.parameters", message=message, remedy=remedy))
        return {
            "refId": "1",
            "type": run_script.stage.name,
            "name": "Script",
            "repository": repository,
            "branch": given.get("REPO_BRANCH") or None,
            "folder": given.get("SCRIPT_PATH") or ".",
            "encoded": run_script.encoded(given["COMMAND"], given),
            "propertyFile": given.get("PROPERTY_FILE", ""),
        }

    async def _newest(self) -> Sequence[Execution]:
        return await self._services.executions.find(Found(application=_APPLICATION, limit=_READ_BACK))

    def _url(self, number: str) -> str:
        return f"{self._services.settings.server.base_url}/ui/#/executions/{number}"

    async def _execution(self, job: str, number: str) -> Execution:
        found = await self._services.executions.get(number)
        if found is None or found.head.application != _APPLICATION:
            raise CiMissing(f"The builder has no build {number} of {job}.")
        return found


def systems(services: Services) -> tuple[Builder, ...]:
    """There is one."""
    return (Builder(services),)


def _build(request: BuildRequest) -> JsonObject:
    """The stage of a build. Raises Refused."""
    _check(request, _PARAMETERS)
    if not request.parameters.get("repository"):
        raise Refused(_wrong("needs the parameter repository", _PARAMETERS))
    return {"refId": "1", "type": "build", "name": "Build", "service": request.job, **request.parameters}


def _check(request: BuildRequest, known: Collection[str]) -> None:
    unknown = sorted(set(request.parameters) - set(known))
    if unknown:
        raise Refused(_wrong(f"doesn't take {', '.join(unknown)}", known))


def _wrong(said: str, known: Collection[str]) -> Problem:
    return Problem(code="ci.parameters", message=f"The builder {said}.", remedy=f"It takes {', '.join(known)}.")


def _left_by_script(stage: Stage, number: str, file: str) -> JsonObject:
    problem = stage.outputs.get("propertiesProblem")
    if problem:
        raise UnreadableProperties(str(problem))
    left = stage.outputs.get("properties")
    if file != stage.context.get("propertyFile") or not isinstance(left, dict):
        raise CiMissing(f"The script {number} has left no file {file!r}.")
    return left


def _result(status: Status) -> BuildResult:
    if not status.is_complete:
        return BuildResult.BUILDING
    match status:
        case Status.SUCCEEDED:
            return BuildResult.SUCCESS
        case Status.CANCELED:
            return BuildResult.ABORTED
        case _:
            return BuildResult.FAILURE


def _info(execution: Execution, job: str, result: BuildResult, url: str) -> JsonObject:
    head, stage = execution.head, _stage(execution)
    artifacts: list[Json] = [
        {**one, "fileName": one.get("name")} for one in foreign.mappings(stage.outputs.get("artifacts"))
    ]
    began, ended = head.start_time, head.end_time
    build = Build(
        job=job,
        number=head.id,
        title=head.name,
        result=result,
        url=url,
        began=began,
        took=ended - began if began and ended else None,
        artifacts=artifacts,
        scm=ci_builds.source(foreign.text(stage.context.get("branch")), _sha(stage)),
    )
    return ci_builds.igor_json(build)


def _stage(execution: Execution) -> Stage:
    return next(execution.top_level(), Stage(id="", ref_id="1", type="build", name="Build"))


def _service(execution: Execution) -> str:
    """Empty: it was a script."""
    return foreign.text(_stage(execution).context.get("service"))


def _sha(stage: Stage) -> Json:
    return foreign.mapping(stage.outputs.get("commit")).get("hash")


def _read(files: Sequence[tuple[str, Path]]) -> str:
    return ci_builds.joined(
        (name, path.read_bytes()[-build_files.LOG_LIMIT :].decode(errors="replace"))
        for name, path in files
        if path.is_file()
    )
