"""Stage settings: what a `kayentaCanary` stage says under `canaryConfig` and `deployments`, read once for all its parts.

Kayenta's minute fields and the ISO durations of `canary.windows`; scopes, thresholds, the clusters of baseline and canary.
"""

from datetime import datetime, timedelta

import msgspec

from gennaker.canary import coercion, durations, verdict, windows
from gennaker.canary.coercion import Unreadable
from gennaker.canary.errors import CanaryError
from gennaker.canary.verdict import StageThresholds
from gennaker.model import foreign, lengths, moniker
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused

_DEFAULT_STEP_SECONDS = 60
_DEFAULT_TRAFFIC_PERCENT = 10.0
_MOST_TRAFFIC_PERCENT = 45.0
"""Baseline and canary get as much each, and production must keep something."""


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    """The stage's `canaryConfig`."""

    document: JsonObject
    thresholds: StageThresholds
    times: windows.Settings
    scopes: tuple[JsonObject, ...]

    @property
    def scope_names(self) -> tuple[str, ...]:
        """The names that metrics may refer to."""
        return tuple(scope_name(scope) for scope in self.scopes)


class ClusterPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster and where it is."""

    application: str
    account: str
    region: str
    cloud_provider: str
    """Empty: the only one there is."""
    cluster: str


class Deployments(msgspec.Struct, frozen=True, kw_only=True):
    """The stage's `deployments`."""

    baseline: ClusterPlace
    """What runs in production."""
    controls: tuple[JsonObject, ...]
    """Clusters to deploy, as `deploy` takes them."""
    experiments: tuple[JsonObject, ...]
    delay_before_cleanup: timedelta
    skip_without_baseline: bool

    @property
    def clusters(self) -> tuple[ClusterPlace, ...]:
        """All clusters that baseline and canary are deployed to."""
        return tuple(place_of(one) for one in (*self.controls, *self.experiments))


def read_analysis(document: Json, *, at: datetime) -> Analysis:
    """Reads `canaryConfig`. Raises Refused for what would fail only after deploying."""
    if not isinstance(document, dict):
        raise Refused(_problem("The stage needs a `canaryConfig` object.", "/canaryConfig"))
    listed = document.get("scopes")
    scopes = tuple(one for one in listed if isinstance(one, dict)) if isinstance(listed, list) else ()
    try:
        times = windows.read_stage(document)
        plan = windows.plan(times, now=at)
        thresholds = verdict.read_thresholds(document.get("scoreThresholds"))
    except CanaryError as error:
        problem = error.problem
        raise Refused(msgspec.structs.replace(problem, pointer=f"/canaryConfig{problem.pointer}")) from error
    for index, scope in enumerate(scopes):
        first = plan.intervals[0]
        if step_seconds(scope, index) > (first.end - first.start).total_seconds():
            raise Refused(
                Problem(
                    code="canary.step",
                    message=f"A window of {(first.end - first.start).total_seconds():g} s holds no sample of "
                    f"{step_seconds(scope, index)} s.",
                    remedy="Make the interval longer, or the scope's `step` (in seconds) shorter.",
                    pointer=f"/canaryConfig/scopes/{index}/step",
                )
            )
    return Analysis(document=document, thresholds=thresholds, times=times, scopes=scopes)


def read_deployments(document: Json, *, application: str) -> Deployments | None:
    """Reads `deployments`; None where the stage has none. Raises Refused."""
    if document is None or document == {}:
        return None
    if not isinstance(document, dict):
        raise Refused(_problem("`deployments` must be an object.", "/deployments"))
    pairs = document.get("serverGroupPairs")
    if not isinstance(pairs, list) or not pairs:
        remedy = 'Give pairs such as {"control": {…cluster…}, "experiment": {…cluster…}}.'
        raise Refused(_problem("`deployments` has no server group pairs.", "/deployments/serverGroupPairs", remedy))
    sides = [_pair(pair, index, document, application) for index, pair in enumerate(pairs)]
    baseline = document.get("baseline")
    first = place_of(sides[0][0])
    if not isinstance(baseline, dict) or not isinstance(baseline.get("cluster"), str):
        remedy = "Name the production cluster whose image the baseline gets: `baseline.cluster`."
        raise Refused(_problem("`deployments` names no baseline cluster.", "/deployments/baseline/cluster", remedy))
    return Deployments(
        baseline=ClusterPlace(
            application=str(baseline.get("application") or application),
            account=str(baseline.get("account") or first.account),
            region=_region(baseline) or first.region,
            cloud_provider=str(baseline.get("cloudProvider") or first.cloud_provider),
            cluster=str(baseline["cluster"]),
        ),
        controls=tuple(control for control, _ in sides),
        experiments=tuple(experiment for _, experiment in sides),
        delay_before_cleanup=_delay(document),
        skip_without_baseline=foreign.flag(document.get("skipWithoutBaseline")),
    )


