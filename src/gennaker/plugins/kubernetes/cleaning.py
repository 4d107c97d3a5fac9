"""Cleaning up once all is stable: versions beyond `max-version-history`, and what the stage prunes."""

from functools import partial

from gennaker.interfaces.api_servers import ApiFailure
from gennaker.interfaces.stages import TaskContext
from gennaker.model import foreign, half_applied
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.model.problems import Refused
from gennaker.plugins.kubernetes import annotations, asking, cut_off, kinds, manifests, pruning, versions

_AT_A_TIME = 10


async def clean(context: TaskContext) -> TaskResult:
    """Deletes the oldest; what is gone already is none the worse.

    Never what the stage has deployed: a version that is used again keeps its age, and Spinnaker deletes it.
    """
    objects = asking.objects(context)
    deployed = {manifests.coordinates(one).key for one in _deployed(context)}
    gone: list[Json] = []
    there: dict[tuple[str, str], dict[str, list[JsonObject]]] = {}
    for one in _deployed(context):
        artifact = annotations.artifact(one)
        if artifact is None or not versions.keeps_history(one):
            continue
        place = (kinds.of(one).key, manifests.namespace(one))
        if place not in there:
            there[place] = versions.by_name(await objects.list(kinds.of(one), manifests.namespace(one)))
        for old in versions.surplus(one, there[place].get(artifact.name or "", [])):
            where = manifests.coordinates(old)
            if where.key not in deployed:
                await objects.delete(where)
                gone.append(where.full_name)
    pruned = await pruning.prune(context, objects)
    done: JsonObject = {"cleanedUpManifests": gone} if gone else {}
    return Done(context=done | {"prunedManifests": pruned} if pruned else done)


def _deployed(context: TaskContext) -> list[JsonObject]:
    return foreign.mappings_at(context.stage.context, "outputs.manifests")


async def stopped(context: TaskContext) -> JsonObject | None:
    """A task that was cancelled while it deleted: all manifests are applied; which of those to be pruned are gone."""
    told = await cut_off.stopped_waiting(context)
    meant = pruning.to_prune(context)
    if told is None or not meant:
        return told
    try:
        objects = asking.objects(context)
        found = await asking.several([partial(objects.get, one) for one in meant], at_a_time=_AT_A_TIME)
    except (Refused, ApiFailure) as failure:
        unknown: list[Json] = [one.full_name for one in meant]
        return {
            half_applied.KEY: {**foreign.mapping(told[half_applied.KEY]), "unknown": unknown, "reason": str(failure)}
        }
    names = {
        outcome: [one.full_name for one, there in zip(meant, found, strict=True) if _is_gone(there) is outcome]
        for outcome in (True, False)
    }
    deleted: JsonObject = {half_applied.DELETED: [*names[True]], half_applied.NOT_DELETED: [*names[False]]}
    return {half_applied.KEY: {**foreign.mapping(told[half_applied.KEY]), **deleted}}


def _is_gone(there: JsonObject | None) -> bool:
    """Or is about to go."""
    return there is None or bool(manifests.metadata(there).get("deletionTimestamp"))


task = asking.task("cleanupArtifacts", clean, stop=stopped)
