"""Server groups: finding them at their providers, and judging whether they are up."""

import re
from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from gennaker.interfaces import clouds
from gennaker.interfaces.clouds import CloudProvider, Health, Instance, Place, ServerGroup
from gennaker.interfaces.services import Services
from gennaker.model import moniker, waiting
from gennaker.model.problems import Problem, Refused
from gennaker.model.wording import are, counted

_NUMBERS = re.compile("[0-9]+")
CRASHES_UNTIL_HOPELESS = 3
"""An instance that was restarted so often without coming up is not going to."""
_SAYS_HOW_LONG = "`upTimeout` or `stageTimeoutMs` of the stage says how long, and neither is there"


class Location(msgspec.Struct, frozen=True, kw_only=True):
    """Where server groups of an application are."""

    application: str
    account: str
    region: str
    cloud_provider: str

    @property
    def place(self) -> Place:
        """As providers want it."""
        return Place(account=self.account, region=self.region)


def provider(services: Services, name: str) -> CloudProvider:
    """The cloud provider of this name. Raises Refused."""
    found = services.clouds.get(name)
    if found is None:
        raise Refused(
            Problem(
                code="cloud.unknown",
                message=f"There is no cloud provider {name!r}.",
                remedy=f"Use one of: {', '.join(sorted(services.clouds)) or 'none is installed'}.",
            )
        )
    return found


def default_provider(services: Services) -> str:
    """The provider that is meant where none is named: `local`, or the only one."""
    return "local" if "local" in services.clouds or len(services.clouds) != 1 else next(iter(services.clouds))


async def all_of(services: Services, location: Location) -> tuple[ServerGroup, ...]:
    """All server groups of the application in this place, oldest first."""
    cloud = provider(services, location.cloud_provider)
    found = await clouds.of_account(cloud, location.application, location.place.account)
    return tuple(one for one in found if one.place == location.place)


async def of_cluster(services: Services, location: Location, cluster: str) -> tuple[ServerGroup, ...]:
    """The server groups of one cluster, oldest first."""
    return tuple(one for one in await all_of(services, location) if cluster_of(one) == cluster)


async def find(services: Services, location: Location, name: str) -> ServerGroup | None:
    """One server group; None: there is none of that name."""
    return next((one for one in await all_of(services, location) if one.name == name), None)


def cluster_of(group: ServerGroup) -> str:
    """The name of the cluster to which a server group belongs."""
    return group.moniker.cluster or moniker.parse(group.name).cluster or group.name


def application_of(name: str) -> str:
    """The application that a server group's or cluster's name says."""
    return moniker.parse(name).app or name


def up(group: ServerGroup) -> tuple[Instance, ...]:
    """Instances that can serve, in the provider's order.

    Of a disabled server group, which is out of traffic, those that are out of service for no other reason.
    """
    able = (Health.UP, Health.OUT_OF_SERVICE) if group.is_disabled else (Health.UP,)
    return tuple(one for one in group.instances if one.health in able and one.address)


def is_unknown(group: ServerGroup) -> bool:
    """Whether of some instance nobody can say now how it is: its engine doesn't answer."""
    return any(one.health is Health.UNKNOWN for one in group.instances)


def hopeless(group: ServerGroup, at: datetime, *, says_how_long: bool) -> Problem | None:
    """Why the server group can't come up, if that is certain already; `says_how_long`: the stage does, so room is waited for."""
    for one in group.instances:
        is_late = one.is_unplaced and one.fails_at is not None and one.fails_at <= at
        if is_late and not says_how_long:
            problem = not_up(group, "finds no room")
            return replace(problem, remedy=f"Make room, or let the stage wait for it: {_SAYS_HOW_LONG}.")
        is_down = one not in up(group) and one.health is not Health.UNKNOWN
        is_looping = one.restarts >= CRASHES_UNTIL_HOPELESS and is_down
        if one.health is Health.FAILED or is_looping:
            return not_up(group, "can't come up")
    return None


def failing(group: ServerGroup, *, says_how_long: bool) -> tuple[datetime, ...]:
    """When the server group becomes hopeless, if nothing changes."""
    return tuple(
        one.fails_at
        for one in group.instances
        if one.fails_at is not None and one not in up(group) and not (one.is_unplaced and says_how_long)
    )


def not_up(group: ServerGroup, said: str) -> Problem:
    """A problem that says of each instance why it isn't up."""
    return Problem(
        code="server_group.not_up",
        message=f"{group.name} {said}: {_up_of(group)}. {_reasons(group)}".strip(),
        remedy="Mend what the instance's log says, or the health check's path; then deploy again.",
        details={"serverGroup": group.name, "image": group.image},
    )


def why_waiting(group: ServerGroup, required: int) -> str:
    """What is waited for, as shown to people."""
    now = len(up(group))
    wanted = f"{counted(required, 'instance')} of {group.name} to be up ({now} {are(now)})."
    return f"{wanted} {_reasons(group)}".strip()


def waits(reason: str, *groups: ServerGroup) -> waiting.ForObject:
    """Waiting for server groups to change; what was seen last is the first one's instances."""
    first = groups[0] if groups else None
    return waiting.ForObject(
        reason=reason,
        kind="server-group",
        name=named(groups),
        observed=_up_of(first) if first else "",
        place=f"{first.place.account}/{first.place.region}" if first else "",
    )


def named(groups: Iterable[ServerGroup]) -> str:
    """Names in a sentence."""
    return ", ".join(one.name for one in groups) or "none"


def _up_of(group: ServerGroup) -> str:
    desired = group.capacity.desired
    return f"{len(up(group))} of {counted(desired, 'instance')} {are(desired)} up"


def _reasons(group: ServerGroup) -> str:
    """Why instances aren't up; of those that only differ in names and numbers the first one's reason."""
    alike: dict[str, list[Instance]] = {}
    for one in group.instances:
        if one not in up(group):
            alike.setdefault(_NUMBERS.sub("", _reason(one).replace(one.id, "")), []).append(one)
    said = []
    for first, *others in alike.values():
        said.append(_reason(first))
        if others:
            said.append(f"So {are(len(others))} {', '.join(one.id for one in others)}.")
    return " ".join(said)


def _reason(instance: Instance) -> str:
    restarts = f", restarted {counted(instance.restarts, 'time')}" if instance.restarts else ""
    reason = f": {instance.health_reason.rstrip('.')}" if instance.health_reason else ""
    return f"{instance.id} is {instance.health.value}{restarts}{reason}."
