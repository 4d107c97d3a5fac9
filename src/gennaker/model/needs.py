"""Needs: which rights a submission or a stage asks for, read off what it would change.

Starting a pipeline takes EXECUTE on its application, and with it the pipeline may change what is the application's own. What is
another application's takes WRITE there; so does what a job changes outside a pipeline. Accounts take WRITE in any case.
"""

import base64
import binascii
from collections.abc import Collection, Iterator

import msgspec

from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, decode_json
from gennaker.model.permissions import ADMINISTRATION, Need, Right

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
"""Of everybody who has signed in, to begin with; what they ask for depends on what is stored (`of_project`, `of_template`)."""


_CANARY = "runCanary"
_NAMING = (
    "cluster",
    "serverGroupName",
    "asgName",
    "resolvedServerGroup",
    "rollbackServerGroupName",
    "restoreServerGroupName",
)
"""Keys under which stages name a cluster or a server group that they act on."""
_SAYING = frozenset(
    {
        *_NAMING,
        "account",
        "credentials",
        "moniker",
        "cluster",
        "clusters",
        "target",
        "rollbackContext",
        "chosenServerGroups",
    }
)
"""Of a stage with none of these nothing is said of what it acts on; every task is asked about it."""
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
        kind = kind_of(job)
        specific = of_definitions(kind, {"application": own, **job})
        if specific is None:
            found.append(Need(right=Right.WRITE, application=own))
            specific = of_targets(job, own)
        found += specific
    return tuple(dict.fromkeys(found))


def kind_of(job: JsonObject) -> str:
    """What will be done: the engine goes by `alias` where there is one."""
    return foreign.text(job.get("alias")) or foreign.text(job.get("type"))


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
    if _SAYING.isdisjoint(context):
        return []
    found: list[Need] = []
    for one in (part for given in (context, *foreign.mappings(context.get("clusters"))) for part in _places(given)):
        accounts = {foreign.text(one.get(key)) for key in ("account", "credentials")} - {""}
        found += [Need(right=Right.WRITE, account=account) for account in sorted(accounts)]
        named = [foreign.text_at(one.get("moniker"), "app"), *filter(None, map(_application_of, _names(one)))]
        if accounts:
            named += [foreign.text(one.get("application")), foreign.text(one.get("app"))]
        found += [
            Need(right=Right.WRITE, application=name)
            for name in dict.fromkeys(named)
            if name and name.lower() != own_application.lower()
        ]
    return list(dict.fromkeys(found))


def _places(given: JsonObject) -> Iterator[JsonObject]:
    """Everything in a stage's context that may say what is acted on: stages read the one or the other first."""
    yield given
    for key in ("cluster", "target"):
        # Orca's rule: the map `cluster` counts as if its keys stood beside it; `target` likewise where it is one.
        if inner := foreign.mapping(given.get(key)):
            yield {**given, **inner}


def _names(given: JsonObject) -> Iterator[str]:
    """Of server groups and clusters."""
    for one in (given, foreign.mapping(given.get("rollbackContext"))):
        for key in _NAMING:
            yield foreign.text(one.get(key))
    yield foreign.text_at(given.get("moniker"), "cluster")
    yield from map(foreign.text, foreign.items(given.get("chosenServerGroups")))


def _application_of(name: str) -> str:
    """With which a server group's or cluster's name begins; none of `deployment web`, which says whose it is elsewhere."""
    return "" if " " in name else name.partition("-")[0]


def of_saving(given: JsonObject, stored: JsonObject | None) -> tuple[Need, ...]:
    """Of whoever saves a pipeline: a right on the application to which it belonged, too, where it is moved."""
    names = [foreign.text(given.get("application"))]
    if stored is not None:
        names.append(foreign.text(stored.get("application")))
    return tuple(Need(right=Right.WRITE, application=name) for name in dict.fromkeys(map(str.lower, names)))


def of_project(
    before: JsonObject | None, after: JsonObject | None, *, is_own: bool, known: Collection[str]
) -> tuple[Need, ...]:
    """Of whoever saves (`before` None: a new one) or deletes (`after` None) a project.

    One's own, which one has saved before, or that of applications which one may change; applications that are added must be
    readable. `known`: applications that are saved, in lower case; others are nobody's.
    """
    had = [name for name in _of_project(before) if name in known]
    added = [name for name in _of_project(after) if name in known and name not in had]
    found = [Need(right=Right.READ, application=name) for name in added]
    if before is not None and not is_own:
        found += [Need(right=Right.WRITE, application=name) for name in had] or [ADMINISTRATION]
    return tuple(found)


def of_template(applications: Collection[str], *, is_new: bool, is_own: bool) -> tuple[Need, ...]:
    """Of whoever changes a template: those with pipelines made from it would change; of one without it is who has saved it before."""
    if applications:
        return tuple(Need(right=Right.WRITE, application=one) for one in applications)
    return () if is_new or is_own else (ADMINISTRATION,)


def _of_project(body: JsonObject | None) -> tuple[str, ...]:
    """Names of the applications that it shows anything of, in lower case."""
    config = foreign.mapping((body or {}).get("config"))
    listed = [
        *foreign.items(config.get("applications")),
        *(name for one in foreign.mappings(config.get("clusters")) for name in foreign.items(one.get("applications"))),
        *(one.get("application") for one in foreign.mappings(config.get("pipelineConfigs"))),
    ]
    return tuple(dict.fromkeys(foreign.text(one).lower() for one in listed if foreign.text(one)))


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
