"""Cleaning up once all is stable: versions beyond `max-version-history`, and what the stage prunes."""

from gennaker.interfaces.stages import TaskContext
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.plugins.kubernetes import annotations, asking, kinds, manifests, pruning, versions


async def clean(context: TaskContext) -> TaskResult:
    """Deletes the oldest; what is gone already is none the worse."""
    objects = asking.objects(context)
    gone: list[Json] = []
    there: dict[tuple[str, str], dict[str, list[JsonObject]]] = {}
    for one in foreign.mappings_at(context.stage.context, "outputs.manifests"):
        artifact = annotations.artifact(one)
        if artifact is None or not versions.keeps_history(one):
            continue
        place = (kinds.of(one).key, manifests.namespace(one))
        if place not in there:
            there[place] = versions.by_name(await objects.list(kinds.of(one), manifests.namespace(one)))
        for old in versions.surplus(one, there[place].get(artifact.name or "", [])):
            await objects.delete(manifests.coordinates(old))
            gone.append(manifests.full_name(old))
    pruned = await pruning.prune(context, objects)
    done: JsonObject = {"cleanedUpManifests": gone} if gone else {}
    return Done(context=done | {"prunedManifests": pruned} if pruned else done)


task = asking.task("cleanupArtifacts", clean)
