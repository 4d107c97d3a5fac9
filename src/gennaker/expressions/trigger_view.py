"""Triggers, builds and artifacts as expressions see them.

There are three forms of a trigger: the map `trigger` (nothing null in it), the object `execution.trigger`, whose
result is written flat, and what `#toJson` writes of that object, where the fields that its class doesn't know are
under `other`.

Which class a trigger has is decided by the fields that it brings, as Orca does it when it reads one: a manual start that names
a build is a build's trigger, and a `jenkins` trigger without a build number is a plain one.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from gennaker.expressions.conversions import java_text
from gennaker.expressions.values import Objects, Record, Value
from gennaker.model.codec import Json, JsonObject

_TYPED_FIELDS: dict[str, dict[str, Json]] = {
    "jenkins": dict.fromkeys(("master", "job", "buildNumber", "propertyFile", "buildInfo")) | {"properties": {}},
    "concourse": {"buildInfo": None, "properties": {}},
    "docker": dict.fromkeys(("account", "repository", "tag")),
    "git": dict.fromkeys(("hash", "source", "project", "branch", "slug")) | {"action": "undefined"},
    "artifactory": {"artifactorySearchName": None},
    "nexus": {"nexusSearchName": None},
    "pipeline": dict.fromkeys(("parentExecution", "parentPipelineStageId")),
    "plugin": {
        **dict.fromkeys(("pluginId",)),
        "description": "[no description]",
        "provider": "[no provider]",
        **dict.fromkeys(("version", "releaseDate", "requires", "binaryUrl", "preferred")),
    },
}
"""Fields that the class of a trigger has beyond the common ones, with their defaults."""
_TOLD_BY: dict[str, tuple[str, ...]] = {
    "docker": ("account", "repository", "tag"),
    "concourse": (),
    "jenkins": ("master", "job", "buildNumber"),
    "pipeline": ("parentExecution",),
    "artifactory": ("artifactorySearchName",),
    "nexus": ("nexusSearchName",),
    "git": ("source", "project", "branch", "slug", "hash"),
    "plugin": ("pluginId",),
}
"""The fields by which each class is known, in Orca's order; concourse alone is known by its type."""
_DEFAULT = "default"
_COMMON_FIELDS: dict[str, Json] = {
    "type": "none",
    "correlationId": None,
    "user": "[anonymous]",
    "parameters": {},
    "artifacts": [],
    "notifications": [],
    "rebake": False,
    "dryRun": False,
    "strategy": False,
}
_LATE_FIELDS = ("buildInfo", "properties")
_ARTIFACT: dict[str, Json] = {
    "type": None,
    "customKind": False,
    **dict.fromkeys(("name", "version", "location", "reference")),
    "metadata": {},
    **dict.fromkeys(("artifactAccount", "provenance", "uuid")),
}
_BUILD: dict[str, Json] = dict.fromkeys(("name", "number", "url", "result", "artifacts", "scm")) | {"building": False}
_SOURCE = ("name", "branch", "sha1")
_BUILD_ARTIFACT = ("fileName", "relativePath")


def trigger_map(raw: JsonObject) -> JsonObject:
    """A trigger as a map with the fields that Orca always gives it, without those that are null."""
    return {key: _without_nulls(value) for key, value in _flat(raw).items() if value is not None}


def _without_nulls(value: Json) -> Json:
    if isinstance(value, dict):
        if not any(item is None or isinstance(item, (dict, list)) for item in value.values()):
            return value
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _class_of(raw: JsonObject) -> str:
    """Of which of Orca's classes the trigger is."""
    for one, keys in _TOLD_BY.items():
        if all(raw.get(key) is not None for key in keys) and (keys or raw.get("type") == one):
            return one
    return _DEFAULT


def _fields_of(raw: JsonObject) -> dict[str, Json]:
    return _TYPED_FIELDS.get(_class_of(raw), {})


def _flat(raw: JsonObject) -> JsonObject:
    """All fields in one map, null ones too."""
    typed = _fields_of(raw)
    defaults: JsonObject = {
        **_COMMON_FIELDS,
        **{key: value for key, value in typed.items() if key not in _LATE_FIELDS},
        "resolvedExpectedArtifacts": [],
        **{key: typed[key] for key in _LATE_FIELDS if key in typed},
    }
    made: JsonObject = {**defaults, **raw}
    for key, default in defaults.items():
        if made[key] is None:
            made[key] = default
    return made


