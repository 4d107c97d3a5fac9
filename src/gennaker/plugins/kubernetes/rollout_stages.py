"""Rollouts: undoing, pausing, resuming and restarting them, as `kubectl rollout` does.

The revisions of a Deployment are its ReplicaSets, those of StatefulSets and DaemonSets are ControllerRevisions.
"""

from datetime import timedelta

from gennaker.interfaces.stages import StageType, TaskContext
from gennaker.model import foreign, waiting
from gennaker.model.artifact import Plain
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Again, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import annotations, asking, changing, diagnosing, manifests, resolving, stability
from gennaker.plugins.kubernetes.changing import Change
from gennaker.plugins.kubernetes.kinds import Can, Kind
from gennaker.plugins.kubernetes.manifests import Coordinates
from gennaker.plugins.kubernetes.objects import Objects

_RESTARTED = "kubectl.kubernetes.io/restartedAt"
_TEMPLATE_HASH = "pod-template-hash"
_WAIT = frozenset({"undoRolloutManifest", "resumeRolloutManifest"})
"""Stages that wait until all is stable."""


class UndoSpec(resolving.TargetSpec, frozen=True, kw_only=True, rename="camel"):
    """The JSON of Undo Rollout."""

    revision: Plain | None = None
    num_revisions_back: Plain | None = None


async def undo(context: TaskContext) -> TaskResult:
    """Puts the pod template of an earlier revision back. Once it is back, undoing to it again changes nothing."""
    objects, own = asking.objects(context), context.stage.context
    where = resolving.target(own)
    _check(objects, where, Can.UNDO, "rolled back")
    live = await resolving.live(objects, where)
    revisions = await _revisions(objects, where, live)
    number = context.task.memory.get("revision")
    if not isinstance(number, int):
        # Kept before anything changes: counted back a second time it would be another one.
        chosen = _chosen(own, sorted(revisions))
        waits = waiting.ForWork(reason=f"{where.full_name} to be taken back to revision {chosen}", what="run")
        return Again(after=timedelta(), memory={"revision": chosen}, waiting_for=waits)
    if number not in revisions:
        return stability.changed(where, {})  # it has become the newest, under a new number
    return stability.changed(where, await _back_to(where, revisions[number]).make(objects))


def _back_to(where: Coordinates, revision: JsonObject) -> Change:
    if where.kind.name == "deployment":
        return Change(where=where, patch=[{"op": "replace", "path": "/spec/template", "value": revision}], merge="json")
    return Change(where=where, patch=revision, merge="strategic")


async def _undone(context: TaskContext, objects: Objects) -> list[Change]:
    """For a task that was cancelled: how it is taken back; once it is, its revision has another number, if it still has one."""
    where = resolving.target(context.stage.context)
    revisions = await _revisions(objects, where, await resolving.live(objects, where))
    number = context.task.memory.get("revision")
    if not isinstance(number, int):
        number = _chosen(context.stage.context, sorted(revisions))
    newest = max(revisions, default=number)
    return [_back_to(where, revisions[one]) for one in (number if number in revisions else newest,) if one in revisions]


async def _revisions(objects: Objects, where: Coordinates, live: JsonObject) -> dict[int, JsonObject]:
    """By number: the pod template, or the patch that brings it back."""
    uid = manifests.metadata(live).get("uid")
    found: dict[int, JsonObject] = {}
    if where.kind.name == "deployment":
        for one in await objects.list(Kind("replicaSet"), where.namespace):
            revision = manifests.annotations(one).get(annotations.REVISION, "")
            number = foreign.natural(revision)
            if diagnosing.owned_by(one, uid) and number is not None:
                found[number] = _template(one)
        return found
    for one in await objects.list(Kind("controllerRevision"), where.namespace):
        number = manifests.whole(one.get("revision"))
        if diagnosing.owned_by(one, uid) and number is not None:
            found[number] = foreign.mapping(one.get("data"))
    return found


def _template(replica_set: JsonObject) -> JsonObject:
    """Without the label that the Deployment's controller gives each of its ReplicaSets."""
    template = manifests.copied(foreign.mapping(manifests.spec(replica_set).get("template")))
    labels = foreign.mapping(foreign.mapping(template.get("metadata")).get("labels"))
    labels.pop(_TEMPLATE_HASH, None)
    return template


