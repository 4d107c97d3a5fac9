"""Run script: a command in a folder of a commit, done by the built-in builder.

What script stages become where no job of another CI system is set for them. The command is given to `sh`; it gets the environment
of build steps and what the stage adds. A property file that it leaves becomes the output `properties`.
"""

import asyncio
import base64
from datetime import timedelta
from pathlib import Path

import msgspec

from gennaker.interfaces.ci import UnreadableProperties
from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model import codec, records
from gennaker.model.codec import JsonObject
from gennaker.model.event import Again, Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.build import checking_out, failures, running
from gennaker.plugins.build.build_file import BuildFile, Step
from gennaker.plugins.build.checking_out import Contents
from gennaker.plugins.build.workspace import Place, Workspace
from gennaker.transport import build_files
from gennaker.transport.git import Commit

_LONGEST = timedelta(hours=2)
_FILE_LIMIT_BYTES = 5_000_000


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    repository: str
    """Path of this machine or address of a git repository."""
    commit: str | None = None
    branch: str | None = None
    folder: str = "."
    """Where the command runs."""
    command: str = ""
    environment: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it
    encoded: str = ""
    """Base64 of JSON with `command` and `environment`, instead of them: in there `${…}` is the shell's alone."""
    property_file: str = ""
    """Relative to the folder."""


class Encoded(msgspec.Struct, frozen=True, kw_only=True):
    """What `encoded` holds."""

    command: str
    environment: dict[str, str] = {}


@failures.as_one
async def check_out(context: TaskContext) -> TaskResult:
    """Brings the commit into a clean workspace."""
    spec = _spec(context)
    if not spec.command.strip():
        problem = Problem(code="script.no_command", message="The stage has no command.", pointer="/command")
        raise Refused(problem, status=422)
    wanted = checking_out.Spec(
        repository=spec.repository, commit=spec.commit, branch=spec.branch, service=spec.folder.strip("/") or "."
    )
    step = Step(
        name="Script",
        run=("sh", "-c", spec.command),
        timeout_seconds=_LONGEST.total_seconds(),
        environment=spec.environment,
    )

    def read(files: Path, folder: str, commit: Commit, _branch: str) -> Contents:
        checking_out.service_in(files, folder, commit)
        return Contents(file=BuildFile(service="script", steps=(step,)))

    return await checking_out.check_out(context, wanted, read)


@failures.as_one
async def run(context: TaskContext) -> TaskResult:
    """Runs the command to its end, and takes what it has left, also where it has failed."""
    result = await running.run(context)
    file = _spec(context).property_file
    if isinstance(result, Again) or not file:
        return result
    left = await asyncio.to_thread(_properties, Workspace(context.services, Place.of(context)), file)
    return msgspec.structs.replace(result, outputs={**result.outputs, **left})


async def tidy(context: TaskContext) -> TaskResult:
    """Removes the workspace."""
    await Workspace(context.services, Place.of(context)).remove()
    return Done()


def _properties(workspace: Workspace, file: str) -> JsonObject:
    build = workspace.find()
    if build is None:
        return {}
    path = workspace.service(build) / file
    if not path.is_file() or not checking_out.is_inside(path, workspace.root):
        return {}
    if path.stat().st_size > _FILE_LIMIT_BYTES:
        return {"propertiesProblem": f"{file} is larger than {_FILE_LIMIT_BYTES} bytes."}
    try:
        return {"properties": build_files.parse(file, path.read_bytes())}
    except UnreadableProperties as error:
        return {"propertiesProblem": str(error)}


def encoded(command: str, environment: dict[str, str]) -> str:
    """As the stage's `encoded`."""
    return base64.b64encode(codec.encode(Encoded(command=command, environment=environment))).decode()


def _spec(context: TaskContext) -> Spec:
    spec = records.demanded(context.stage.context, Spec, of=f"stage {context.stage.name}")
    if not spec.encoded:
        return spec
    try:
        found = codec.decode(base64.b64decode(spec.encoded, validate=True), Encoded)
    except (msgspec.DecodeError, ValueError) as error:
        raise Refused(Problem(code="stage.field_wrong", message=f"The script can't be run: {error}.")) from error
    return msgspec.structs.replace(spec, command=found.command, environment=found.environment)


stage = StageType(
    name="runScript",
    label="Run Script",
    about=__doc__,
    spec=Spec,
    tasks=(
        # The first waits for a free builder, the second for a command that has a limit of its own.
        TaskType(name="checkoutWorkspace", run=check_out, stop=checking_out.stop, timeout=None),
        TaskType(name="runScript", run=run, stop=running.stop, timeout=None),
        TaskType(name="removeWorkspace", run=tidy, stop=checking_out.stop),
    ),
    restart_clears=("steps", "commit", "commits", "version", "properties", "propertiesProblem"),
)
