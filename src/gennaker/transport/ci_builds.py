"""What clients of CI systems have in common: a start's parameters and key, Igor's build JSON, logs of several jobs."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from gennaker.interfaces.ci import BuildRequest, BuildResult, CannotTell, CiUnavailable, JobParameter, Started
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, decode_json, milliseconds
from gennaker.model.problems import Problem, Refused
from gennaker.settings import CiSettings
from gennaker.transport import build_files

_REF = "ref"
"""A stage's parameter of this name is the branch or tag, not a parameter of the build."""


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """A build as a CI system describes it."""

    job: str
    number: Json
    title: Json
    result: BuildResult
    url: Json
    began: datetime | None = None
    took: timedelta | None = None
    artifacts: list[Json] = []
    tests: list[Json] = []
    scm: list[Json] = []


def parameters(request: BuildRequest, settings: CiSettings) -> dict[str, str]:
    """The build's parameters, with the key under the name that the settings give it."""
    given = {name: value for name, value in request.parameters.items() if name != _REF}
    return {**given, settings.key_parameter: request.key} if settings.key_parameter else given


def branch(request: BuildRequest, settings: CiSettings) -> str:
    """What is built: the parameter `ref`, else what the settings say."""
    return request.parameters.get(_REF) or settings.ref


def ref_parameter(settings: CiSettings) -> JobParameter:
    """The parameter that `branch` reads, for whoever fills in a stage."""
    return JobParameter(name=_REF, default=settings.ref, description="Branch or tag that is built.")


def key_parameter(name: str, settings: CiSettings, *, kind: str) -> str:
    """The name under which the key was given. Raises CannotTell where it has none."""
    if not settings.key_parameter:
        raise CannotTell(f"The setting ci.{name}.key-parameter names no {kind} for the key of a start.")
    return settings.key_parameter


def at_once(body: bytes, *, name: str, job: str) -> Started:
    """The build that a system's answer to its start names as `id`. Raises Refused."""
    try:
        found = foreign.mapping(decode_json(body)).get("id")
    except msgspec.DecodeError:
        found = None
    if found is None:
        message = f"{name} has accepted a build of {job} but doesn't say which."
        raise Refused(Problem(code="ci.no_number", message=message, remedy=f"Look at {job} in {name}."))
    return Started(queue_id=str(found), number=str(found))


def number_of(one: Json, key: str = "id", *, name: str) -> str:
    """The number by which the system of this name knows something. Raises CiUnavailable where it says none."""
    found = foreign.mapping(one).get(key)
    if not isinstance(found, int | str) or not str(found):
        raise CiUnavailable(f"{name} tells of something without saying its {key}.")
    return str(found)


def igor_json(build: Build) -> JsonObject:
    """Igor's JSON of a build: what pipelines see as `buildInfo`."""
    return {
        "building": build.result is BuildResult.BUILDING,
        "fullDisplayName": build.title,
        "name": build.job,
        "number": build.number,
        "id": str(build.number),
        "duration": None if build.took is None else int(build.took / timedelta(milliseconds=1)),
        "timestamp": str(milliseconds(build.began) or ""),
        "result": build.result.value,
        "url": build.url,
        "artifacts": build.artifacts,
        "testResults": build.tests,
        "scm": build.scm,
    }


def source(ref: str, sha: Json) -> list[Json]:
    """What was built, as Igor's `scm`; nothing where nobody says it."""
    return [{"name": ref, "branch": ref.rpartition("/")[2], "sha1": sha}] if sha else []


def end_of(log: bytes) -> str:
    """As much of a log as is ever shown: fifty jobs' whole logs together fill the memory of a small machine."""
    return log[-4 * build_files.LOG_LIMIT :].decode(errors="replace")[-build_files.LOG_LIMIT :]


def joined(logs: Iterable[tuple[str, str]]) -> str:
    """Logs one after another, each under its name where it has one; the end of them where they are very long."""
    texts = [f"== {name}\n{text}" if name else text for name, text in logs]
    return "\n".join(texts)[-build_files.LOG_LIMIT :]
