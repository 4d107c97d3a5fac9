"""Cleaning up: versions beyond `max-version-history` are deleted once the new one is stable."""

from gennaker.interfaces.stages import TaskContext
from gennaker.model import foreign
from gennaker.model.codec import Json
from gennaker.model.event import Done, TaskResult
from gennaker.plugins.kubernetes import asking, kinds, manifests, versions


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
    return Done(context={"cleanedUpManifests": gone}) if gone else Done()


task = asking.task("cleanupArtifacts", clean)
