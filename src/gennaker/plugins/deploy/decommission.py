"""Decommission: destroys what a release no longer needs: what it replaced, or what was rolled back.

Submitted by the release keeper when a grace period is over. Refuses to destroy what serves.
"""

from datetime import timedelta

from msgspec.structs import replace

from gennaker.interfaces.stages import StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model.event import Done, Failed, TaskResult
from gennaker.model.lengths import Duration
from gennaker.model.problems import Problem
from gennaker.model.release import Release, ReleaseState
from gennaker.model.statuses import Status
from gennaker.plugins.deploy import releases, server_groups, taking_out, traffic_shares
from gennaker.plugins.deploy.server_groups import Location


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    release_id: str
    drain_timeout: Duration = "PT35S"


def left_over(release: Release) -> str | None:
    """The server group that the release no longer needs; None: there is none."""
    match release.state:
        case ReleaseState.CURRENT | ReleaseState.SUPERSEDED:
            return None if release.keeps_replaced else release.replaced
        case ReleaseState.ROLLED_BACK:
            return release.server_group
        case ReleaseState.SETTLED:
            return None


async def determine(context: TaskContext) -> TaskResult:
    """Finds the server group, and makes sure that nobody is served by it."""
    release = await _release(context)
    if release is None:
        return Failed(problem=_unknown(context))
    name = left_over(release)
    location = Location(
        application=release.application,
        account=release.account,
        region=release.region,
        cloud_provider=release.cloud_provider,
    )
    group = await server_groups.find(context.services, location, name) if name else None
    if group is None:
        return Done(context=taking_out.chosen(location, ()))
    serving = [
        lb
        for lb, member in (await traffic_shares.of_group(context.services, group.place, group.name)).items()
        if member.takes_traffic
    ]
    current = await releases.serving(
        context.services, release.application, release.cluster, account=release.account, region=release.region
    )
    if serving or any(one.server_group == group.name for one in current):
        return Done(status=Status.SKIPPED, context={**taking_out.chosen(location, ()), "stillServes": group.name})
    return Done(context=taking_out.chosen(location, (group.name,)))


async def destroy(context: TaskContext) -> TaskResult:
    """Looks once more: a rollback may have given it traffic while it drained."""
    names = context.stage.context.get("chosenServerGroups")
    for name in names if isinstance(names, list) else []:
        members = await traffic_shares.of_group(context.services, taking_out.location(context).place, str(name))
        if any(member.takes_traffic for member in members.values()):
            return Done(status=Status.SKIPPED, context={"chosenServerGroups": [], "stillServes": name})
    return await taking_out.destroy(context)


async def settle(context: TaskContext) -> TaskResult:
    """The release has nothing left to roll back to."""
    release = await _release(context)
    if release is not None and not context.stage.context.get("stillServes"):
        await releases.change(context.services, release, _settled)
    return Done()


def _settled(release: Release) -> Release:
    return replace(release, state=ReleaseState.SETTLED) if release.state is ReleaseState.CURRENT else release


async def _release(context: StageContext) -> Release | None:
    return await releases.find(context.services, str(context.stage.context.get("releaseId") or ""))


def _unknown(context: StageContext) -> Problem:
    return Problem(
        code="release.unknown",
        message=f"There is no release {context.stage.context.get('releaseId')}.",
        remedy="Give the id of an existing one.",
    )


_PATIENT = timedelta(hours=12)
stage = StageType(
    name="decommission",
    label="Decommission",
    about=__doc__,
    spec=Spec,
    tasks=(
        TaskType(name="determineServerGroup", run=determine, retries=-1, timeout=_PATIENT),
        TaskType(name="waitForServerGroupDisabled", run=taking_out.drain),
        replace(taking_out.DESTROY, run=destroy, retries=-1, timeout=_PATIENT),
        replace(taking_out.GONE, retries=-1, timeout=_PATIENT),
        TaskType(name="settleRelease", run=settle),
    ),
    restart_clears=(*taking_out.CLEARED, "stillServes"),
)
