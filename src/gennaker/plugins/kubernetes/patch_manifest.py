"""Patch Manifest: changes a part of an object, by a strategic merge, a JSON merge or JSON operations."""

import msgspec

from gennaker.interfaces import produced
from gennaker.interfaces.stages import StageType, TaskContext
from gennaker.model import foreign
from gennaker.model.artifact import Artifact
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.event import Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import (
    asking,
    changing,
    confidential,
    deploying,
    replacing,
    resolving,
    sources,
    stability,
)
from gennaker.plugins.kubernetes.changing import Change
from gennaker.plugins.kubernetes.objects import PATCH_MEDIA, Objects
from gennaker.plugins.kubernetes.replacing import Binding

_CAUSE = "kubernetes.io/change-cause"


class Spec(resolving.TargetSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    source: str | None = "text"
    patch_body: JsonObject | tuple[JsonObject, ...] | str | None = None
    manifest_artifact_id: str | None = ""
    manifest_artifact: JsonObject | None = None
    required_artifact_ids: tuple[str, ...] | None = ()
    required_artifacts: tuple[JsonObject, ...] | None = ()


async def patch(context: TaskContext) -> TaskResult:
    """Patches, with artifacts substituted unless it is a list of operations."""
    objects = asking.objects(context)
    change, bound = await _change(context, objects)
    try:
        made = await change.make(objects)
    except Refused as refused:
        raise _explained(refused, change) from refused
    outputs: JsonObject = {
        "outputs.manifests": [confidential.without_secrets(made)],
        stability.NAMES: stability.names_by_namespace([made]),
        "outputs.boundArtifacts": to_json(bound),
    }
    return Done(context=outputs, outputs=outputs)


def _explained(refused: Refused, change: Change) -> Refused:
    """Of operations the API server says only that there was "an error in our request"."""
    problem = refused.problems[0]
    if change.merge != "json" or problem.code != "kubernetes.invalid" or problem.remedy:
        return refused
    remedy = "One of the operations' paths may not be in the object as it is now, or a `test` among them has failed."
    return Refused(msgspec.structs.replace(problem, remedy=remedy), status=refused.status)


async def _changes(context: TaskContext, objects: Objects) -> list[Change]:
    return [(await _change(context, objects))[0]]


async def _change(context: TaskContext, objects: Objects) -> tuple[Change, tuple[Artifact, ...]]:
    """And the artifacts that it binds."""
    own = context.stage.context
    where = resolving.target(own)
    live = await resolving.live(objects, where)
    options = foreign.mapping(own.get("options"))
    merge = foreign.text_at(options, "mergeStrategy") or "strategic"
    if merge not in PATCH_MEDIA:
        raise Refused(
            Problem(
                code="manifest.merge_strategy",
                message=f"There is no merge strategy {merge!r}.",
                remedy=f"Use one of {', '.join(PATCH_MEDIA)}.",
                pointer="/options/mergeStrategy",
            )
        )
    body = await _body(context, merge)
    bound: tuple[Artifact, ...] = ()
    if isinstance(body, dict):
        body, bound = _substituted(context, objects, body, live)
    change = Change(where=where, patch=_recorded(body, options), merge=merge, may_add_twice=merge == "json")
    return change, bound


async def _body(context: TaskContext, merge: str) -> Json:
    own = context.stage.context
    given: Json = own.get("patchBody")
    if foreign.text_at(own, "source") == "artifact":
        found = await sources.documents(context)
        given = found if merge == "json" else found[0] if found else None
    if isinstance(given, str):
        found = sources.read_yaml(given.encode())
        given = found if merge == "json" else found[0] if found else None
    if merge != "json" and isinstance(given, list) and len(given) == 1:
        given = given[0]
    if (merge == "json" and isinstance(given, list)) or (merge != "json" and isinstance(given, dict)):
        return given
    raise Refused(
        Problem(
            code="manifest.patch",
            message=f"A patch by {merge} can't be {foreign.described(given)}.",
            remedy="Give `patchBody` a map; for `json` a list of operations.",
            pointer="/patchBody",
        )
    )


def _substituted(
    context: TaskContext, objects: Objects, body: JsonObject, live: JsonObject
) -> tuple[JsonObject, tuple[Artifact, ...]]:
    """The patch is looked at as if it were the object that it patches."""
    request_required = sources.required(context)
    identity = {"apiVersion": live.get("apiVersion"), "kind": live.get("kind"), "metadata": live.get("metadata")}
    binding = Binding.NAME_ONLY if objects.account.settings.match_image_names_only else Binding.NAME_AND_TAG
    found = replacing.replace(
        {**body, **identity},
        (*request_required, *sources.optional(context)),
        account=objects.account.name,
        binding=binding,
    )
    deploying.check_required(request_required, found.bound)
    return {key: found.manifest[key] if key not in identity else body[key] for key in body}, found.bound


def _recorded(body: Json, options: JsonObject) -> Json:
    """`options.record`: the change's cause is written down for the rollout's history."""
    if not foreign.flag(options.get("record")) or not isinstance(body, dict):
        return body
    metadata = foreign.mapping(body.get("metadata"))
    own = {_CAUSE: "patchManifest", **foreign.mapping(metadata.get("annotations"))}
    return {**body, "metadata": {**metadata, "annotations": own}}


stage = stability.waiting_for_it(
    StageType(
        name="patchManifest",
        label="Patch (Manifest)",
        about=__doc__,
        spec=Spec,
        tasks=(
            resolving.task,
            asking.task("patchManifest", patch, stop=changing.stopped(_changes)),
            stability.task,
            produced.task,
        ),
        restart_clears=(*resolving.RESTART_CLEARS, "outputs.manifests", stability.NAMES),
    )
)
