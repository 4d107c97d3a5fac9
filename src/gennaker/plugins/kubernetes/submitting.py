"""Submitting: a prepared manifest gets to the API server in the way its annotations want. May be repeated.

`apply` forces and leaves kubectl's last-applied annotation behind, by which versions are compared. What kubectl applied by
itself before is first moved to our field manager: else what a manifest no longer says would stay for ever.
"""

from gennaker.interfaces.api_servers import ApiUnavailable
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, encode_sorted
from gennaker.model.problems import Refused
from gennaker.plugins.kubernetes import annotations, manifests
from gennaker.plugins.kubernetes.annotations import Way
from gennaker.plugins.kubernetes.objects import FIELD_MANAGER, Objects

EFFECT = "gennaker.io/effect"
"""Annotation of objects whose names the API server makes: which effect has made them, so that none makes two."""
_LARGEST_COPY = 200_000
"""Bytes: all annotations of an object together may have 262,144."""
_KUBECTL = "kubectl-client-side-apply"
_PLAIN = frozenset({Way.REPLACE, Way.SERVER_SIDE, Way.SERVER_SIDE_FORCED})
"""Which don't leave kubectl's annotation behind."""


async def submit(
    objects: Objects, manifest: JsonObject, way: Way, *, effect: str, is_absent: bool = False
) -> JsonObject:
    """The object as the API server has it now; `is_absent`: nobody but ourselves can have made it. Raises Refused, ApiFailure."""
    if manifests.has_generated_name(manifest):
        return await _create_once(objects, manifest, effect)
    match way:
        case Way.RECREATE:
            await _gone(objects, manifest)
            return await _apply(objects, manifest)
        case Way.REPLACE:
            kept = as_sent(manifest, way)
            return await objects.replace(kept) or await objects.create(kept)
        case Way.SERVER_SIDE | Way.SERVER_SIDE_FORCED:
            return await objects.apply(as_sent(manifest, way), is_forced=way is Way.SERVER_SIDE_FORCED)
        case _:
            return await _apply(objects, manifest, is_absent=is_absent)


def as_sent(manifest: JsonObject, way: Way) -> JsonObject:
    """What becomes of a prepared manifest that has a name: without what is the API server's own, and with a copy of itself."""
    return _remembered(manifest, annotations.APPLIED if way in _PLAIN else annotations.LAST_APPLIED)


async def is_applied(objects: Objects, manifest: JsonObject, way: Way, *, effect: str) -> bool | None:
    """Whether the object is in the cluster as the manifest says, by the copy that it bears; None: it bears none. Raises as `submit`."""
    where = manifests.coordinates(manifest)
    if manifests.has_generated_name(manifest):
        listed = await objects.list(where.kind, where.namespace)
        return any(manifests.annotations(one).get(EFFECT) == effect for one in listed)
    there = await objects.get(where)
    if there is None or manifests.metadata(there).get("deletionTimestamp"):
        return False
    annotation = annotations.APPLIED if way in _PLAIN else annotations.LAST_APPLIED
    copy = manifests.annotations(_remembered(manifest, annotation)).get(annotation)
    return None if copy is None else manifests.annotations(there).get(annotation) == copy


async def _apply(objects: Objects, manifest: JsonObject, *, is_absent: bool = False) -> JsonObject:
    there = None if is_absent else await objects.get(manifests.coordinates(manifest))
    if there is not None:
        await _take_over(objects, there)
    return await objects.apply(as_sent(manifest, Way.APPLY), is_forced=True)


def _remembered(manifest: JsonObject, annotation: str) -> JsonObject:
    """With a copy of itself, as kubectl leaves it, unless that is larger than annotations may be."""
    kept = {key: value for key, value in manifest.items() if key != "status"}
    metadata = {key: value for key, value in manifests.metadata(kept).items() if key != "managedFields"}
    own: JsonObject = {
        key: value for key, value in manifests.annotations(kept).items() if key not in annotations.COPIES
    }
    plain: JsonObject = {**kept, "metadata": {**metadata, "annotations": own}}
    copy = encode_sorted(plain).decode() + "\n"
    if len(copy.encode()) > _LARGEST_COPY:
        return plain
    return {**kept, "metadata": {**metadata, "annotations": {**own, annotation: copy}}}


async def _take_over(objects: Objects, there: JsonObject) -> None:
    """Moves what kubectl manages to our field manager, where it does."""
    entries = foreign.mappings_at(manifests.metadata(there), "managedFields")
    moved: list[Json] = [_moved(one) for one in entries]
    is_ours = any((one.get("manager"), one.get("operation")) == (FIELD_MANAGER, "Apply") for one in entries)
    if moved == entries or is_ours:
        return
    version = manifests.metadata(there).get("resourceVersion")
    patch: Json = [
        {"op": "replace", "path": "/metadata/managedFields", "value": moved},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
    ]
    await objects.patch(manifests.coordinates(there), patch, merge="json")


def _moved(entry: JsonObject) -> JsonObject:
    is_of_kubectl = entry.get("manager") == _KUBECTL and not entry.get("subresource")
    return {**entry, "manager": FIELD_MANAGER, "operation": "Apply"} if is_of_kubectl else entry


async def _gone(objects: Objects, manifest: JsonObject) -> None:
    """Deletes what is there, and comes back once it is gone; failing to delete is no failure, as in Spinnaker."""
    where = manifests.coordinates(manifest)
    try:
        was_there = await objects.delete(where)
    except Refused:
        return
    there = await objects.get(where) if was_there else None
    if there is not None:
        held = manifests.finalizers(there)
        why = f": the finalizers {', '.join(held)} hold it" if held else ""
        raise ApiUnavailable(f"{where.full_name} is being deleted and isn't gone yet{why}.")


async def _create_once(objects: Objects, manifest: JsonObject, effect: str) -> JsonObject:
    where = manifests.coordinates(manifest)
    for one in await objects.list(where.kind, where.namespace):
        if manifests.annotations(one).get(EFFECT) == effect:
            return one
    metadata = manifests.metadata(manifest)
    marked: JsonObject = {**manifests.annotations(manifest), EFFECT: effect}
    return await objects.create({**manifest, "metadata": {**metadata, "annotations": marked}})
