"""Needs: which rights a submission or a stage asks for, read off what it would change.

Starting a pipeline takes EXECUTE on its application, and with it the pipeline may change what is the application's own. What is
another application's takes WRITE there; so does what a job changes outside a pipeline. Accounts take WRITE in any case.
"""

import base64
import binascii

import msgspec

from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, decode_json
from gennaker.model.permissions import Need, Right

_OF_THEIR_APPLICATION = {
    "createApplication": Right.CREATE,
    "upsertApplication": Right.CREATE,
    "updateApplication": Right.WRITE,
    "deleteApplication": Right.WRITE,
}
_OF_THEIR_PIPELINES = ("savePipeline", "updatePipeline", "deletePipeline")
_OF_NO_APPLICATION = frozenset(
    {
        "upsertProject",
        "deleteProject",
        "createV2PipelineTemplate",
        "updateV2PipelineTemplate",
        "deleteV2PipelineTemplate",
    }
)
"""Of everybody who has signed in, as in Spinnaker; templates that pipelines are made from ask for more when they are stored."""


_CANARY = "runCanary"
AD_HOC = "ad-hoc"
"""Kayenta's name for the application of judgements without one: they change nothing of anybody's."""


def of_pipeline_start(config: JsonObject) -> tuple[Need, ...]:
    """Of whoever starts it."""
    return (Need(right=Right.EXECUTE, application=foreign.text(config.get("application"))),)


def of_jobs(config: JsonObject) -> tuple[Need, ...]:
    """Of whoever has jobs done; `config` lists them as `stages` or `job`."""
    own = foreign.text(config.get("application"))
    found: list[Need] = []
    for job in foreign.mappings(config.get("stages") or config.get("job")):
        kind = foreign.text(job.get("type"))
        specific = of_definitions(kind, {"application": own, **job})
        if specific is None:
            found.append(Need(right=Right.WRITE, application=own))
            specific = of_targets(job, own)
        found += specific
    return tuple(dict.fromkeys(found))


def of_stage(kind: str, context: JsonObject, own_application: str) -> tuple[Need, ...]:
    """Of whom a stage runs for, beyond the right to start its pipeline."""
    definitions = of_definitions(kind, {"application": own_application, **context})
    return tuple(dict.fromkeys(of_targets(context, own_application) if definitions is None else definitions))


def of_definitions(kind: str, context: JsonObject) -> list[Need] | None:
    """Of stages that change applications and pipelines; None: it is none of those."""
    if kind in _OF_NO_APPLICATION:
        return []
    right = _OF_THEIR_APPLICATION.get(kind)
    if right is not None:
        return [Need(right=right, application=foreign.text_at(_decoded(context.get("application")), "name"))]
    if kind == _CANARY:
        own = foreign.text(context.get("application"))
        return [Need(right=Right.EXECUTE, application=own)] if own not in ("", AD_HOC) else []
    if kind in _OF_THEIR_PIPELINES:
        listed = [_decoded(context.get("pipeline")), *foreign.items(_decoded(context.get("pipelines")))]
        given = [one for one in listed if isinstance(one, dict)]
        names = [foreign.text(one.get("application")) for one in given]
        return [Need(right=Right.WRITE, application=name) for name in names or [""]]
    if kind == "reorderPipelines":
        decoded = _decoded(context.get("application"))
        return [Need(right=Right.WRITE, application=foreign.text(decoded) or foreign.text(context.get("application")))]
    return None


def of_targets(context: JsonObject, own_application: str) -> list[Need]:
    """Of what is done to server groups, manifests and the like: where, and whose."""
    found: list[Need] = []
    for given in (context, *foreign.mappings(context.get("clusters"))):
        # Orca's rule: the map `cluster` counts as if its keys stood beside it.
        one: JsonObject = {**given, **foreign.mapping(given.get("cluster"))}
        accounts = {foreign.text(one.get(key)) for key in ("account", "credentials")} - {""}
        found += [Need(right=Right.WRITE, account=account) for account in sorted(accounts)]
        moniker = foreign.mapping(one.get("moniker"))
        cluster = foreign.text(one.get("cluster")) or foreign.text(one.get("serverGroupName"))
        named = [foreign.text(moniker.get("app")), cluster.partition("-")[0]]
        if accounts:
            named.append(foreign.text(one.get("application")))
        found += [
            Need(right=Right.WRITE, application=name)
            for name in dict.fromkeys(named)
            if name and name.lower() != own_application.lower()
        ]
    return found


def of_saving(given: JsonObject, stored: JsonObject | None) -> tuple[Need, ...]:
    """Of whoever saves a pipeline: a right on the application to which it belonged, too, where it is moved."""
    names = [foreign.text(given.get("application"))]
    if stored is not None:
        names.append(foreign.text(stored.get("application")))
    return tuple(Need(right=Right.WRITE, application=name) for name in dict.fromkeys(map(str.lower, names)))


def run_as(pipeline: JsonObject) -> tuple[str, ...]:
    """As whom a pipeline's triggers run."""
    named = (foreign.text(one.get("runAsUser")).strip() for one in foreign.mappings(pipeline.get("triggers")))
    return tuple(dict.fromkeys(filter(None, named)))


def _decoded(value: Json) -> Json:
    """Jobs carry documents as base64 of JSON, or as they are."""
    if not isinstance(value, str):
        return value
    try:
        return decode_json(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        return None
