"""Annotations and labels that Spinnaker writes on what it deploys, and those by which people steer it. Pure.

What a person wrote is never overwritten. Texts are stored bare, everything else as JSON; older Spinnakers stored texts as
JSON too, so quotes around one are taken off when it is read.
"""

from enum import StrEnum

import msgspec

from gennaker.model import foreign
from gennaker.model import moniker as monikers
from gennaker.model.artifact import Artifact
from gennaker.model.codec import Json, JsonObject, decode_json, encode
from gennaker.model.moniker import Moniker
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import kinds, manifests

APPLICATION = "moniker.spinnaker.io/application"
CLUSTER = "moniker.spinnaker.io/cluster"
STACK = "moniker.spinnaker.io/stack"
DETAIL = "moniker.spinnaker.io/detail"
SEQUENCE = "moniker.spinnaker.io/sequence"
ARTIFACT_TYPE = "artifact.spinnaker.io/type"
ARTIFACT_NAME = "artifact.spinnaker.io/name"
ARTIFACT_LOCATION = "artifact.spinnaker.io/location"
ARTIFACT_VERSION = "artifact.spinnaker.io/version"
VERSIONED = "strategy.spinnaker.io/versioned"
MAX_VERSION_HISTORY = "strategy.spinnaker.io/max-version-history"
RECREATE = "strategy.spinnaker.io/recreate"
REPLACE = "strategy.spinnaker.io/replace"
SERVER_SIDE_APPLY = "strategy.spinnaker.io/server-side-apply"
USE_SOURCE_CAPACITY = "strategy.spinnaker.io/use-source-capacity"
LOAD_BALANCERS = "traffic.spinnaker.io/load-balancers"
IGNORE_CACHING = "caching.spinnaker.io/ignore"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
APPLIED = "gennaker.io/applied"
"""The same of what isn't applied in kubectl's way: versions aren't compared by it, as Spinnaker doesn't either."""
APPLIED_BY = "gennaker.io/applied-by"
"""Which stage has applied it last."""
PRUNE = "gennaker.io/prune"
"""`false`: it is never pruned."""
COPIES = frozenset({LAST_APPLIED, APPLIED})
"""What holds a copy of the whole manifest."""
REVISION = "deployment.kubernetes.io/revision"
_APP_NAME = "app.kubernetes.io/name"
MANAGED_BY = "app.kubernetes.io/managed-by"
_SYSTEM = "system:"
_QUOTED = 2


class Way(StrEnum):
    """How a manifest gets to the API server."""

    APPLY = "apply"
    RECREATE = "recreate"
    REPLACE = "replace"
    SERVER_SIDE = "server-side-apply"
    SERVER_SIDE_FORCED = "server-side-apply --force-conflicts"


class Strategy(msgspec.Struct, frozen=True, kw_only=True):
    """What `strategy.spinnaker.io/…` asks for."""

    way: Way = Way.APPLY
    is_versioned: bool | None = None
    """None: it doesn't say."""
    max_version_history: int | None = None
    uses_source_capacity: bool = False


def strategy(manifest: JsonObject) -> Strategy:
    """How its annotations want it deployed. What can't be read counts as not written."""
    own = manifests.annotations(manifest)
    return Strategy(
        way=_way(own),
        is_versioned=_is_true(own[VERSIONED]) if VERSIONED in own else None,
        max_version_history=_whole(own.get(MAX_VERSION_HISTORY, "")),
        uses_source_capacity=_is_true(own.get(USE_SOURCE_CAPACITY, "")),
    )


def _way(own: dict[str, str]) -> Way:
    if _is_true(own.get(RECREATE, "")):
        return Way.RECREATE
    if _is_true(own.get(REPLACE, "")):
        return Way.REPLACE
    wanted = own.get(SERVER_SIDE_APPLY, "")
    if wanted == "force-conflicts":
        return Way.SERVER_SIDE_FORCED
    return Way.SERVER_SIDE if _is_true(wanted) else Way.APPLY


def check_history(manifest: JsonObject, *, keeps_previous: bool) -> None:
    """A strategy that switches back to the version before needs two of them to be kept. Raises Refused."""
    history = strategy(manifest).max_version_history
    if keeps_previous and history is not None and history < 2:
        raise Refused(
            Problem(
                code="manifest.history",
                message=f"{manifests.full_name(manifest)} keeps {history} versions, and blue/green needs the one before.",
                remedy=f"Set its annotation {MAX_VERSION_HISTORY} to 2 or more, or take it off.",
            )
        )


def application(manifest: JsonObject) -> str | None:
    """Whose an object is by its annotation; None: nothing says so."""
    return _text(manifests.annotations(manifest), APPLICATION, None)


def is_of(manifest: JsonObject, name: str) -> bool:
    """Whether its annotation says that it is of the application, which is the same in upper and lower case."""
    said = application(manifest)
    return said is not None and said.lower() == name.lower()


def moniker(manifest: JsonObject) -> Moniker:
    """The moniker of an object: its annotations, else what its name says; stack and detail by annotation only."""
    own = manifests.annotations(manifest)
    parsed = _parsed(manifests.name(manifest))
    sequence = _read(own, SEQUENCE)
    if SEQUENCE not in own and REVISION in own and kinds.of(manifest).name == "replicaSet":
        sequence = _read(own, REVISION)
    elif SEQUENCE not in own:
        sequence = parsed.sequence
    return Moniker(
        app=_text(own, APPLICATION, parsed.app),
        cluster=_text(own, CLUSTER, parsed.cluster),
        stack=_text(own, STACK, None),
        detail=_text(own, DETAIL, None),
        sequence=manifests.whole(sequence),
    )