def scm_commits(trigger: JsonObject) -> list[Value]:
    """The commits of a build trigger as objects; none where it isn't one."""
    build = trigger.get("buildInfo")
    entries = build.get("scm") if isinstance(build, dict) and _class_of(trigger) in ("jenkins", "concourse") else None
    return [_source(entry) for entry in objects(entries)]


def scm_info(commits: list[Value]) -> Value:
    """Of several commits the first that is on neither master nor develop, else the first; null of none."""
    if len(commits) >= 2:
        for commit in commits:
            raw = commit.raw if isinstance(commit, Record) else commit
            if isinstance(raw, dict) and raw.get("branch") not in ("master", "develop"):
                return commit
    return commits[0] if commits else None


def objects(value: Json) -> list[JsonObject]:
    """The maps in a list; none where it isn't a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def reads(raw: JsonObject, keys: Iterable[str]) -> dict[str, Callable[[], Value]]:
    """Properties that are keys of a map."""
    return {key: partial(raw.get, key) for key in keys}


def record(type_name: str, raw: Json, keys: Iterable[str]) -> Value:
    """An object with some keys of a map as properties; null where there is no map."""
    if not isinstance(raw, dict):
        return None
    if type_name in _SHOWN_BY_FIELDS:
        return Record(type_name, lambda: _shown(type_name, {key: raw.get(key) for key in keys}), raw, reads(raw, keys))
    label = raw.get("name")
    return Record(type_name, label if isinstance(label, str) else "", raw, reads(raw, keys))


_SHOWN_BY_FIELDS = frozenset({"Artifact", "SourceControl"})


def _shown(type_name: str, fields: Mapping[str, Value]) -> str:
    """The text of an object that shows its fields."""
    return f"{type_name}({', '.join(f'{key}={java_text(value)}' for key, value in fields.items())})"


def _source(raw: JsonObject) -> Value:
    full: JsonObject = {**dict.fromkeys(_SOURCE), **raw}
    return record("SourceControl", full, _SOURCE)


def artifact_json(raw: JsonObject) -> JsonObject:
    """An artifact with all fields of its class, null ones too."""
    made: JsonObject = {key: raw.get(key) for key in _ARTIFACT}
    made["customKind"] = raw.get("customKind") or False
    made["metadata"] = raw.get("metadata") or {}
    return made


def artifact(raw: Json) -> Value:
    """The object of an artifact; null where there is none."""
    return record("Artifact", artifact_json(raw), _ARTIFACT) if isinstance(raw, dict) else None


def _expected_json(raw: JsonObject) -> JsonObject:
    def of(key: str) -> Json:
        value = raw.get(key)
        return artifact_json(value) if isinstance(value, dict) else None

    return {
        "matchArtifact": of("matchArtifact"),
        "usePriorArtifact": raw.get("usePriorArtifact") or False,
        "useDefaultArtifact": raw.get("useDefaultArtifact") or False,
        "defaultArtifact": of("defaultArtifact"),
        "id": raw.get("id"),
        "boundArtifact": of("boundArtifact"),
    }


def expected(raw: JsonObject) -> Record:
    """The object of an expected artifact."""
    full = _expected_json(raw)
    properties: dict[str, Callable[[], Value]] = {
        **reads(full, ("id", "usePriorArtifact", "useDefaultArtifact")),
        **{key: partial(artifact, raw.get(key)) for key in ("matchArtifact", "boundArtifact", "defaultArtifact")},
    }

    def label() -> str:
        return _shown("ExpectedArtifact", {key: properties[key]() for key in full})

    return Record("ExpectedArtifact", label, full, properties)


def _build_json(raw: JsonObject, kind: str) -> JsonObject:
    fields: JsonObject = {**_BUILD, **({"timestamp": None} if kind == "jenkins" else {})}
    full: JsonObject = {key: raw.get(key, absent) for key, absent in fields.items()}
    if full["scm"] is not None:
        full["scm"] = [{key: item.get(key) for key in _SOURCE} for item in objects(full["scm"])]
    if kind == "jenkins" and full["artifacts"] is not None:
        listed = objects(full["artifacts"])
        full["artifacts"] = [{key: item[key] for key in _BUILD_ARTIFACT if key in item} for item in listed]
    full["building"] = full["building"] or False
    for key in ("number", "timestamp"):
        if isinstance(given := full.get(key), str) and given.lstrip("-").isdecimal() and len(given) < 20:
            full[key] = int(given)
    full["fullDisplayName"] = raw.get("fullDisplayName") or f"{raw.get('name')}#{raw.get('number')}"
    return full


def _build(raw: Json, kind: str) -> Value:
    if not isinstance(raw, dict):
        return None
    full = _build_json(raw, kind)

    def each(key: str, make: Callable[[JsonObject], Value]) -> Value:
        return None if full[key] is None else _all(make, full[key])

    properties = {
        **reads(full, full),
        "artifacts": lambda: each("artifacts", lambda item: record("JenkinsArtifact", item, _BUILD_ARTIFACT)),
        "scm": lambda: each("scm", _source),
    }
    return Record(f"{kind.title()}BuildInfo", str(raw.get("name")), full, properties)


def trigger(raw: JsonObject, parent: Callable[[JsonObject], tuple[Value, Value, Json]]) -> Record:
    """The object of a trigger; `parent` makes the objects of a parent execution and stage, and the former's JSON."""
    full = _flat(raw)
    kind = _class_of(raw)
    typed = _TYPED_FIELDS.get(kind, {})
    parts = {"artifacts": artifact, "resolvedExpectedArtifacts": expected}
    properties: dict[str, Callable[[], Value]] = {
        **reads(full, (*_COMMON_FIELDS, *typed, "resolvedExpectedArtifacts")),
        **{key: partial(_all, make, full[key]) for key, make in parts.items()},
        "other": lambda: raw,
    }
    properties["notifications"] = lambda: Objects(objects(full["notifications"]))
    if "buildInfo" in properties:
        properties["buildInfo"] = partial(_build, full.get("buildInfo"), kind)
    if isinstance(full.get("parentExecution"), dict):
        full["parentExecution"] = {**raw["parentExecution"]} if isinstance(raw["parentExecution"], dict) else None
    if kind == "pipeline":
        properties["parentStage"] = lambda: None
        if isinstance(full.get("parentExecution"), dict):
            properties["parentExecution"] = lambda: parent(raw)[0]
            properties["parentStage"] = lambda: parent(raw)[1]
    type_name = f"{kind.title()}Trigger"

    def label() -> str:
        flags = {"rebake": "isRebake", "dryRun": "isDryRun", "strategy": "isStrategy"}
        shown = (*_COMMON_FIELDS, *(key for key in typed if key not in _LATE_FIELDS))
        return _shown(type_name, {flags.get(key, key): properties[key]() for key in shown})

    return Record(type_name, label, full, properties, bean=lambda: _bean(raw, full, parent))


