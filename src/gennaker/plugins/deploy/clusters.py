"""Clusters: the JSON of a cluster to deploy to, Orca's keys and the documented extensions, read strictly."""

import math
from datetime import timedelta

import msgspec

from gennaker.interfaces.clouds import Capacity
from gennaker.interfaces.clusters import ClusterSpec
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageContext
from gennaker.model import foreign, moniker, records
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
_PARTS = {key: key for key in ("account", "region", "application", "stack")} | {"freeFormDetails": "detail"}
_WITHOUT_HYPHENS = (
    "Use letters, digits, dots and underscores: hyphens part application, stack and detail in server groups' names, "
    "so `my-shop` would be read as the stack `shop` of the application `my`."
)
_WITH_HYPHENS = "Use letters, digits, dots, underscores, hyphens, ~ and ^."
_LEAVE_NOTHING = frozenset({"rollingupdate", ROLLING_PUSH, "highlander"})
"""What they replace isn't kept unless a grace period says so."""
AS_LARGE_AS_BEFORE = frozenset({"rollingredblack", MONITORED})
"""They grow to the size of the largest that serves; the cluster's own counts where none does, or that has no instances."""


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
    _check_names(location, spec)
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


def says_up_within(own: JsonObject) -> bool:
    """Whether a stage itself says how long instances may take to come up."""
    return flattened(own).get("upTimeout") not in (None, "")


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
    _check(percentage, "targetHealthyDeployPercentage")
    if not desired or not percentage:
        return 0
    return max(1, math.floor(desired * percentage / 100 + 0.5))


def required_of_part(capacity: Capacity, percentage: float) -> int:
    """As `required`, by `desiredPercentage`: Orca counts it against the largest and the smallest size. Raises Refused."""
    _check(percentage, "desiredPercentage")
    return max(0, math.ceil((percentage / 100 - 1) * capacity.max + capacity.min))


def _check(percentage: float, key: str) -> None:
    if not 0 <= percentage <= 100:
        raise Refused(
            Problem(
                code="deploy.percentage",
                message=f"{key} must be 0..100, not {percentage:g}.",
                remedy="Correct it in the stage.",
            )
        )


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


def _check_names(location: Location, spec: ClusterSpec) -> None:
    """Account and region are parts of releases' keys; the rest of names, which others take apart again. Raises Refused."""
    problems = [
        _unusable(key, text, "Take out the slashes.")
        for key, text in (("account", location.account), ("region", location.region))
        if "/" in text
    ]
    application = location.application
    if not moniker.is_cluster(application):
        problems.append(_unusable("application", application, _WITHOUT_HYPHENS))
    if not moniker.is_cluster("_", spec.stack):
        problems.append(_unusable("stack", spec.stack, _WITHOUT_HYPHENS))
    if not moniker.is_cluster("_", None, spec.free_form_details):
        problems.append(_unusable("freeFormDetails", spec.free_form_details, _WITH_HYPHENS))
    if problems:
        raise Refused(*problems)


def _unusable(key: str, text: str | None, remedy: str) -> Problem:
    return Problem(
        code="deploy.name",
        message=f"{text!r} can't be the {_PARTS[key]} of a cluster.",
        remedy=remedy,
        pointer=f"/{key}",
    )


def called(spec: ClusterSpec) -> str:
    """The strategy by the name that the cluster gives it, in one spelling."""
    return _spelt(spec.strategy or "")


def uses_source_size(spec: ClusterSpec) -> bool:
    """Whether it becomes as large as what serves: what `source` says counts before the cluster's own word, as in Orca."""
    own = spec.source.get("useSourceCapacity")
    return spec.use_source_capacity if own is None else foreign.flag(own)


def is_monitored(value: JsonObject) -> bool:
    """Whether this JSON, which need not describe a cluster that can be read, names the strategy `monitored`."""
    named = flattened(value).get("strategy")
    return isinstance(named, str) and _spelt(named) == MONITORED


def _spelt(strategy: str) -> str:
    return strategy.strip().lower().replace("-", "").replace("_", "").replace("/", "")


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
