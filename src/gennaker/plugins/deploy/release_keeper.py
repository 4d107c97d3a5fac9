"""The release keeper: decommissions what is no longer kept warm, and rolls back what a failed run has released.

It only submits executions, each under a key that names the release: the engine does the work, once, with audit. What has
been submitted is remembered in Documents `deploy.decommissioned`; a keeper that is killed in between submits again and
gets the same execution. Grace periods are instants in the records, so they go on while no server runs.
"""

import asyncio
from datetime import datetime, timedelta

import structlog

from gennaker.interfaces.executions import Submission
from gennaker.interfaces.plugins import Service
from gennaker.interfaces.services import Services
from gennaker.model.codec import JsonObject
from gennaker.model.execution import ExecutionKind
from gennaker.model.principal import SYSTEM
from gennaker.model.release import Release, ReleaseState
from gennaker.model.statuses import Status
from gennaker.plugins.deploy import decommission, releases, rollouts
from gennaker.transport import waking

log = structlog.get_logger()

_SUBMITTED = "deploy.decommissioned"
_SOON = timedelta(seconds=1)
_LATEST = timedelta(seconds=30)


async def once(services: Services) -> datetime:
    """Does what is due; returns when it should look again unless a release changes before."""
    now = services.clock.now()
    watched = await _settle_watched(services)
    done = {one.key for one in await services.documents(_SUBMITTED).list()}
    everything = await releases.all_of(services)
    # While a rollout isn't over it may still go back to what it has replaced.
    open_ones = watched | {one.release_id for one in await rollouts.unfinished(services)}
    next_look = now + (_SOON if open_ones else _LATEST)
    for release in everything:
        if _key(release) in done or release.id in open_ones:
            continue
        due = _due(release, everything)
        if due is None:
            continue
        if due <= now:
            await _decommission(services, release)
        else:
            next_look = min(next_look, due)
    return next_look


async def keep(services: Services) -> None:
    """Looks when something is due and whenever a release changes, until cancelled."""
    changed = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_follow(services, changed), name="release-keeper:follow")
        while True:
            changed.clear()
            next_look = await once(services)
            await waking.wait(services.clock, next_look, changed)


def _due(release: Release, everything: tuple[Release, ...]) -> datetime | None:
    """When the release's left-over goes; None: there is none, or somebody else still needs it."""
    name = decommission.left_over(release)
    if name is None:
        return None
    if release.state is ReleaseState.CURRENT:
        return release.warm_until or release.released_at
    if any(_needs(one, name) and one.id != release.id for one in everything if _place(one) == _place(release)):
        return None
    return release.ended_at or release.released_at


def _needs(release: Release, name: str) -> bool:
    """It serves with this server group, or keeps it warm."""
    if release.state is ReleaseState.CURRENT:
        return name in (release.server_group, release.replaced)
    return release.state is ReleaseState.SETTLED and name == release.server_group


def _place(release: Release) -> tuple[str, str, str, str]:
    return release.application, release.account, release.region, release.cluster


async def _decommission(services: Services, release: Release) -> None:
    name = decommission.left_over(release)
    key = _key(release)
    job: JsonObject = {
        "type": "decommission",
        "name": f"Decommission {name}",
        "refId": "0",
        "releaseId": release.id,
    }
    execution_id = await _submit(services, release, job, key=key, description=f"Decommission {name}")
    await services.documents(_SUBMITTED).put(key, {"executionId": execution_id})
    log.info("release.decommissioning", release=release.id, server_group=name, execution=execution_id)


async def _settle_watched(services: Services) -> frozenset[str]:
    """Rolls back releases whose run has failed; returns those whose run, or rollback, goes on."""
    waiting: set[str] = set()
    for release_id, execution_id in (await releases.watched(services)).items():
        execution = await services.executions.get(execution_id)
        release = await releases.find(services, release_id)
        if execution is not None and not execution.head.status.is_complete:
            waiting.add(release_id)
            continue
        is_bad = execution is not None and execution.head.status is not Status.SUCCEEDED
        if is_bad and release is not None and release.state is ReleaseState.CURRENT and release.replaced:
            assert execution is not None
            if not await _rolled_back(services, release, execution.head.name, execution.head.status):
                waiting.add(release_id)
                continue
        await releases.unwatch(services, release_id)
    return frozenset(waiting)


async def _rolled_back(services: Services, release: Release, run: str, status: Status) -> bool:
    """Has the release rolled back; whether that has ended. Until then what it replaced must not go."""
    reason = f"The run of {run or 'its pipeline'} that released it ended {status.value}."
    job: JsonObject = {
        "type": "rollbackRelease",
        "name": f"Roll back {release.server_group}",
        "refId": "0",
        "releaseId": release.id,
        "cluster": release.cluster,
        "reason": reason,
    }
    description = f"Roll back {release.server_group} to {release.replaced}"
    execution_id = await _submit(services, release, job, key=f"rollback:{release.id}", description=description)
    log.warning("release.rolling_back", release=release.id, execution=execution_id, why=reason)
    execution = await services.executions.get(execution_id)
    return execution is not None and execution.head.status.is_complete


async def _submit(services: Services, release: Release, job: JsonObject, *, key: str, description: str) -> str:
    config: JsonObject = {
        "application": release.application,
        "name": description,
        "description": description,
        "stages": [{**job, "requisiteStageRefIds": []}],
    }
    submission = Submission(
        kind=ExecutionKind.ORCHESTRATION, config=config, trigger={"type": "release-keeper"}, key=key
    )
    return await services.executions.submit(submission, SYSTEM)


def _key(release: Release) -> str:
    """A release that is rolled back has another left-over than before."""
    suffix = ":rolled-back" if release.state is ReleaseState.ROLLED_BACK else ""
    return f"decommission:{release.id}{suffix}"


async def _follow(services: Services, changed: asyncio.Event) -> None:
    async for update in services.updates.follow():
        if update.topic == "release":
            changed.set()


service = Service(name="release-keeper", run=keep)