def scope_name(scope: JsonObject) -> str:
    """The name of a stage's scope."""
    return str(scope.get("scopeName") or "default")


def step_seconds(scope: JsonObject, index: int) -> int:
    """The scope's step; a minute where it has none."""
    value = scope.get("step")
    number = _number(value, f"/canaryConfig/scopes/{index}/step") if value not in (None, "") else None
    if number is not None and number < 1:
        raise Refused(_problem("A scope's `step` is at least 1 second.", f"/canaryConfig/scopes/{index}/step"))
    return _DEFAULT_STEP_SECONDS if number is None else int(number)


def place_of(cluster: JsonObject) -> ClusterPlace:
    """Where a cluster of a pair is."""
    application = str(cluster.get("application") or "")
    stack, detail = cluster.get("stack"), cluster.get("freeFormDetails")
    return ClusterPlace(
        application=application,
        account=str(cluster.get("account") or cluster.get("credentials") or ""),
        region=_region(cluster),
        cloud_provider=str(cluster.get("cloudProvider") or ""),
        cluster=moniker.cluster_name(application, str(stack or ""), str(detail or "")),
    )


def _pair(pair: Json, index: int, document: JsonObject, application: str) -> tuple[JsonObject, JsonObject]:
    control, experiment = (
        _side(pair, side, document, pointer=f"/deployments/serverGroupPairs/{index}/{side}", application=application)
        for side in ("control", "experiment")
    )
    if place_of(control) == place_of(experiment):
        message = f"Baseline and canary would both be deployed to the cluster {place_of(control).cluster}."
        remedy = "Give them different stacks or details, for example `baseline` and `canary`."
        raise Refused(_problem(message, f"/deployments/serverGroupPairs/{index}", remedy))
    return control, experiment


def _side(pair: Json, side: str, document: JsonObject, *, pointer: str, application: str) -> JsonObject:
    given = pair.get(side) if isinstance(pair, dict) else None
    if not isinstance(given, dict):
        raise Refused(_problem(f"The server group pair has no `{side}` cluster.", pointer))
    cluster: JsonObject = {"application": application, **given, "strategy": "none"}
    balancers = _load_balancers(document)
    if balancers and not cluster.get("loadBalancers"):
        cluster["loadBalancers"] = balancers
    if cluster.get("loadBalancers"):
        cluster["trafficPercent"] = _traffic_percent(cluster, document, pointer)
    place = place_of(cluster)
    if not place.account or not place.region:
        raise Refused(_problem(f"The `{side}` cluster needs `account` and `region`.", pointer))
    if place.cluster == place.application:
        remedy = "Give it a `stack`, for example `baseline` or `canary`."
        raise Refused(_problem(f"The `{side}` cluster has no name of its own.", f"{pointer}/stack", remedy))
    return cluster


def _load_balancers(document: JsonObject) -> list[Json]:
    several, one = document.get("loadBalancers"), document.get("loadBalancer")
    if isinstance(several, list):
        return several
    return [one] if isinstance(one, str) and one else []


def _traffic_percent(cluster: JsonObject, document: JsonObject, pointer: str) -> float:
    is_own = cluster.get("trafficPercent") not in (None, "")
    where = f"{pointer}/trafficPercent" if is_own else "/deployments/trafficPercent"
    value = _number((cluster if is_own else document).get("trafficPercent"), where)
    if value is None:
        return _DEFAULT_TRAFFIC_PERCENT
    if not 0 < value <= _MOST_TRAFFIC_PERCENT:
        message = f"`trafficPercent` is {value:g}: baseline and canary can have up to {_MOST_TRAFFIC_PERCENT:g} each."
        raise Refused(_problem(message, where))
    return value


def _delay(document: JsonObject) -> timedelta:
    """An ISO duration, or a number of seconds."""
    value = document.get("delayBeforeCleanup")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return lengths.of_seconds(value)
    try:
        return durations.iso(document, "delayBeforeCleanup") or timedelta()
    except CanaryError as error:
        raise Refused(_problem(error.message, "/deployments/delayBeforeCleanup")) from error


def _number(value: Json, pointer: str) -> float | None:
    try:
        return coercion.double(value)
    except Unreadable as error:
        raise Refused(_problem(f"A number is needed here, not {error}.", pointer)) from error


def _region(value: JsonObject) -> str:
    for key in ("region", "namespace"):
        found = value.get(key)
        if isinstance(found, str) and found:
            return found
    for key in ("availabilityZones", "regions"):
        several = value.get(key)
        if isinstance(several, dict | list) and several:
            return str(next(iter(several)))
    return ""


def _problem(message: str, pointer: str, remedy: str = "") -> Problem:
    return Problem(code="canary.settings", message=message, remedy=remedy, pointer=pointer)
