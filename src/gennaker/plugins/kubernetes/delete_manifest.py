"""Delete Manifest: deletes one object, or all that labels select. What isn't there is deleted."""

from datetime import timedelta

from gennaker.interfaces.stages import StageType, TaskContext
from gennaker.model import foreign, waiting
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Again, Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import asking, manifests, pruning, resolving, stability
from gennaker.plugins.kubernetes.manifests import Coordinates

_LOOKS_AGAIN = timedelta(milliseconds=500)
_CASCADES = {"true": "background", "false": "orphan"}
_POLICIES = ("background", "foreground", "orphan")


async def delete(context: TaskContext) -> TaskResult:
    """Asks for the deletion of everything that is meant."""
    objects, own = asking.objects(context), context.stage.context
    options = foreign.mapping(own.get("options"))
    meant = await resolving.selected(objects, own) if resolving.means_many(own) else [resolving.target(own)]
    cascade, grace = _cascade(options), _grace(options)
    for one in meant:
        await objects.delete(one, cascade=cascade, grace_seconds=grace)
    await pruning.forget(context.services, objects, meant)
    names: dict[str, list[Json]] = {}
    for one in meant:
        names.setdefault(one.namespace, []).append(one.full_name)
    return Done(context={stability.NAMES: {**names}}, outputs={stability.NAMES: {**names}})


async def wait(context: TaskContext) -> TaskResult:
    """Ends when nothing of it is there any more; says what keeps an object from going."""
    objects = asking.objects(context)
    for where in stability.named(context.stage.context.get(stability.NAMES)):
        there = await objects.seen(where)
        if there is None or not manifests.metadata(there).get("deletionTimestamp"):
            continue  # gone, or made anew by somebody
        return Again(after=_LOOKS_AGAIN, waiting_for=_waits(where, there, objects.account.name))
    return Done()


def _waits(where: Coordinates, there: JsonObject, account: str) -> waiting.ForObject:
    finalizers = manifests.finalizers(there)
    held = f"the finalizers {', '.join(finalizers)} hold it" if finalizers else "it is being deleted"
    return waiting.ForObject(
        reason=f"{where.full_name} to be gone: {held}",
        kind="manifest",
        name=where.full_name,
        observed=held,
        place=f"{account}/{where.namespace}",
    )


def _cascade(options: JsonObject) -> str:
    orphans, cascading = options.get("orphanDependents"), options.get("cascading")
    if orphans is not None:
        return "orphan" if foreign.flag(orphans) else "background"
    if cascading is None:
        return "background"
    given = foreign.written(cascading).lower()
    found = _CASCADES.get(given, given)
    if found not in _POLICIES:
        raise Refused(
            Problem(
                code="manifest.cascading",
                message=f"options.cascading is {given!r}.",
                remedy=f"Use one of true, false, {', '.join(_POLICIES)}.",
                pointer="/options/cascading",
            )
        )
    return found


def _grace(options: JsonObject) -> int | None:
    given = options.get("gracePeriodSeconds")
    if given is None or given == "":
        return None
    text = foreign.written(given)
    if not text.isdigit():
        raise Refused(
            Problem(
                code="manifest.grace",
                message=f"options.gracePeriodSeconds is {given!r}, which is no number of seconds.",
                pointer="/options/gracePeriodSeconds",
            )
        )
    return int(text)


stage = StageType(
    name="deleteManifest",
    label="Delete (Manifest)",
    about=__doc__,
    spec=resolving.TargetSpec,
    tasks=(resolving.task, asking.task("deleteManifest", delete), asking.task("waitForDeletion", wait)),
    restart_clears=resolving.RESTART_CLEARS,
)
