"""Releases: the records of what runs where (`model/release.py`), and how one follows another.

Written in the task right after the switch. A new release supersedes the cluster's earlier ones. When a release is
rolled back, the one that had released what serves again is the serving one again.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from gennaker.interfaces.documents import VersionMismatch
from gennaker.interfaces.executions import Update
from gennaker.interfaces.services import Services
from gennaker.model.codec import JsonObject, to_json
from gennaker.model.release import Release, ReleaseState

_NAMESPACE = "releases"
_WATCHED = "deploy.watched"
_SERVING = (ReleaseState.CURRENT, ReleaseState.SETTLED)
_ATTEMPTS = 20


def key(release: Release) -> str:
    """Where the record lies."""
    return f"{_prefix(release)}{release.id}"


async def all_of(services: Services, application: str = "") -> tuple[Release, ...]:
    """All releases, of one application where given, by key."""
    prefix = f"{application}/" if application else ""
    return tuple(msgspec.convert(one.body, Release) for one in await services.documents(_NAMESPACE).list(prefix))


async def find(services: Services, release_id: str) -> Release | None:
    """The release with this id."""
    return next((one for one in await all_of(services) if one.id == release_id), None)


async def serving(
    services: Services, application: str, cluster: str, *, account: str = "", region: str = ""
) -> tuple[Release, ...]:
    """The releases that serve the cluster: one for each account and region that match."""
    return tuple(
        one
        for one in await all_of(services, application)
        if one.cluster == cluster
        and one.state in _SERVING
        and account in ("", one.account)
        and region in ("", one.region)
    )


async def record(services: Services, release: Release) -> Release:
    """Writes a new release and supersedes the cluster's earlier ones; a repeat changes nothing."""
    documents = services.documents(_NAMESPACE)
    try:
        await documents.put(key(release), _body(release), if_version=0)
    except VersionMismatch:
        written = await documents.get(key(release))
        assert written is not None
        release = msgspec.convert(written.body, Release)
    if release.state in _SERVING:
        await _supersede(services, release)
    _tell(services, release)
    return release


async def change(services: Services, release: Release, change: Callable[[Release], Release]) -> Release:
    """Changes a release as it is now."""
    documents = services.documents(_NAMESPACE)
    for _ in range(_ATTEMPTS):
        document = await documents.get(key(release))
        if document is None:
            return release
        before = msgspec.convert(document.body, Release)
        after = change(before)
        if after == before:
            return after
        try:
            await documents.put(key(release), _body(after), if_version=document.version)
        except VersionMismatch:
            continue
        _tell(services, after)
        return after
    raise VersionMismatch(key(release), expected=0, found=0)


async def roll_back(services: Services, release: Release, *, at: datetime, because: str) -> None:
    """Marks a release as rolled back; what it had replaced serves again under its own release."""
    await change(services, release, lambda one: _ended(one, ReleaseState.ROLLED_BACK, at, because))
    earlier = [
        one
        for one in await all_of(services, release.application)
        if _prefix(one) == _prefix(release)
        and one.id != release.id
        and one.server_group == release.replaced
        and one.state is ReleaseState.SUPERSEDED
    ]
    if earlier:
        newest = max(earlier, key=lambda one: one.released_at)
        # SETTLED: what this one had replaced in its turn was decommissioned when it was superseded.
        await change(services, newest, _serving_again)


async def image_of(services: Services, release: Release, server_group: str) -> str:
    """The image of a server group that an earlier release has released, or nothing."""
    found = [one for one in await all_of(services, release.application) if one.server_group == server_group]
    return max(found, key=lambda one: one.released_at).image if found else ""


async def watch(services: Services, release_id: str, execution_id: str) -> None:
    """Has the release rolled back if the execution doesn't end well."""
    await services.documents(_WATCHED).put(release_id, {"executionId": execution_id})


async def watched(services: Services) -> dict[str, str]:
    """Executions whose end decides about a release, by release id."""
    return {one.key: str(one.body["executionId"]) for one in await services.documents(_WATCHED).list()}


async def unwatch(services: Services, release_id: str) -> None:
    """The execution's end no longer matters to the release."""
    await services.documents(_WATCHED).delete(release_id)


async def _supersede(services: Services, newer: Release) -> None:
    for one in await all_of(services, newer.application):
        if _prefix(one) == _prefix(newer) and one.id != newer.id and one.state in _SERVING:
            await change(services, one, lambda old: _superseded(old, newer))


def _ended(release: Release, state: ReleaseState, at: datetime, because: str) -> Release:
    if release.state is state:
        return release
    return replace(release, state=state, ended_at=at, ended_because=because)


def _superseded(release: Release, newer: Release) -> Release:
    because = f"{newer.server_group} ({newer.version or newer.image}) was released."
    return _ended(release, ReleaseState.SUPERSEDED, newer.released_at, because)


def _serving_again(release: Release) -> Release:
    return replace(release, state=ReleaseState.SETTLED, warm_until=None, ended_at=None, ended_because="")


def _prefix(release: Release) -> str:
    return f"{release.application}/{release.account}/{release.region}/{release.cluster}/"


def _body(release: Release) -> JsonObject:
    body = to_json(release)
    assert isinstance(body, dict)
    return body


def _tell(services: Services, release: Release) -> None:
    body: JsonObject = {"state": release.state.value, "cluster": release.cluster, "serverGroup": release.server_group}
    services.updates.publish(Update(topic="release", id=release.id, application=release.application, body=body))
