"""Clusters: the JSON of a cluster to deploy to, Orca's keys and the documented extensions, read strictly."""

import math
from datetime import timedelta

import msgspec

from gennaker.interfaces.clouds import Capacity
from gennaker.interfaces.clusters import ClusterSpec
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageContext
from gennaker.model import moniker, records
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.deploy import durations, server_groups
from gennaker.plugins.deploy.server_groups import Location

MONITORED, ROLLING_PUSH = "monitored", "rollingpush"
"""Strategies of Orca that are rolling updates here, with their own steps."""
STRATEGIES = ("none", "highlander", "redblack", "rollingredblack", "custom")
REGION_LISTS = ("availabilityZones", "regions", "namespaces", "zones")
_SAME = {
    "bluegreen": "redblack",
    "rollingupdate": "rollingredblack",
    MONITORED: "rollingredblack",
    ROLLING_PUSH: "rollingredblack",
    "": "none",
}
_LEAVE_NOTHING = frozenset({"rollingupdate", ROLLING_PUSH, "highlander"})
"""What they replace isn't kept unless a grace period says so."""


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster with everything that its JSON leaves open filled in."""

    spec: ClusterSpec
    location: Location
    name: str
    strategy: str
    capacity: Capacity
    load_balancers: tuple[str, ...]
    drain: timedelta
    grace: timedelta | None
    """None: what is replaced stays, disabled."""
    up_within: timedelta


def read(context: StageContext) -> Cluster:
    """The cluster of a createServerGroup stage. Raises Refused."""
    return of_json(context.stage.context, context.services, application=context.execution.head.application)


def of_json(value: JsonObject, services: Services, *, application: str) -> Cluster:
    """The cluster that this JSON describes; `application` where it names none. Raises Refused."""
    spec = records.demanded(flattened(value), ClusterSpec, of="the cluster")
    several = regions_of(flattened(value))
    if len(several) > 1:
        raise Refused(_everywhere(several))
    location = Location(
        application=spec.application or application,
        account=spec.account or spec.credentials,
        region=region_of(value),
        cloud_provider=spec.cloud_provider or server_groups.default_provider(services),
    )
    if not location.account or not location.region or not location.application:
        raise Refused(_nowhere(location))
    name = moniker.cluster_name(location.application, spec.stack, spec.free_form_details)
    _check_names(location, name)
    return Cluster(
        spec=spec,
        location=location,
        name=name,
        strategy=_strategy(spec),
        capacity=spec.capacity.filled(),
        load_balancers=spec.load_balancers or (),
        drain=durations.read(spec.drain_timeout, key="drainTimeout"),
        grace=_grace(spec),
        up_within=durations.read(spec.up_timeout, key="upTimeout"),
    )


def flattened(value: JsonObject) -> JsonObject:
    """Orca's rule: the map `cluster` in a stage's context counts as if its keys stood beside it."""
    inner = value.get("cluster")
    return {**value, **inner} if isinstance(inner, dict) else value


def region_of(value: JsonObject) -> str:
    """The region, under whichever of its names it is given; of several the first."""
    return next(iter(regions_of(value)), "")


def regions_of(value: JsonObject) -> tuple[str, ...]:
    """All regions, under whichever of their names they are given."""
    for key in ("region", "namespace"):
        found = value.get(key)
        if isinstance(found, str) and found:
            return (found,)
    for key in REGION_LISTS:
        several = value.get(key)
        if isinstance(several, dict | list) and several:
            return tuple(dict.fromkeys(map(str, several)))
        if isinstance(several, str) and several:
            return (several,)
    return ()


def part(capacity: Capacity, percent: float) -> Capacity:
    """This percentage of a capacity, rounded up, pinned below 100 %."""
    if percent >= 100:
        return capacity
    desired = math.ceil(capacity.desired * percent / 100)
    return Capacity(min=desired, max=desired, desired=desired)


def required(desired: int, percentage: float) -> int:
    """How many instances must be up: Orca's rounding, at least one unless none is wanted. Raises Refused."""
    if not 0 <= percentage <= 100:
        raise Refused(
            Problem(
                code="deploy.percentage",
                message=f"targetHealthyDeployPercentage must be 0..100, not {percentage:g}.",
                remedy="Correct it in the stage.",
            )
        )
    if not desired or not percentage:
        return 0
    return max(1, math.floor(desired * percentage / 100 + 0.5))


def place_json(location: Location) -> JsonObject:
    """The location as the context of a stage holds it."""
    return {
        "application": location.application,
        "account": location.account,
        "credentials": location.account,
        "region": location.region,
        "cloudProvider": location.cloud_provider,
    }


def capacity_json(capacity: Capacity) -> JsonObject:
    """The capacity as the context of a stage holds it."""
    return {"min": capacity.min, "max": capacity.max, "desired": capacity.desired}


def _check_names(location: Location, cluster: str) -> None:
    """They are parts of releases' keys, and server groups' names folders of the local provider. Raises Refused."""
    problems = [
        Problem(
            code="deploy.name",
            message=f"{text!r} can't be the {key} of a cluster.",
            remedy="Take out the slashes.",
            pointer=f"/{key}",
        )
        for key, text in (("account", location.account), ("region", location.region))
        if "/" in text
    ]
    if moniker.parse(cluster).cluster is None:
        problems.append(
            Problem(
                code="deploy.name",
                message=f"{cluster!r} can't be the name of a cluster.",
                remedy="Use letters, digits, dots and underscores in `application` and `stack`, in `freeFormDetails` also hyphens.",
            )
        )
    if problems:
        raise Refused(*problems)


def called(spec: ClusterSpec) -> str:
    """The strategy by the name that the cluster gives it, in one spelling."""
    return (spec.strategy or "").strip().lower().replace("-", "").replace("_", "").replace("/", "")


def _grace(spec: ClusterSpec) -> timedelta | None:
    if spec.grace_period is not None:
        return durations.read(spec.grace_period, key="gracePeriod")
    return timedelta() if called(spec) in _LEAVE_NOTHING else None


def _strategy(spec: ClusterSpec) -> str:
    key = _SAME.get(called(spec), called(spec))
    if key not in STRATEGIES:
        raise Refused(
            Problem(
                code="deploy.strategy",
                message=f"There is no strategy {spec.strategy!r}.",
                remedy=f"Use one of {', '.join(STRATEGIES)}.",
                pointer="/strategy",
            )
        )
    return key


def _everywhere(several: tuple[str, ...]) -> Problem:
    return Problem(
        code="deploy.place",
        message=f"A server group is made in one region, and the cluster names {', '.join(several)}.",
        remedy="Use a `deploy` stage, which makes one in each, or name a single `region`.",
    )


def _nowhere(location: Location) -> Problem:
    fields = {"application": location.application, "account": location.account, "region": location.region}
    missing: list[Json] = [key for key, value in fields.items() if not value]
    return Problem(
        code="deploy.place",
        message=f"The cluster doesn't say where it is: {', '.join(map(str, missing))} missing.",
        remedy="Add them to the cluster.",
    )
