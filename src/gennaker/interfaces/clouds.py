"""Cloud providers: server groups, their instances and jobs, wherever they run.

Every operation may be repeated: the worker repeats what was cut off. `create` is told apart by the server group's
name (reserved before) and its key; the others state a target, not a change.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Protocol, cast, runtime_checkable

import msgspec

from gennaker.model.codec import JsonObject
from gennaker.model.moniker import Moniker
from gennaker.model.problems import UNAVAILABLE, Problem, Refused


class Health(StrEnum):
    """Health of an instance, in Clouddriver's words."""

    FAILED = "Failed"
    DOWN = "Down"
    OUT_OF_SERVICE = "OutOfService"
    UNKNOWN = "Unknown"
    STARTING = "Starting"
    SUCCEEDED = "Succeeded"
    UP = "Up"
    DRAINING = "Draining"


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """How many instances."""

    min: int
    max: int
    desired: int


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server group is: account and region (or namespace)."""

    account: str
    region: str


class HealthSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one of those that look at an instance says of it."""

    type: str
    """Spinnaker's name of the health provider: `local`, `Probe`, `kubernetes/pod`, `LoadBalancer`."""
    state: Health
    is_platform: bool = False
    """It only says that the instance is there, not that it can serve."""
    reason: str = ""


class Instance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One instance of a server group."""

    id: str
    address: str | None = None
    """`host:port`, None while it has none."""
    health: Health
    health_reason: str = ""
    """Why it isn't Up, in words, with the last lines of its log where that helps."""
    launched_at: datetime
    restarts: int = 0
    fails_at: datetime | None = None
    """When it counts as failed, if what keeps it from coming up hasn't passed by then; None: nobody has set a time."""
    is_unplaced: bool = False
    """Nothing has room to run it. Its provider never calls it failed for that: how long room is waited for whoever deploys
    may say, and `fails_at` counts where they don't."""
    uid: str = ""
    """The provider's own, where it gives an id again to another instance later."""
    sources: tuple[HealthSource, ...] = ()
    """What `health` was made of, one for each that says something; empty: the provider says it as a whole."""


