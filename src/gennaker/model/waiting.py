"""Waiting: why something that hasn't ended isn't moving on, as data. No wait without a reason.

Each kind of wait is a record of its own, told apart by `type` in JSON, that names what is waited for; `reason` says it
in words that read well after "waiting for". A stage's author takes the kind that fits:

    Again(after=_LOOKS_AGAIN, waiting_for=waiting.ForObject(reason="2 instances of shop-v003 to be up (1 is)",
                                                            kind="server-group", name="shop-v003", observed="1 is up"))

`since` is filled in by the engine: it stays the same as long as the same thing is waited for. `engine/why.py` makes of
these what a person is told who asks why an execution stands still.
"""

from datetime import datetime
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from gennaker.model.problems import Problem


class _Waiting(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type"):
    reason: str
    """What is waited for, in words: "the instances to be up"."""
    since: datetime | None = None
    """Since when; set by the engine."""


class ForTime(_Waiting, frozen=True, gc=False, kw_only=True, tag="time"):
    """An instant, by which everything goes on by itself."""

    until: datetime | None = None


class ForWindow(_Waiting, frozen=True, gc=False, kw_only=True, tag="window"):
    """The next opening of the stage's execution window."""

    opens_at: datetime | None = None


class ForJudgment(_Waiting, frozen=True, gc=False, kw_only=True, tag="judgment"):
    """A person's decision."""

    roles: tuple[str, ...] = ()
    """Who may decide: anyone with one of these; empty: everybody who may run the pipeline."""
    choices: tuple[str, ...] = ()
    """Inputs that are offered with the answer."""
    refused: str = ""
    """Who has answered without being allowed to."""


class ForTurn(_Waiting, frozen=True, gc=False, kw_only=True, tag="turn"):
    """Its place in a queue."""

    queue: str
    """Key of the queue, or a name for it."""
    running: tuple[str, ...] = ()
    """Who must end first."""
    ahead: tuple[str, ...] = ()
    """Who waits before it."""
    at_most: int = 1
    """How many run at the same time; 0: as many as want."""


class ForLock(_Waiting, frozen=True, gc=False, kw_only=True, tag="lock"):
    """Something that one has at a time: a deploy to a cluster, a server-group number."""

    lock: str
    """What is held, e.g. `cluster shop-main`."""
    holder: str = ""
    """Execution that holds it; empty: unknown."""


class ForExecution(_Waiting, frozen=True, gc=False, kw_only=True, tag="execution"):
    """An execution that this one has started."""

    execution_id: str
    name: str = ""
    status: str = ""
    """As last seen."""


class ForArtifact(_Waiting, frozen=True, gc=False, kw_only=True, tag="artifact"):
    """An artifact that must appear."""

    kind: str = ""
    """Spinnaker's artifact type: `docker/image`."""
    name: str = ""
    reference: str = ""


class ForObject(_Waiting, frozen=True, gc=False, kw_only=True, tag="object"):
    """An object of a system outside to change: a server group, a build, a job, a website."""

    kind: str
    """`server-group`, `job`, `build`, `url` …"""
    name: str
    observed: str = ""
    """What was seen of it last."""
    place: str = ""
    """Where it is, as a person would look for it: `account/region`, a server's name."""
    url: str = ""
    """Where a person can look at it."""
    gives_up_at: datetime | None = None
    """When the stage fails, if nothing has changed by then: before its time limit."""


class ForRetry(_Waiting, frozen=True, gc=False, kw_only=True, tag="retry"):
    """Another try after a failure that may pass."""

    problem: Problem
    attempt: int
    """Number of the try that is waited for; the first was 1."""
    at_most: int | None = None
    """Tries in all; None: until the time-out."""
    due: datetime | None = None
    gives_up_at: datetime | None = None
    """When it is tried no more, where tries end by time."""


class ForWork(_Waiting, frozen=True, gc=False, kw_only=True, tag="work"):
    """Something that a worker is doing now: `since` says how long."""

    what: str = ""
    """`submission`, `plan`, `evaluation`, `run`"""


class ForPause(_Waiting, frozen=True, gc=False, kw_only=True, tag="pause"):
    """Someone to resume the execution."""

    by: str = ""
    """Who has paused it."""


class ForOther(_Waiting, frozen=True, gc=False, kw_only=True, tag="other"):
    """What is only known in words: rows of versions that had no kinds, and stage types that have nothing better."""


Waiting: TypeAlias = (
    ForTime
    | ForWindow
    | ForJudgment
    | ForTurn
    | ForLock
    | ForExecution
    | ForArtifact
    | ForObject
    | ForRetry
    | ForWork
    | ForPause
    | ForOther
)
"""All kinds."""


def begun(now: Waiting, before: Waiting | None, at: datetime) -> Waiting:
    """The wait with its beginning: that of the one before if the same thing was waited for, else this instant."""
    if now.since is not None:
        return now
    if before is not None and before.since is not None and _subject(now) == _subject(before):
        return replace(now, since=before.since)
    return replace(now, since=at)


def said(waiting: Waiting | None) -> str:
    """The reason, or nothing where nothing is waited for."""
    return "" if waiting is None else waiting.reason


def _subject(waiting: Waiting) -> tuple[object, ...]:
    """What tells two waits of a kind apart: not what was seen meanwhile."""
    match waiting:
        case ForLock(lock=lock):
            return type(waiting), lock
        case ForTurn(queue=queue):
            return type(waiting), queue
        case ForExecution(execution_id=execution_id):
            return type(waiting), execution_id
        case ForArtifact(kind=kind, name=name, reference=reference):
            return type(waiting), kind, name, reference
        case ForObject(kind=kind, name=name):
            return type(waiting), kind, name
        case ForTime(until=until):
            return type(waiting), until
        case ForWork(what=what):
            return type(waiting), what
        case ForOther(reason=reason):
            return type(waiting), reason
        case ForWindow() | ForJudgment() | ForRetry() | ForPause():
            return (type(waiting),)