def _chosen(own: JsonObject, numbers: list[int]) -> int:
    revision, back = own.get("revision"), own.get("numRevisionsBack")
    if back in (None, "") and revision not in (None, ""):
        number = _number(revision, "revision")
        if number in numbers:
            return number
        raise Refused(_no_revision(f"There is no revision {number}.", numbers))
    steps = _number(1 if back in (None, "") else back, "numRevisionsBack")
    place = len(numbers) - steps - 1
    if place < 0:
        raise Refused(_no_revision(f"There are too few revisions to go back {steps}.", numbers))
    return numbers[place]


async def pause(context: TaskContext) -> TaskResult:
    """Changes have no effect until it is resumed."""
    return await _set_paused(context, is_paused=True)


async def resume(context: TaskContext) -> TaskResult:
    """What was changed meanwhile has its effect."""
    return await _set_paused(context, is_paused=False)


async def _set_paused(context: TaskContext, *, is_paused: bool) -> TaskResult:
    objects = asking.objects(context)
    change = _to_pause(context, is_paused=is_paused)
    _check(objects, change.where, Can.PAUSE, "paused")
    return stability.changed(change.where, await change.make(objects))


def _to_pause(context: TaskContext, *, is_paused: bool) -> Change:
    patch: Json = {"spec": {"paused": is_paused}}
    return Change(where=resolving.target(context.stage.context), patch=patch, merge="merge")


async def _paused(context: TaskContext, _: Objects) -> list[Change]:
    return [_to_pause(context, is_paused=True)]


async def _resumed(context: TaskContext, _: Objects) -> list[Change]:
    return [_to_pause(context, is_paused=False)]


async def restart(context: TaskContext) -> TaskResult:
    """Replaces the pods by new ones of the same version."""
    objects = asking.objects(context)
    (change,) = await _restarted(context, objects)
    _check(objects, change.where, Can.RESTART, "restarted")
    return stability.changed(change.where, await change.make(objects))


async def _restarted(context: TaskContext, _: Objects) -> list[Change]:
    began = (context.stage.start_time or context.at).isoformat()  # the same in a repeat, which then changes nothing
    patch: Json = {"spec": {"template": {"metadata": {"annotations": {_RESTARTED: began}}}}}
    return [Change(where=resolving.target(context.stage.context), patch=patch, merge="strategic")]


def _check(objects: Objects, where: Coordinates, can: Can, verb: str) -> None:
    if can not in objects.account.custom.of(where.kind).can:
        raise Refused(
            Problem(
                code="manifest.no_rollout",
                message=f"{where.full_name} can't be {verb}.",
                remedy="Only rollouts of Deployments can be paused."
                if can is Can.PAUSE
                else "Only Deployments, StatefulSets and DaemonSets have rollouts.",
            )
        )


def _number(value: Json, key: str) -> int:
    number = foreign.natural(foreign.written(value))
    if number is None:
        raise Refused(
            Problem(code="manifest.revision", message=f"`{key}` is {value!r}, which is no number.", pointer=f"/{key}")
        )
    return number


def _no_revision(message: str, numbers: list[int]) -> Problem:
    there = ", ".join(map(str, numbers)) or "none"
    return Problem(code="manifest.revision", message=message, remedy=f"There are: {there}.")


def _stage(name: str, label: str, about: str, *, run: asking.Run, changes: changing.Find) -> StageType:
    waits = name in _WAIT
    task = asking.task(name, run, stop=changing.stopped(changes))
    made = StageType(
        name=name,
        label=label,
        about=about,
        spec=UndoSpec if name == "undoRolloutManifest" else resolving.TargetSpec,
        tasks=(resolving.task, task, *((stability.task,) if waits else ())),
        restart_clears=resolving.RESTART_CLEARS,
    )
    return stability.waiting_for_it(made) if waits else made


undoing = _stage(
    "undoRolloutManifest",
    "Undo Rollout (Manifest)",
    "Goes back to an earlier revision of a Deployment, StatefulSet or DaemonSet.",
    run=undo,
    changes=_undone,
)
pausing = _stage(
    "pauseRolloutManifest", "Pause Rollout (Manifest)", "Pauses a Deployment's rollout.", run=pause, changes=_paused
)
resuming = _stage(
    "resumeRolloutManifest", "Resume Rollout (Manifest)", "Goes on with a paused rollout.", run=resume, changes=_resumed
)
restarting = _stage(
    "rollingRestartManifest",
    "Rolling Restart (Manifest)",
    "Replaces the pods of a workload by new ones of the same version; doesn't wait for them.",
    run=restart,
    changes=_restarted,
)