def _all(make: Callable[[JsonObject], Value], given: Json) -> Value:
    return Objects(make(item) for item in objects(given))


def _bean(raw: JsonObject, full: JsonObject, parent: Callable[[JsonObject], tuple[Value, Value, Json]]) -> JsonObject:
    """What `#toJson` writes: the fields of the class in their order, all else under `other`."""
    kind, build = _class_of(raw), full.get("buildInfo")
    is_build = kind in ("jenkins", "concourse")
    late: JsonObject = {"buildInfo": _build_json(build, kind) if isinstance(build, dict) else None} if is_build else {}
    late |= {"properties": full["properties"]} if is_build else {}
    early = {key: full[key] for key in _fields_of(raw) if key not in late}
    if isinstance(early.get("parentExecution"), dict):
        early["parentExecution"] = parent(raw)[2]
    return {
        **{key: full[key] for key in ("type", "correlationId", "user", "parameters")},
        "artifacts": [artifact_json(item) for item in objects(full["artifacts"])],
        "notifications": full["notifications"],
        **early,
        "other": raw,
        "resolvedExpectedArtifacts": [_expected_json(item) for item in objects(full["resolvedExpectedArtifacts"])],
        **late,
        **{key: full[key] for key in ("rebake", "dryRun", "strategy")},
    }
