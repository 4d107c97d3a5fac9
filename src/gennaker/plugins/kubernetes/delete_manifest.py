"""Delete Manifest: deletes one object, or all that labels select. What isn't there is deleted."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from gennaker.interfaces.api_servers import ApiFailure
from gennaker.interfaces.stages import StageType, TaskContext
from gennaker.model import foreign, half_applied, waiting
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Again, Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import asking, kinds, manifests, pruning, resolving, stability
from gennaker.plugins.kubernetes.manifests import Coordinates
from gennaker.plugins.kubernetes.objects import Objects

_LOOKS_AGAIN = timedelta(milliseconds=500)
_CASCADES = {"true": "background", "false": "orphan"}
_MEANT = "meant"
_AT_A_TIME = 10
_POLICIES = ("background", "foreground", "orphan")


async def delete(context: TaskContext) -> TaskResult:
    """Asks for the deletion of everything that is meant."""
    objects, own = asking.objects(context), context.stage.context
    options = foreign.mapping(own.get("options"))
    cascade, grace = _cascade(options), _grace(options)
    decided = context.task.memory.get(_MEANT)
    if resolving.means_many(own) and not isinstance(decided, list):
        # Kept before the first one goes: what labels select later isn't what was meant, nor does it tell what is gone.
        found = [_remembered(one) for one in await resolving.selected(objects, own)]
        waits = waiting.ForWork(reason=f"{len(found)} objects to be deleted", what="run")
        return Again(after=timedelta(), memory={_MEANT: [*found]}, waiting_for=waits)
    meant = [where for where, _ in _meant(context)]
    for one in meant:
        await objects.delete(one, cascade=cascade, grace_seconds=grace)
    await pruning.forget(context.services, objects, meant)
    names: dict[str, list[Json]] = {}
    for one in meant:
        names.setdefault(one.namespace, []).append(one.full_name)
    return Done(context={stability.NAMES: {**names}}, outputs={stability.NAMES: {**names}})


async def stopped(context: TaskContext) -> JsonObject | None:
    """What a cancelled task has deleted: the cluster is asked, as the task was cut off at any place."""
    if resolving.means_many(context.stage.context) and not context.task.memory.get(_MEANT):
        return None  # nothing was chosen yet
    return await _told(context, _meant(context))


async def stopped_waiting(context: TaskContext) -> JsonObject | None:
    """All were asked to go."""
    return await _told(context, [(one, None) for one in stability.named(context.stage.context.get(stability.NAMES))])


async def _told(context: TaskContext, meant: Sequence[tuple[Coordinates, str | None]]) -> JsonObject:
    try:
        objects = asking.objects(context)
        looks = [partial(_look, objects, where, uid) for where, uid in meant]
        found = await asking.several(looks, at_a_time=_AT_A_TIME)
    except (Refused, ApiFailure) as failure:
        return half_applied.context({}, unknown=[one.full_name for one, _ in meant], reason=str(failure))
    names: dict[str, list[str]] = {
        half_applied.DELETED: [],
        half_applied.BEING_DELETED: [],
        half_applied.NOT_DELETED: [],
    }
    for (where, _), outcome in zip(meant, found, strict=True):
        names[outcome].append(where.full_name)
    return half_applied.context(names)


async def _look(objects: Objects, where: Coordinates, uid: str | None) -> str:
    """What has become of it. Without a uid (None) it was asked to go: what stays is another object of its name."""
    there = await objects.get(where)
    if there is None or (uid and manifests.metadata(there).get("uid") != uid):
        return half_applied.DELETED
    if manifests.metadata(there).get("deletionTimestamp"):
        return half_applied.BEING_DELETED
    return half_applied.DELETED if uid is None else half_applied.NOT_DELETED


def _remembered(live: JsonObject) -> JsonObject:
    return {
        "name": manifests.full_name(live),
        "namespace": manifests.namespace(live),
        "uid": manifests.metadata(live).get("uid"),
    }


def _meant(context: TaskContext) -> list[tuple[Coordinates, str]]:
    """With their uids, where labels have selected them."""
    own = context.stage.context
    if not resolving.means_many(own):
        return [(resolving.target(own), "")]
    found = []
    for one in foreign.mappings(context.task.memory.get(_MEANT)):
        kind, name = kinds.parse_full_name(foreign.text_at(one, "name"))
        where = Coordinates(kind=kind, namespace=foreign.text_at(one, "namespace"), name=name)
        found.append((where, foreign.text_at(one, "uid")))
    return found


async def wait(context: TaskContext) -> TaskResult:
    """Ends when nothing of it is there any more; says what keeps an object from going."""
    objects = asking.objects(context)
    for where in stability.named(context.stage.context.get(stability.NAMES)):
        there = await objects.seen(where)
        if there is not None and not _is_leaving(there):
            there = await objects.get(where)  # the watch may not have seen yet that it goes
        if there is None or not _is_leaving(there):
            continue  # gone, or made anew by somebody
        return Again(after=_LOOKS_AGAIN, waiting_for=_waits(where, there, objects.account.name))
    return Done()


def _is_leaving(there: JsonObject) -> bool:
    return bool(manifests.metadata(there).get("deletionTimestamp"))


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
    seconds = foreign.natural(foreign.written(given))
    if seconds is None:
        raise Refused(
            Problem(
                code="manifest.grace",
                message=f"options.gracePeriodSeconds is {given!r}, which is no number of seconds.",
                pointer="/options/gracePeriodSeconds",
            )
        )
    return seconds


stage = StageType(
    name="deleteManifest",
    label="Delete (Manifest)",
    about=__doc__,
    spec=resolving.TargetSpec,
    tasks=(
        resolving.task,
        asking.task("deleteManifest", delete, stop=stopped),
        asking.task("waitForDeletion", wait, stop=stopped_waiting),
    ),
    restart_clears=resolving.RESTART_CLEARS,
)
