"""Roll Back Release: the version that the current release has replaced serves again, within a second.

It finds the cluster's current release, names the exact version that it restores, switches all traffic in one call (what
was replaced is still warm), marks the release as rolled back, then drains and disables what was released. Where it is
not clear which release is meant, or nothing warm is left, it does nothing and says so.

With `execution` it only rolls back what that execution has released, and is skipped otherwise: in a pipeline,
`"execution": "${execution.id}"` means "what this run has changed".
"""

from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, Failed, TaskResult
from gennaker.model.lengths import Duration
from gennaker.model.problems import UNAVAILABLE, Problem, Refused
from gennaker.model.release import Release, ReleaseState, first
from gennaker.model.statuses import Status
from gennaker.plugins.deploy import going_back, releases, server_groups, taking_out
from gennaker.plugins.deploy.server_groups import Location


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    application: str = ""
    cluster: str = ""
    account: str = ""
    region: str = ""
    release_id: str = ""
    """Exactly this release, instead of the cluster's current one."""
    execution: str = ""
    """Only what this execution has released."""
    reason: str = ""
    drain_timeout: Duration = "PT35S"


async def determine(context: TaskContext) -> TaskResult:
    """Finds the release and checks that what it replaced is warm."""
    own = context.stage.context
    found = await _candidates(context)
    execution = own.get("execution")
    if execution:
        found = [one for one in found if one.execution_id == execution]
        if not found:
            return Done(status=Status.SKIPPED, context={"rollbackRelease": ""})
    if len(found) != 1:
        return Failed(problem=_ambiguous(own, found) if found else _unknown(own))
    release = found[0]
    problem = await _why_not(context.services, release)
    if problem is not None:
        return Failed(problem=problem)
    told: JsonObject = {
        "releaseId": release.id,
        "from": {"serverGroup": release.server_group, "version": release.version, "image": release.image},
        "to": {"serverGroup": release.replaced, "version": release.replaced_version},
    }
    chosen = taking_out.chosen(_location(release), (release.server_group,))
    return Done(context={**chosen, "rollbackRelease": release.id, "restores": told["to"]}, outputs={"rollback": told})


async def switch(context: TaskContext) -> TaskResult:
    """One switch, then the record."""
    release = await _chosen(context)
    if release is None:
        return Done(status=Status.SKIPPED)
    groups = {one.name: one for one in await server_groups.all_of(context.services, _location(release))}
    returning = groups.get(release.replaced or "")
    if returning is None:
        return Failed(problem=await _decommissioned(context.services, release))
    leaving = groups.get(release.server_group, returning)
    await going_back.switch(context.services, _location(release), leaving=leaving, returning=returning)
    because = str(context.stage.context.get("reason") or f"{_who(context)} rolled it back.")
    await releases.roll_back(context.services, release, at=context.at, because=because)
    await releases.unwatch(context.services, release.id)
    return Done()


async def _candidates(context: StageContext) -> list[Release]:
    own = context.stage.context
    wanted = own.get("releaseId")
    if isinstance(wanted, str) and wanted:
        release = await releases.find(context.services, wanted)
        return [release] if release else []
    cluster = own.get("cluster")
    if not isinstance(cluster, str) or not cluster:
        raise Refused(
            Problem(code="rollback.no_cluster", message="The stage names no cluster.", remedy="Give `cluster`.")
        )
    application = own.get("application") or context.execution.head.application
    return list(
        await releases.serving(
            context.services,
            str(application),
            cluster,
            account=str(own.get("account") or own.get("credentials") or ""),
            region=str(own.get("region") or ""),
        )
    )


async def _chosen(context: StageContext) -> Release | None:
    return await releases.find(context.services, str(context.stage.context.get("rollbackRelease") or ""))


async def _why_not(services: Services, release: Release) -> Problem | None:
    named = f"{release.server_group} ({release.shown_version})"
    if release.state in (ReleaseState.ROLLED_BACK, ReleaseState.SUPERSEDED):
        return Problem(
            code="rollback.over",
            message=f"The release of {named} no longer serves: {release.ended_because or release.state.value}",
            remedy="Roll back the cluster's current release.",
        )
    if release.replaced is None:
        return first(release)
    group = await server_groups.find(services, _location(release), release.replaced)
    if group is None:
        return await _decommissioned(services, release)
    if server_groups.up(group):
        return None
    problem = server_groups.not_up(group, "can't take the traffic back")
    if server_groups.is_unknown(group):
        raise Refused(problem, status=UNAVAILABLE)
    return problem


async def _decommissioned(services: Services, release: Release) -> Problem:
    image = await releases.image_of(services, release, release.replaced or "")
    version = release.replaced_version or "the earlier version"
    return Problem(
        code="rollback.decommissioned",
        message=f"{release.replaced} ({version}) was decommissioned already: there is nothing warm to switch to.",
        remedy=f"Deploy it anew: image {image}." if image else f"Deploy {version} anew.",
    )


def _location(release: Release) -> Location:
    return Location(
        application=release.application,
        account=release.account,
        region=release.region,
        cloud_provider=release.cloud_provider,
    )


def _who(context: StageContext) -> str:
    return context.execution.head.authentication.user or "Somebody"


def _unknown(own: JsonObject) -> Problem:
    return Problem(
        code="rollback.no_release",
        message=f"There is no release of the cluster {own.get('cluster') or own.get('releaseId')} that could be rolled back.",
        remedy="Name a cluster to which something was deployed with redblack, highlander or rollingredblack.",
    )


def _ambiguous(own: JsonObject, found: list[Release]) -> Problem:
    places: list[Json] = [f"{one.account}/{one.region} ({one.version or one.server_group})" for one in found]
    return Problem(
        code="rollback.ambiguous",
        message=f"{own.get('cluster')} is released in several places: {', '.join(map(str, places))}. Nothing was changed.",
        remedy="Say which one: give `account` and `region`.",
        details={"places": places},
    )


stage = StageType(
    name="rollbackRelease",
    label="Roll Back Release",
    about=__doc__,
    spec=Spec,
    tasks=(
        TaskType(name="determineRelease", run=determine),
        TaskType(name="switchTraffic", run=switch),
        taking_out.FROM_TRAFFIC,
        taking_out.DRAIN,
    ),
    restart_clears=(*taking_out.CLEARED, "rollbackRelease", "restores"),
)
