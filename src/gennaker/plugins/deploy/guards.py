"""Traffic guards: an application's clusters that must never be left without an instance that takes traffic.

Source: Orca's TrafficGuard. The application's `trafficGuards` are rules `{account, location, stack, detail, enabled}`, where `*`
stands for anything and nothing for nothing. What takes no traffic may go at any time; whoever can't be asked now may take some. The
setting `traffic-guards.min-capacity-ratio` asks for more than one instance that stays.
"""

from collections.abc import Iterable, Sequence

from gennaker.interfaces.clouds import Health, ServerGroup
from gennaker.interfaces.stages import StageContext
from gennaker.model import foreign, moniker
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import UNAVAILABLE, Problem, Refused
from gennaker.plugins.deploy import server_groups
from gennaker.plugins.deploy.server_groups import Location

_CLEANUP = "cleanupCanaryClusters"
"""Baseline and canary are made to go: production serves beside them, in another cluster."""


async def check(context: StageContext, going: Iterable[ServerGroup]) -> None:
    """Raises Refused where a guarded cluster would be left without traffic."""
    parent = context.execution.stages.get(context.stage.parent_id or "")
    if parent is not None and parent.type == _CLEANUP:
        return
    by_cluster: dict[tuple[Location, str], list[ServerGroup]] = {}
    for one in going:
        application = one.moniker.app or server_groups.application_of(one.name)
        place = Location(
            application=application,
            account=one.place.account,
            region=one.place.region,
            cloud_provider=one.cloud_provider,
        )
        by_cluster.setdefault((place, server_groups.cluster_of(one)), []).append(one)
    for (location, cluster), of_cluster in by_cluster.items():
        if not await _is_guarded(context, location, of_cluster[0]):
            continue
        names = {one.name for one in of_cluster}
        groups = await server_groups.of_cluster(context.services, location, cluster)
        leaving = [one for one in groups if one.name in names]
        gone = _in_traffic(leaving, Health.UP, Health.UNKNOWN)
        left = _in_traffic((one for one in groups if one.name not in names), Health.UP)
        ratio = context.services.settings.traffic_guards.min_capacity_ratio
        if gone and (not left or (left <= ratio * (gone + left) and not _are_alike(leaving))):
            problem = _guarded(location, cluster, names, left=left, of=gone + left)
            is_unknown = any(server_groups.is_unknown(one) for one in groups)
            raise Refused(problem, status=UNAVAILABLE if is_unknown else 400)


def _are_alike(leaving: Sequence[ServerGroup]) -> bool:
    """Several of one pinned size go and something stays: Orca lets them."""
    sizes = {one.capacity for one in leaving}
    return len(leaving) > 1 and len(sizes) == 1 and all(one.min == one.max == one.desired for one in sizes)


def _in_traffic(groups: Iterable[ServerGroup], *healths: Health) -> int:
    return sum(one.health in healths and not group.is_disabled for group in groups for one in group.instances)


async def _is_guarded(context: StageContext, location: Location, group: ServerGroup) -> bool:
    """By stack and detail of a server group's moniker: on Kubernetes a cluster needn't be named by them."""
    found = await context.services.definitions.get("application", location.application.lower())
    rules = foreign.mappings(found.body.get("trafficGuards")) if found else []
    named = moniker.parse(server_groups.cluster_of(group))
    stack, detail = group.moniker.stack or named.stack or "", group.moniker.detail or named.detail or ""
    return any(_matches(rule, location, stack, detail) for rule in rules)


def _matches(rule: JsonObject, location: Location, stack: str, detail: str) -> bool:
    if rule.get("enabled") is not None and not foreign.flag(rule.get("enabled")):
        return False
    wanted = {"account": location.account, "location": location.region, "stack": stack, "detail": detail}
    return all(_is(rule.get(key), value) for key, value in wanted.items())


def _is(pattern: Json, value: str) -> bool:
    return pattern == "*" or (pattern or "") == value


def _guarded(location: Location, cluster: str, names: Iterable[str], *, left: int, of: int) -> Problem:
    would = (
        f"only {left} of its {of} instances in traffic would stay" if left else "no instance of it would take traffic"
    )
    return Problem(
        code="traffic.guarded",
        message=f"{cluster} in {location.account}/{location.region} has a traffic guard: without {', '.join(sorted(names))} {would}.",
        remedy="Deploy or enable another server group of the cluster first, or switch the guard off in the application's settings.",
        details={"cluster": cluster, "serverGroups": [*sorted(names)]},
    )
