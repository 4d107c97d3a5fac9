"""Deliveries: a change on its way, joined from the execution that built its image and the one that delivers it.

The joint is the image's digest: the build says which it pushed, the delivery which it was started with or has deployed.
Dry runs deliver nothing.
"""

from collections.abc import Iterable, Iterator

import msgspec

from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution
from gennaker.model.foreign import flag, text_at
from gennaker.web import shapes


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One change."""

    build: Execution | None
    delivery: Execution | None


def join(executions: Iterable[Execution]) -> list[Delivery]:
    """Deliveries, newest first (by whichever of the two is newer)."""
    builds: dict[str, Execution] = {}
    delivering: dict[str, Execution] = {}
    unfinished: list[Execution] = []
    # Of one that was started by its image another, begun by hand with the same image, doesn't take the place.
    real = (one for one in executions if not flag(one.head.trigger.get("dryRun")))
    for one in sorted(real, key=lambda one: (_is_picked_up(one), one.head.build_time, one.head.id)):
        if is_build(one):
            built = built_digest(one)
            if built:
                builds[built] = one
            else:
                unfinished.append(one)
        elif digest := delivered_digest(one):
            delivering[digest] = one
    joined = [
        Delivery(build=builds.get(digest), delivery=delivering.get(digest))
        for digest in builds.keys() | delivering.keys()
    ]
    joined += [Delivery(build=one, delivery=None) for one in unfinished]
    return sorted(joined, key=_at, reverse=True)


def others(executions: Iterable[Execution], joined: Iterable[Delivery], *, most_ended: int) -> list[Execution]:
    """Executions that no delivery shows, each once, newest first: all that go on, and so many that have ended."""
    shown = {one.head.id for found in joined for one in (found.build, found.delivery) if one}
    left = {one.head.id: one for one in executions if one.head.id not in shown}
    newest = sorted(left.values(), key=lambda one: (one.head.build_time, one.head.id), reverse=True)
    ended = {one.head.id for one in [one for one in newest if one.head.status.is_complete][:most_ended]}
    return [one for one in newest if one.head.id in ended or not one.head.status.is_complete]


def newer(found: Delivery) -> Execution:
    """The newer of the two, by which it has its place."""
    return max(
        (one for one in (found.build, found.delivery) if one), key=lambda one: (one.head.build_time, one.head.id)
    )


def is_build(execution: Execution) -> bool:
    """Whether the execution builds an image."""
    return any(stage.type == "build" for stage in execution.top_level())


def built_digest(execution: Execution) -> str:
    """Digest of the image that the execution has built, or nothing."""
    for stage in execution.top_level():
        image = stage.outputs.get("image")
        if stage.type == "build" and isinstance(image, dict) and isinstance(image.get("digest"), str):
            return str(image["digest"])
    return ""


def delivered_digest(execution: Execution) -> str:
    """Digest of the image that the execution was started with, else of the one that it has deployed, or nothing."""
    if _is_picked_up(execution):
        return text_at(execution.head.trigger, "digest")
    return next((found.rpartition("@")[2] for found, _ in _deployed(execution)), "")


def image_of(build: Execution | None, delivery: Execution | None) -> JsonObject | None:
    """Name, tag and digest, as far as they are known; None: there is no image yet."""
    if delivery is not None and _is_picked_up(delivery):
        trigger = delivery.head.trigger
        return {"tag": trigger.get("tag"), "digest": trigger.get("digest"), "name": trigger.get("repository")}
    for stage in build.top_level() if build else ():
        image = stage.outputs.get("image")
        if isinstance(image, dict):
            return image
    for reference, version in _deployed(delivery) if delivery else ():
        name, _, digest = reference.partition("@")
        return {"tag": version or None, "digest": digest, "name": name.rpartition("/")[2].partition(":")[0]}
    return None


def _is_picked_up(execution: Execution) -> bool:
    return execution.head.trigger.get("type") == "docker"


def _deployed(execution: Execution) -> Iterator[tuple[str, str]]:
    """References with digest, and versions, of what the deploy stages of the pipeline have deployed."""
    for stage in execution.in_order():
        parent = execution.stages.get(stage.parent_id or "")
        reference = text_at(stage.context, "imageId")
        if stage.type == "createServerGroup" and parent and parent.type == "deploy" and "@" in reference:
            yield reference, text_at(stage.context, "imageVersion")


def commits_of(build: Execution | None) -> list[JsonObject]:
    """The commits that a build says it contains, newest first."""
    if build is None:
        return []
    for stage in build.top_level():
        commits = stage.outputs.get("commits")
        if isinstance(commits, list):
            return [commit for commit in commits if isinstance(commit, dict)]
    return []


def shape(found: Delivery) -> JsonObject:
    """A delivery as the API shows it."""
    one = found.delivery or found.build
    assert one is not None
    return {
        "id": one.head.id,
        "application": one.head.application,
        "commit": _commit(found.build),
        "branch": found.build.head.trigger.get("branch") if found.build else None,
        "build": shapes.summary(found.build) if found.build else None,
        "image": image_of(found.build, found.delivery),
        "delivery": shapes.summary(found.delivery) if found.delivery else None,
        "isDeployedByBuild": found.build is not None and _deploys(found.build),
        "status": one.head.status.value,
        "currentStage": shapes.current_stage(one),
        "waitingFor": shapes.waiting_for(one),
    }


def _at(found: Delivery) -> tuple[float, str]:
    """By whichever of the two is newer; the ids tell apart what began at the same instant."""
    return max((one.head.build_time.timestamp(), one.head.id) for one in (found.build, found.delivery) if one)


def _commit(build: Execution | None) -> Json:
    commits = commits_of(build)
    if commits:
        return commits[0]
    found = build.head.trigger.get("hash") if build else None
    return {"hash": found, "subject": "", "author": ""} if found else None


def _deploys(execution: Execution) -> bool:
    return any(stage.type == "deploy" for stage in execution.top_level())