class ServerGroup(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A replaceable set of identical instances, as it is now."""

    name: str
    place: Place
    cloud_provider: str
    moniker: Moniker
    created_at: datetime
    capacity: Capacity
    is_disabled: bool = False
    """Removed from traffic."""
    image: str
    """Reference with digest."""
    version: str = ""
    load_balancers: tuple[str, ...] = ()
    instances: tuple[Instance, ...] = ()
    labels: dict[str, str] = {}
    created_by: str = ""
    """Key of the effect that created it."""
    kind: str = ""
    """What it is at the provider, where that is a part of Spinnaker's name of it: `replicaSet`."""
    api_version: str = ""
    """Of the kind."""
    images: tuple[str, ...] = ()
    """Of all containers, each once, where instances have several."""
    services: tuple[str, ...] = ()
    """The provider's own load balancers that send it traffic, or are to: `service web`."""
    managers: tuple[str, ...] = ()
    """Names of what has made it by itself and will replace it, at the same place."""


class HealthProbe(msgspec.Struct, frozen=True, kw_only=True):
    """How an instance shows that it can serve: an HTTP answer of 2xx."""

    path: str = "/healthz"
    interval: timedelta = timedelta(seconds=1)
    timeout: timedelta = timedelta(seconds=2)
    failures_until_down: int = 3


class NewServerGroup(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to be created."""

    key: str
    """Key of the effect: creating the same name with the same key again returns what exists."""
    name: str
    place: Place
    image: str
    """`registry/repository@sha256:…`"""
    version: str = ""
    capacity: Capacity
    grows_to: int | None = None
    """How many more instances than now there will be at once before what it replaces is gone; None: as many as its capacity."""
    load_balancers: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    """May refer to secrets, which the provider fills in whenever it starts an instance, and keeps nowhere itself, or refuses."""
    application: str = ""
    """Whose pipeline asks for it: its secrets may be used."""
    probe: HealthProbe = HealthProbe()
    drain_timeout: timedelta = timedelta(seconds=35)
    """How long an instance may finish requests after it was told to stop."""
    labels: dict[str, str] = {}
    provider_options: JsonObject = {}
    """The cluster's JSON, for what only this provider understands."""

    @property
    def needs_room_for(self) -> int:
        """So many instances there must be room for beside those that there are now."""
        return self.capacity.desired if self.grows_to is None else max(self.capacity.desired, self.grows_to)


class NewJob(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Work that runs to its end."""

    key: str
    """Key of the effect: the same job is never started twice."""
    place: Place
    image: str
    command: tuple[str, ...] = ()
    """Replaces the image's entrypoint and command when not empty."""
    environment: dict[str, str] = {}
    """May refer to secrets, which the provider fills in when it starts the job, and keeps nowhere, or refuses."""
    application: str = ""
    """Whose job it is."""
    timeout: timedelta = timedelta(minutes=10)
    reports: dict[str, str] = {}
    """Name → path below the job's working folder, read when it has ended (`{"junit": "report.xml"}`); of a file or a folder."""
    provider_options: JsonObject = {}
    """Keys of the stage's JSON that only this provider understands."""


class Job(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job as it is now."""

    id: str
    place: Place
    state: Health
    """Starting, Up (running), Succeeded or Failed."""
    exit_status: int | None = None
    reason: str = ""
    is_unplaced: bool = False
    """No machine has room for it, as `reason` says; if none has by `fails_at`, whoever isn't told to wait longer gives up."""
    fails_at: datetime | None = None
    log: str = ""
    """Path of the log below the data folder, or empty."""
    reports: dict[str, bytes] = {}
    """By name; a folder's files by `NAME/PATH`."""


class CloudProvider(Protocol):
    """What a cloud provider offers.

    Raises `model.problems.Refused` for requests that can never work, and with the status `UNAVAILABLE` where nobody answers now.
    """

    @property
    def name(self) -> str:
        """Spinnaker's `cloudProvider`: `local`, `docker`, `kubernetes`."""
        ...

    async def places(self) -> tuple[Place, ...]:
        """Every account and region in which something can be created."""
        ...

    async def create(self, new: NewServerGroup) -> ServerGroup:
        """Begins a server group. Instances come up later; `describe` tells. What certainly has no room now is refused, and nothing made."""
        ...

    async def resize(self, place: Place, name: str, capacity: Capacity) -> None:
        """Sets the target capacity; instances beyond it are drained and stopped."""
        ...

    async def set_disabled(self, place: Place, name: str, *, is_disabled: bool) -> None:
        """Records whether the server group takes part in traffic (the traffic provider moves the traffic)."""
        ...

    async def destroy(self, place: Place, name: str) -> None:
        """Drains and removes; removing what isn't there is no error."""
        ...

    async def describe(self, application: str) -> tuple[ServerGroup, ...]:
        """All server groups of an application, oldest first, with live health; refuses where some can't be seen."""
        ...

    async def logs(self, place: Place, name: str, instance_id: str, lines: int = 200) -> str:
        """The end of an instance's log."""
        ...

    async def run_job(self, new: NewJob) -> Job:
        """Begins a job, or returns the one that has this key."""
        ...

    async def job(self, place: Place, job_id: str) -> Job | None:
        """The job as it is now; None: unknown."""
        ...

    async def stop_job(self, place: Place, job_id: str) -> None:
        """Stops a job; stopping one that has ended is no error."""
        ...


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What can be seen of an application's server groups."""

    groups: tuple[ServerGroup, ...]
    """Oldest first."""
    missing: Mapping[str, Problem] = {}
    """By account that doesn't answer: why."""


@runtime_checkable
class AccountsApart(Protocol):
    """A cloud provider whose accounts are systems of their own: some answer while others don't."""

    async def describe_answering(self, application: str, *, account: str = "") -> Described:
        """As `describe`, for the accounts that answer; with `account` for no other."""
        ...


@runtime_checkable
class AllAtOnce(Protocol):
    """A cloud provider that tells of all applications with one look."""

    async def describe_all(self) -> tuple[ServerGroup, ...]:
        """The server groups of all applications, oldest first, as `describe` has each."""
        ...


async def seen(provider: CloudProvider, application: str) -> Described:
    """The server groups that can be seen now: for showing, not for deciding."""
    if _has_accounts_apart(type(provider)):
        return await cast("AccountsApart", provider).describe_answering(application)
    return Described(groups=await provider.describe(application))


async def of_account(provider: CloudProvider, application: str, account: str) -> tuple[ServerGroup, ...]:
    """All server groups of an application in an account, whatever becomes of others. Raises Refused where it doesn't answer."""
    if not _has_accounts_apart(type(provider)):
        found = await provider.describe(application)
        return tuple(one for one in found if one.place.account == account)
    described = await cast("AccountsApart", provider).describe_answering(application, account=account)
    if described.missing:
        raise Refused(*described.missing.values(), status=UNAVAILABLE)
    return described.groups


@cache
def _has_accounts_apart(kind: type[CloudProvider]) -> bool:
    """Asking whether a class offers a port takes as long as many a look at it."""
    return issubclass(kind, AccountsApart)


CloudProviders = Mapping[str, CloudProvider]
"""By name."""
