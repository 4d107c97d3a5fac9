"""Images: which image a cluster gets: its own, the nearest artifact's, or what an earlier stage has found."""

from collections.abc import Iterator

import msgspec

from gennaker.interfaces.stages import StageContext
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution, Stage
from gennaker.model.problems import Problem, Refused

_TYPE = "docker/image"


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """An image, and its version as people name it."""

    reference: str
    version: str = ""


def choose(context: StageContext, image: str | JsonObject | None, version: str | None) -> Chosen:
    """The image to deploy. Raises Refused where none is to be found."""
    known = list(_artifacts(context.execution, context.stage))
    reference = _reference(image) if image else ""
    if not reference and known:
        reference = known[0].reference
    if not reference:
        raise Refused(_none())
    named = version or _version_of(image) or next((one.version for one in known if one.reference == reference), "")
    return Chosen(reference=reference, version=named or tag_of(reference))


def tag_of(reference: str) -> str:
    """The tag of `host:port/name:tag@digest`; a reference without one gives the short digest, or nothing."""
    name, _, digest = reference.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return tag or digest.removeprefix("sha256:")[:12]


def _reference(image: str | JsonObject) -> str:
    if isinstance(image, str):
        return image
    for key in ("pinned", "reference", "imageId", "name"):
        found = image.get(key)
        if isinstance(found, str) and found:
            return found
    return ""


def _version_of(image: str | JsonObject | None) -> str:
    tag = image.get("tag") if isinstance(image, dict) else None
    return tag if isinstance(tag, str) else ""


def _artifacts(execution: Execution, stage: Stage) -> Iterator[Chosen]:
    """Images that the stage may mean: of its own artifacts, of the stages before it, of the trigger.

    Only the pipeline's own stages count: what a canary's hidden stages have looked up is the old version.
    """
    top = stage
    while top.parent_id is not None:
        yield from _of(top.context.get("artifacts"))
        top = execution.stages[top.parent_id]
    yield from _of(top.context.get("artifacts"))
    by_ref = {one.ref_id: one for one in execution.top_level()}
    waiting, seen = [top], {top.ref_id}
    for current in waiting:  # grows while it is read
        for ref in current.requisite_ref_ids:
            if ref in by_ref and ref not in seen:
                seen.add(ref)
                before = by_ref[ref]
                yield from _of(before.outputs.get("artifacts"))
                yield from _of_details(before.outputs.get("deploymentDetails"))
                waiting.append(before)
    yield from _of(execution.head.trigger.get("artifacts"))


def _of(artifacts: Json) -> Iterator[Chosen]:
    for one in artifacts if isinstance(artifacts, list) else []:
        if isinstance(one, dict) and one.get("type") == _TYPE and isinstance(one.get("reference"), str):
            yield Chosen(reference=str(one["reference"]), version=str(one.get("version") or ""))


def _of_details(details: Json) -> Iterator[Chosen]:
    for one in details if isinstance(details, list) else []:
        found = one.get("imageId") or one.get("ami") if isinstance(one, dict) else None
        if isinstance(found, str) and found and isinstance(one, dict):
            yield Chosen(reference=found, version=str(one.get("version") or ""))


def _none() -> Problem:
    return Problem(
        code="deploy.no_image",
        message="There is no image to deploy: the cluster names none, and neither a stage before it nor the trigger has one.",
        remedy='Add `"image"` to the cluster, or start the pipeline by a docker trigger.',
    )
