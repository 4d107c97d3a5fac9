"""Cleaning up once all is stable: versions beyond `max-version-history`, and what the stage prunes."""

from gennaker.interfaces.stages import TaskContext
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.plugins.kubernetes import asking, kinds, manifests, pruning, versions


async def clean(context: TaskContext) -> TaskResult:
    """Deletes the oldest; what is gone already is none the worse."""
    objects = asking.objects(context)
    gone: list[Json] = []
    for one in foreign.mappings_at(context.stage.context, "outputs.manifests"):
        namespace = manifests.namespace(one)
        surplus = (
            versions.surplus(one, await objects.list(kinds.of(one), namespace)) if versions.keeps_history(one) else ()
        )
        for old in surplus:
            await objects.delete(manifests.coordinates(old))
            gone.append(manifests.full_name(old))
    pruned = await pruning.prune(context, objects)
    done: JsonObject = {"cleanedUpManifests": gone} if gone else {}
    return Done(context=done | {"prunedManifests": pruned} if pruned else done)


task = asking.task("cleanupArtifacts", clean)
