"""Settings of CI stages: the stage's JSON, the CI system it names, and the key of a start."""

import hashlib
from datetime import timedelta

import msgspec

from gennaker.interfaces.ci import BuildRequest, CiSystem, Started
from gennaker.interfaces.stages import StageContext, StageSpec, TaskContext
from gennaker.model import foreign
from gennaker.model.artifact import ExpectedArtifactKeys
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused

BUILDER = "builder"
"""The built-in builder's name as `master`."""
_DEFAULT_POLL = timedelta(seconds=10)


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    master: str
    job: str
    parameters: dict[str, Json] = {}  # noqa: RUF012 - msgspec copies it
    property_file: str = ""
    wait_for_completion: bool = True
    mark_unstable_as_successful: bool = False
    expected_artifacts: tuple[ExpectedArtifactKeys, ...] = ()


def system(context: StageContext) -> CiSystem:
    """The CI system of the stage. Raises Refused."""
    name = str(context.lookup("master") or "")
    found = context.services.ci.get(name)
    if found is None:
        known = ", ".join(sorted(context.services.ci)) or "none"
        message = f"The settings name no CI system {name!r}."
        raise Refused(
            Problem(code="ci.unknown", message=message, remedy=f"Add ci.{name or 'NAME'} to them (there are: {known}).")
        )
    return found


def request(context: TaskContext, parameters: JsonObject | None = None) -> BuildRequest:
    """The build that the stage wants. Raises Refused."""
    job = str(context.lookup("job") or "")
    if not job:
        raise Refused(Problem(code="ci.job", message="The stage names no job.", remedy="Set the stage's `job`."))
    given = parameters if parameters is not None else context.lookup("parameters")
    listed = given if isinstance(given, dict) else {}
    return BuildRequest(job=job, parameters={key: written(value) for key, value in listed.items()}, key=key_of(context))


def key_of(context: TaskContext) -> str:
    """Short and URL-safe, of this attempt at the stage: for its starting task and those that follow."""
    stage = context.stage
    name = f"{context.execution.head.id}/{stage.id}/{stage.attempt}"
    return f"gnk-{hashlib.sha256(name.encode()).hexdigest()[:20]}"


def started(context: StageContext) -> Started | None:
    """The build that the stage has started."""
    own = context.stage.context
    queue_id, number = own.get("queuedBuild"), own.get("buildNumber")
    if queue_id is None and number is None:
        return None
    return Started(queue_id=str(queue_id or ""), number=None if number is None else str(number))


def poll_pause(context: StageContext, of: CiSystem) -> timedelta:
    """How long to wait between two looks."""
    found = context.services.settings.ci.get(of.name)
    return timedelta(seconds=found.poll_seconds) if found else _DEFAULT_POLL


def property_file(context: StageContext) -> str:
    """Its name; `property` is an older name of the key."""
    return str(context.stage.context.get("propertyFile") or context.stage.context.get("property") or "")


def shown_number(number: str) -> Json:
    """As a number where that loses nothing: an execution's id may have digits only, and begins with a zero."""
    found = foreign.natural(number)
    return found if found is not None and str(found) == number else number


def written(value: Json) -> str:
    """A parameter's value as text."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case _:
            return msgspec.json.encode(value).decode()