def _parsed(name: str) -> Moniker:
    if not name.startswith(_SYSTEM):
        return monikers.parse(name)
    cluster, sequence = monikers.without_push(name)
    return Moniker(app="system", cluster=cluster, sequence=sequence)


def artifact(manifest: JsonObject, account: str = "") -> Artifact | None:
    """The artifact that an object was deployed as; None: not by Spinnaker's rules."""
    own = manifests.annotations(manifest)
    kind = _text(own, ARTIFACT_TYPE, None)
    if not kind:
        return None
    return Artifact(
        type=kind,
        name=_text(own, ARTIFACT_NAME, None),
        location=_text(own, ARTIFACT_LOCATION, None),
        version=_text(own, ARTIFACT_VERSION, None),
        reference=manifests.name(manifest),
        metadata={"account": account} if account else {},
    )


def last_applied(manifest: JsonObject) -> JsonObject | None:
    """What was applied last by kubectl's way; None: nothing, or it can't be read."""
    found = _read(manifests.annotations(manifest), LAST_APPLIED)
    return found if isinstance(found, dict) else None


def desired(manifest: JsonObject) -> JsonObject | None:
    """What was applied last, in whichever way; None: nothing says so."""
    found = _read(manifests.annotations(manifest), APPLIED)
    return found if isinstance(found, dict) else last_applied(manifest)


def load_balancers(manifest: JsonObject) -> tuple[str, ...]:
    """The load balancers that it declares, as `"service my-lb"`; a list that can't be read is none."""
    found = _read(manifests.annotations(manifest), LOAD_BALANCERS)
    if not isinstance(found, list):
        return ()
    return tuple(one for one in found if isinstance(one, str))


def is_listed(manifest: JsonObject) -> bool:
    """Whether lists and searches show it: `caching.spinnaker.io/ignore` keeps it out of Spinnaker's cache, which they are made of."""
    return not _is_true(manifests.annotations(manifest).get(IGNORE_CACHING, ""))


def with_load_balancers(manifest: JsonObject, wanted: tuple[str, ...]) -> JsonObject:
    """The manifest with its load balancers declared. Raises Refused where it declares others."""
    own = manifests.annotations(manifest)
    if LOAD_BALANCERS in own:
        declared = load_balancers(manifest)
        if declared == wanted:
            return manifest
        raise Refused(
            Problem(
                code="manifest.load_balancers",
                message=f"{manifests.full_name(manifest)} declares the load balancers {', '.join(declared) or 'none'}, "
                f"and the stage {', '.join(wanted)}.",
                remedy=f"Take off its annotation {LOAD_BALANCERS}, or the stage's services.",
            )
        )
    made = manifests.copied(manifest)
    _store(_annotations_of(made), {LOAD_BALANCERS: list(wanted)})
    return made


def annotated(manifest: JsonObject, moniker: Moniker, artifact: Artifact) -> JsonObject:
    """The manifest and its pod template with moniker and artifact; what was there already stays."""
    written: JsonObject = {
        ARTIFACT_TYPE: artifact.type,
        ARTIFACT_NAME: artifact.name,
        ARTIFACT_LOCATION: artifact.location,
        ARTIFACT_VERSION: artifact.version,
        CLUSTER: moniker.cluster,
        APPLICATION: moniker.app,
        STACK: moniker.stack or None,
        DETAIL: moniker.detail or None,
        SEQUENCE: moniker.sequence,
    }
    made = manifests.copied(manifest)
    _store(_annotations_of(made), written)
    template = manifests.template_metadata(made)
    if template is not None:
        _store(manifests.own_map(template, "annotations"), written)
    return made


def applied_by(manifest: JsonObject, stage: str) -> JsonObject:
    """The manifest marked as this stage's; with no name for it as it is."""
    if not stage:
        return manifest
    made = manifests.copied(manifest)
    _annotations_of(made)[APPLIED_BY] = stage
    return made


def labelled(
    manifest: JsonObject, moniker: Moniker, *, managed_by: str = "spinnaker", skips_template: bool = False
) -> JsonObject:
    """The manifest, and its pod template unless that is skipped, with the labels of what manages it."""
    made = manifests.copied(manifest)
    holders = [manifests.own_map(made, "metadata")]
    template = manifests.template_metadata(made)
    if template is not None and not skips_template:
        holders.append(template)
    for holder in holders:
        own = manifests.own_map(holder, "labels")
        if moniker.app is not None:
            own.setdefault(_APP_NAME, moniker.app)
        own[MANAGED_BY] = managed_by
        if moniker.sequence is not None:
            own[SEQUENCE] = str(moniker.sequence)
    return made


def _annotations_of(manifest: JsonObject) -> JsonObject:
    return manifests.own_map(manifests.own_map(manifest, "metadata"), "annotations")


def _store(annotations: JsonObject, written: JsonObject) -> None:
    for key, value in written.items():
        if value is not None and key not in annotations:
            annotations[key] = value if isinstance(value, str) else encode(value).decode()


def _read(own: dict[str, str], key: str) -> Json:
    try:
        return decode_json(own[key]) if key in own else None
    except msgspec.DecodeError:
        return None


def _text(own: dict[str, str], key: str, default: str | None) -> str | None:
    if key not in own:
        return default
    value = own[key]
    if len(value) < _QUOTED or not (value.startswith('"') and value.endswith('"')):
        return value
    found = _read(own, key)
    return found if isinstance(found, str) else None


def _is_true(value: str) -> bool:
    return value.lower() == "true"


def _whole(value: str) -> int | None:
    """As Guava reads it: without `+`."""
    found = foreign.natural(value.removeprefix("-"))
    return -found if found is not None and value[:1] == "-" else found
