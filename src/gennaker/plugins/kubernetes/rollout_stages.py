"""Rollouts: undoing, pausing, resuming and restarting them, as `kubectl rollout` does.

The revisions of a Deployment are its ReplicaSets, those of StatefulSets and DaemonSets are ControllerRevisions.
"""

from datetime import timedelta

from gennaker.interfaces.stages import StageType, TaskContext
from gennaker.model import foreign, waiting
from gennaker.model.artifact import Plain
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Again, Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import annotations, asking, diagnosing, manifests, resolving, stability
from gennaker.plugins.kubernetes.kinds import Can, Kind
from gennaker.plugins.kubernetes.manifests import Coordinates
from gennaker.plugins.kubernetes.objects import Objects

_RESTARTED = "kubectl.kubernetes.io/restartedAt"
_TEMPLATE_HASH = "pod-template-hash"


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
        return _done(where)  # it has become the newest, under a new number
    patch: Json
    if where.kind.name == "deployment":
        patch = [{"op": "replace", "path": "/spec/template", "value": revisions[number]}]
        await objects.patch(where, patch, merge="json")
    else:
        await objects.patch(where, revisions[number], merge="strategic")
    return _done(where)


async def _revisions(objects: Objects, where: Coordinates, live: JsonObject) -> dict[int, JsonObject]:
    """By number: the pod template, or the patch that brings it back."""
    uid = manifests.metadata(live).get("uid")
    found: dict[int, JsonObject] = {}
    if where.kind.name == "deployment":
        for one in await objects.list(Kind("replicaSet"), where.namespace):
            revision = manifests.annotations(one).get(annotations.REVISION, "")
            if diagnosing.owned_by(one, uid) and revision.isdigit():
                found[int(revision)] = _template(one)
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
    if revision is not None and revision != "":
        number = _number(revision, "revision")
        if number in numbers:
            return number
        raise Refused(_no_revision(f"There is no revision {number}.", numbers))
    place = len(numbers) - _number(1 if back in (None, "") else back, "numRevisionsBack") - 1
    if place < 0:
        raise Refused(_no_revision(f"There are not so many revisions: {len(numbers)}.", numbers))
    return numbers[place]


async def pause(context: TaskContext) -> TaskResult:
    """Changes have no effect until it is resumed."""
    return await _set_paused(context, is_paused=True)


async def resume(context: TaskContext) -> TaskResult:
    """What was changed meanwhile has its effect."""
    return await _set_paused(context, is_paused=False)


async def _set_paused(context: TaskContext, *, is_paused: bool) -> TaskResult:
    objects = asking.objects(context)
    where = resolving.target(context.stage.context)
    _check(objects, where, Can.PAUSE, "paused")
    await objects.patch(where, {"spec": {"paused": is_paused}}, merge="merge")
    return _done(where)


async def restart(context: TaskContext) -> TaskResult:
    """Replaces the pods by new ones of the same version."""
    objects = asking.objects(context)
    where = resolving.target(context.stage.context)
    _check(objects, where, Can.RESTART, "restarted")
    began = (context.stage.start_time or context.at).isoformat()  # the same in a repeat, which then changes nothing
    patch: Json = {"spec": {"template": {"metadata": {"annotations": {_RESTARTED: began}}}}}
    await objects.patch(where, patch, merge="strategic")
    return _done(where)


def _done(where: Coordinates) -> Done:
    names: JsonObject = {stability.NAMES: {where.namespace: [where.full_name]}}
    return Done(context=names, outputs=names)


def _check(objects: Objects, where: Coordinates, can: Can, verb: str) -> None:
    if can not in objects.account.custom.of(where.kind).can:
        raise Refused(
            Problem(
                code="manifest.no_rollout",
                message=f"{where.full_name} can't be {verb}.",
                remedy="Only Deployments, StatefulSets and DaemonSets have rollouts.",
            )
        )


def _number(value: Json, key: str) -> int:
    text = foreign.written(value)
    if not text.isdigit():
        raise Refused(
            Problem(code="manifest.revision", message=f"`{key}` is {value!r}, which is no number.", pointer=f"/{key}")
        )
    return int(text)


def _no_revision(message: str, numbers: list[int]) -> Problem:
    there = ", ".join(map(str, numbers)) or "none"
    return Problem(code="manifest.revision", message=message, remedy=f"There are: {there}.")


def _stage(name: str, label: str, about: str, run: asking.Run, *, waits: bool) -> StageType:
    made = StageType(
        name=name,
        label=label,
        about=about,
        spec=UndoSpec if name == "undoRolloutManifest" else resolving.TargetSpec,
        tasks=(resolving.task, asking.task(name, run), *((stability.task,) if waits else ())),
        restart_clears=resolving.RESTART_CLEARS,
    )
    return stability.waiting_for_it(made) if waits else made


undoing = _stage(
    "undoRolloutManifest",
    "Undo Rollout (Manifest)",
    "Goes back to an earlier revision of a Deployment, StatefulSet or DaemonSet.",
    undo,
    waits=True,
)
pausing = _stage(
    "pauseRolloutManifest", "Pause Rollout (Manifest)", "Pauses a Deployment's rollout.", pause, waits=False
)
resuming = _stage(
    "resumeRolloutManifest", "Resume Rollout (Manifest)", "Goes on with a paused rollout.", resume, waits=True
)
restarting = _stage(
    "rollingRestartManifest",
    "Rolling Restart (Manifest)",
    "Replaces the pods of a workload by new ones of the same version; doesn't wait for them.",
    restart,
    waits=False,
)
