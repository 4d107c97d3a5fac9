"""CI systems: what can be built elsewhere, starting builds, following them and taking over what they made.

    CiFailure
    ├── CiUnavailable   nothing has happened; asking again later may help
    ├── CiUnanswered    asked, but nobody knows whether it happened
    ├── CiMissing       there is no such job, build or file
    └── CannotTell      this system can't be asked which build was started with a key

What is wrong for good (a job that can't be built, a parameter that isn't allowed) is raised as `Refused`; a file of a build
that isn't what it should be as `UnreadableProperties`.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from gennaker.model.codec import JsonObject

BUILDER: Final = "builder"
"""Name and type of the built-in system, and the application of its builds."""
MOST_JOBS: Final = 1000
"""So many are listed; an editor shows no more."""
MOST_BUILDS: Final = 100
"""So many of a job, the newest."""


class BuildResult(StrEnum):
    """Igor's results of a build."""

    SUCCESS = "SUCCESS"
    UNSTABLE = "UNSTABLE"
    FAILURE = "FAILURE"
    ABORTED = "ABORTED"
    NOT_BUILT = "NOT_BUILT"
    BUILDING = "BUILDING"


class BuildRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A build to be started."""

    job: str
    """As the system names it: a Jenkins path, `owner/repository/workflow.yml`, a GitLab project, `project/pipeline id`."""
    parameters: dict[str, str] = {}
    key: str
    """Short, URL-safe, the same for a repeat: the build can be found by it where the system allows that."""


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """A build that was accepted."""

    queue_id: str
    number: str | None = None
    """None: it still waits for its number."""


class BuildState(msgspec.Struct, frozen=True, kw_only=True):
    """A build as it is now."""

    result: BuildResult
    url: str
    info: JsonObject
    """Igor's build JSON: what pipelines see as `buildInfo`, artifacts and test results included."""


class JobNames(msgspec.Struct, frozen=True, kw_only=True):
    """What can be built."""

    names: tuple[str, ...]
    """As `BuildRequest.job`, in the system's order."""
    is_cut: bool = False
    """There are more: too many, or some that this account may not ask for."""


class JobParameter(msgspec.Struct, frozen=True, kw_only=True):
    """What a build may be given."""

    name: str
    default: str | None = None
    """None: it has none, or it is a secret."""
    description: str = ""
    type: str = "string"
    """The system's word."""
    choices: tuple[str, ...] = ()
    """Empty: any value."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job as the system describes it."""

    name: str
    display_name: str = ""
    description: str = ""
    url: str = ""
    color: str | None = None
    """Jenkins' word for its state."""
    is_buildable: bool = True
    is_concurrent: bool = True
    parameters: tuple[JobParameter, ...] = ()
    """Those that people fill in: the one for the key of a start isn't among them."""
    upstream: tuple[str, ...] = ()
    """Names of jobs by which it is built."""
    downstream: tuple[str, ...] = ()


class CiSystem(Protocol):
    """One installation of a CI system, known to pipelines by its name (`master`)."""

    @property
    def name(self) -> str:
        """What pipelines write as `master`."""
        ...

    @property
    def type(self) -> str:
        """`jenkins`, `github`, `gitlab`, `azure-devops` or `builder`."""
        ...

    @property
    def settles_after(self) -> timedelta:
        """How long after its start a build may not be found by its key yet."""
        ...

    async def jobs(self) -> JobNames:
        """What can be built, MOST_JOBS at most. Raises CiFailure, Refused."""
        ...

    async def job(self, name: str) -> Job:
        """What it is and which parameters it takes. Raises CiFailure, Refused."""
        ...

    async def builds(self, job: str) -> tuple[JsonObject, ...]:
        """The newest MOST_BUILDS in Igor's build JSON, newest first, without their artifacts. Raises CiFailure, Refused.

        A job that isn't there has none, or is CiMissing.
        """
        ...

    async def start(self, request: BuildRequest) -> Started:
        """Starts a build. Raises CiFailure, Refused."""
        ...

    async def find(self, request: BuildRequest) -> Started | None:
        """The build that was started with the request's key; None: there is none. Raises CannotTell, CiFailure."""
        ...

    async def numbered(self, request: BuildRequest, started: Started) -> Started:
        """The same with its number, if it has one by now. Raises CiFailure, Refused (it was taken out of the queue)."""
        ...

    async def build(self, job: str, number: str) -> BuildState:
        """How it is. Raises CiFailure."""
        ...

    async def properties(self, job: str, number: str, file: str) -> JsonObject:
        """What the build has left for pipelines in this file. Raises CiMissing if it isn't there, CiFailure, UnreadableProperties."""
        ...

    async def log(self, job: str, number: str) -> str:
        """Its output so far, the end of it where it is very long. Raises CiFailure."""
        ...

    async def stop(self, job: str, started: Started) -> None:
        """Stops the build or takes it out of the queue; one that has ended is left alone. Raises CiFailure."""
        ...


class CiFailure(Exception):
    """Something didn't work; the text says what."""


class CiUnavailable(CiFailure):
    """Nothing has happened; asking again later may help."""


class CiUnanswered(CiFailure):
    """It was asked for, but nobody knows whether it happened."""


class CiMissing(CiFailure):
    """There is no such thing."""


class CannotTell(CiFailure):
    """Builds of this system can't be found by their keys."""


class UnreadableProperties(Exception):
    """A property file, or what a log says, isn't what it should be."""
