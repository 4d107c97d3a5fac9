"""The helper functions of expressions, `#name(…)`.

Pure ones are computed here. Those that must ask something outside get a `Lookup` from the caller; without one they
fail with a sentence. Functions marked `takes_execution` get `#root.execution` as their first argument by a rewriting
of the text, as in Orca: see `rewritten`.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeAlias
from urllib.parse import urlsplit

import msgspec

from gennaker.expressions import work, yaml_text
from gennaker.expressions.conversions import java_text, to_json
from gennaker.expressions.execution_view import ExecutionView
from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.hashing import in_table_order
from gennaker.expressions.number_text import parse_real, parse_whole
from gennaker.expressions.root import Scene
from gennaker.expressions.trigger_view import artifact, objects
from gennaker.expressions.values import (
    INT_MAX,
    INT_MIN,
    MISSING,
    Float,
    NotEvaluable,
    Objects,
    Record,
    Value,
)
from gennaker.model.codec import Json, JsonObject


class Lookup(Protocol):
    """What functions ask outside. Implementations raise `LookupFailed` with a sentence for the user."""

    def fetch(self, url: str) -> str:
        """The text at a URL (http or https); must refuse private addresses by its own means."""
        ...

    def fetch_reference(self, reference: str) -> str:
        """The base64 content of an artifact-store reference `ref://…`."""
        ...

    def pipeline_id(self, name: str, application: str) -> str | None:
        """The id of a pipeline, None where there is none."""
        ...

    def application_metadata(self, name: str) -> JsonObject | None:
        """An application's attributes, None where there is no such application."""
        ...

    def canary_config_id(self, name: str, application: str) -> str | None:
        """The id of a canary config, None where there is none."""
        ...


class LookupFailed(Exception):
    """A lookup couldn't be answered; the text says why."""


class Call(msgspec.Struct, frozen=True):
    """What a function may know besides its arguments."""

    scene: Scene
    lookup: Lookup | None


Code: TypeAlias = Callable[..., Value]


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """One function: its parameters' Java types and its code, called with a `Call` and the converted arguments."""

    parameters: tuple[str, ...]
    code: Code
    takes_execution: bool = False
    """The first parameter is the execution, added by rewriting; `code` gets it as an `ExecutionView`."""
    is_variable: bool = False
    """The last parameter takes all further arguments."""
    characters_per_step: float = 64
    """How much text the function gets through in the time of one node."""


_NEEDLE = "( #root.execution, "
_ALIAS = "deployedServerGroups"


def rewritten(text: str, functions: Mapping[str, Function]) -> str:
    """The text with the execution added to calls that need it.

    It is textual, as in Orca: it also happens in plain text and in quotes, not where a space stands before the
    bracket, and not at all for a function of which one call is already written out.
    """
    if "#" in text:
        for name in _aware(functions):
            call = f"#{name}("
            if call in text and f"#{name}{_NEEDLE}" not in text:
                text = text.replace(call, f"#{name}{_NEEDLE}")
    if _ALIAS in text and f"#{_ALIAS}" not in text:
        text = text.replace(_ALIAS, f"#{_ALIAS}( #root.execution)")
    return text


def places_of(text: str, expanded: str) -> list[int]:
    """For each offset in a rewritten text, and its end, the offset in the text as it was written."""
    places: list[int] = []
    here = 0
    while len(places) < len(expanded):
        there = len(places)
        if expanded.startswith(_NEEDLE, there) and not text.startswith(_NEEDLE, here):
            places += [here, *[here + 1] * (len(_NEEDLE) - 1)]
            here += 1
        elif expanded.startswith(f"#{_ALIAS}( #root.execution)", there) and not text.startswith("#", here):
            places += [here, *range(here, here + len(_ALIAS)), *[here + len(_ALIAS)] * len("( #root.execution)")]
            here += len(_ALIAS)
        else:
            places.append(here)
            here += 1
    return [*places, here]


def _aware(functions: Mapping[str, Function]) -> Iterable[str]:
    if functions is FUNCTIONS:
        return _AWARE
    return [name for name, function in functions.items() if function.takes_execution]


def _failed(message: str) -> ExpressionError:
    return ExpressionError(Kind.FUNCTION_FAILED, message)


def _given(value: str | None, what: str) -> str:
    if value is None:
        raise _failed(f"The {what} is null.")
    return value


# -- text and data ------------------------------------------------------------------------------------------------


def _to_int(_call: Call, text: str | None) -> int:
    number = parse_whole(_given(text, "text for #toInt"), "#toInt")
    if not INT_MIN <= number <= INT_MAX:
        raise _failed(f"The number {number} is too large for #toInt.")
    return number


def _to_float(_call: Call, text: str | None) -> Float:
    return Float.of(parse_real(_given(text, "text for #toFloat")))


def _from_base64(_call: Call, text: str | None) -> str:
    given = _given(text, "text for #fromBase64")
    try:
        return base64.b64decode(given + "=" * (-len(given) % 4), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError) as cause:
        raise _failed("The text isn't base64.") from cause


def _to_json(_call: Call, value: Value) -> str:
    is_marked = isinstance(value, NotEvaluable)
    pieces: list[str] = []
    _write_json(to_json(value.expression if isinstance(value, NotEvaluable) else value, is_bean=True), pieces)
    written = "".join(pieces)
    work.spend(max(len(written) >> 2, len(pieces)))
    if not is_marked and "${" in written:
        raise _failed("The result of #toJson would contain an expression. Wrap the value in #doNotEval(…).")
    return written


_ESCAPES = {number: f"\\u{number:04X}" for number in range(32)}
_ESCAPES |= {ord(plain): f"\\{letter}" for plain, letter in zip('\b\f\n\r\t"\\', 'bfnrt"\\', strict=True)}


def json_text(value: Json) -> str:
    """JSON without spaces, keys in order, numbers as Java prints them."""
    pieces: list[str] = []
    _write_json(value, pieces)
    return "".join(pieces)


def _write_json(value: Json, pieces: list[str]) -> None:
    if isinstance(value, str):
        pieces.append(f'"{value.translate(_ESCAPES)}"')
    elif isinstance(value, dict):
        for index, (key, item) in enumerate(value.items()):
            pieces.append(f'{"," if index else "{"}"{key.translate(_ESCAPES)}":')
            _write_json(item, pieces)
        pieces.append("}" if value else "{}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            pieces.append("," if index else "[")
            _write_json(item, pieces)
        pieces.append("]" if value else "[]")
    else:
        pieces.append(java_text(value))


def read_json(text: str | None) -> Value:
    """A map or a list (which must begin with `[` at once) from JSON. Raises FUNCTION_FAILED."""
    given = _given(text, "JSON text")
    try:
        value: Value = _DECODER.raw_decode(given.lstrip(" \t\r\n"))[0]  # what follows it is ignored, as by Jackson
    except (ValueError, RecursionError) as cause:
        raise _failed(f"The text isn't JSON: {given[:60]!r}.") from cause
    fits = isinstance(value, list) if given.startswith("[") else value is None or isinstance(value, dict)
    if not fits:
        raise _failed("#readJson reads only maps and lists; nothing may stand before the bracket of a list.")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _read_properties(text: str) -> JsonObject:
    r"""Java's .properties: `key=value`, `key: value` or `key value`; # and ! begin comments; \\ continues a line."""
    found: JsonObject = {}
    joined = re.sub(r"\\\r?\n[ \t]*", "", text)
    for line in joined.splitlines():
        stripped = line.strip()
        if not stripped or stripped[0] in "#!":
            continue
        match = re.match(r"((?:\\.|[^\s=:\\])*)\s*[=:]?\s*(.*)", stripped)
        if match is not None:
            found[re.sub(r"\\(.)", r"\1", match[1])] = match[2]
    return found


# -- the execution ------------------------------------------------------------------------------------------------


def _map(raw: JsonObject, key: str) -> JsonObject:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def _stage(_call: Call, view: ExecutionView, name: str | None) -> Record:
    found = view.named(name or "")
    if found is None:
        known = ", ".join(str(stage.get("name")) for stage in view.stages[:20])
        raise _failed(f"The execution has no stage named {name!r}. It has: {known}.")
    return view.stage(found)


def _stage_by_ref(_call: Call, view: ExecutionView, ref: str | None) -> Record:
    found = view.by_ref(ref or "")
    if found is None:
        raise _failed(f"The execution has no stage with the refId {ref!r}.")
    return view.stage(found)


def _current_stage(call: Call, view: ExecutionView) -> Record:
    found = view.find(call.scene.root.stage_id)
    if found is None:
        raise _failed("There is no current stage here.")
    return view.stage(found)


def _judgment(_call: Call, view: ExecutionView, name: str | None) -> Value:
    for stage in view.stages:
        if stage.get("type") == "manualJudgment" and stage.get("name") == name:
            given = view.names(stage).get("judgmentInput")
            if isinstance(given, str) and given:
                return given
    raise _failed(f"There is no manual judgment named {name!r} with an input.")


_DEPLOYING = frozenset({"deploy", "createServerGroup", "cloneServerGroup", "rollingPush"})


def _deployed_server_groups(_call: Call, view: ExecutionView, wanted: list[str]) -> Value:
    found = Objects()
    for stage in view.stages:
        is_meant = not wanted or stage.get("name") in wanted or stage.get("id") in wanted
        if stage.get("type") not in _DEPLOYING or stage.get("status") != "SUCCEEDED" or not is_meant:
            continue
        if "deploy.server.groups" in _map(stage, "context"):
            found += _deployed(view, stage)
    return found


def _deployed(view: ExecutionView, stage: JsonObject) -> list[Value]:
    names = view.names(stage)
    zones = names.get("availabilityZones")
    region = names.get("region")
    if region in (None, MISSING):
        region = next(iter(zones), None) if isinstance(zones, dict) else None
    if not isinstance(region, str):
        return []
    made: dict[str, Value] = {key: view.value_at(stage, key) for key in ("account", "capacity", "parentStage")}
    made["region"] = region
    for detail in objects(view.value_at(stage, "deploymentDetails")):
        if detail.get("region") == region:
            made.update(detail)
    groups = names.get("deploy.server.groups")
    listed = groups.get(region) if isinstance(groups, dict) else None
    if isinstance(listed, list):
        if not listed:
            raise _failed(f"The stage {stage.get('name')!r} lists no server group for {region}.")
        made["serverGroup"] = listed[0]
    results = [
        result for task in objects(view.value_at(stage, "kato.tasks")) for result in objects(task.get("resultObjects"))
    ]
    made["deployments"] = [deployment for result in results for deployment in objects(result.get("deployments"))]
    return [{key: made[str(key)] for key in in_table_order(made)}]


def _manifest_label(_call: Call, view: ExecutionView, name: str | None, kind: str | None, label: str | None) -> Value:
    if kind not in ("Deployment", "ReplicaSet"):
        raise _failed("#manifestLabelValue knows only the kinds Deployment and ReplicaSet.")
    key = _given(label, "key of the label")
    for stage in view.stages:
        if stage.get("type") != "deployManifest" or stage.get("status") != "SUCCEEDED" or stage.get("name") != name:
            continue
        manifests = objects(view.value_at(stage, "outputs.manifests"))
        fitting = next((manifest for manifest in manifests if manifest.get("kind") == kind), {})
        labels = _map(_map(_map(_map(fitting, "spec"), "template"), "metadata"), "labels")
        if not isinstance(labels.get(key), str):
            raise _failed(f"The first {kind} of the stage {name!r} has no label {key!r}.")
        return labels[key]
    raise _failed(f"There is no succeeded deployManifest stage named {name!r}.")


def _resolved(view: ExecutionView, matches: Callable[[JsonObject], bool], wanted: str | None) -> Value:
    for expected in objects(_map(view.raw, "trigger").get("resolvedExpectedArtifacts")):
        bound = expected.get("boundArtifact")
        if isinstance(bound, dict) and matches(bound):
            return artifact(bound)
    raise _failed(f"The trigger has no resolved artifact {wanted!r}.")


def _resolved_artifact(_call: Call, view: ExecutionView, name: str | None) -> Value:
    return _resolved(view, lambda artifact: artifact.get("name") == name, name)


def _resolved_artifact_by_type(_call: Call, view: ExecutionView, kind: str | None) -> Value:
    return _resolved(view, lambda artifact: artifact.get("type") == kind, kind)


def _resolved_artifacts(_call: Call, view: ExecutionView) -> Value:
    return Objects(artifact for stage in view.stages for artifact in objects(_map(stage, "outputs").get("artifacts")))


def _service_key(_call: Call, view: ExecutionView, name: str | None) -> Value:
    for stage in view.stages:
        is_meant = stage.get("type") == "createServiceKey" and name in (stage.get("name"), stage.get("id"))
        if is_meant and stage.get("status") == "SUCCEEDED":
            return view.value_at(stage, "serviceKey") or {}
    return {}


# -- questions to the outside -------------------------------------------------------------------------------------


def _lookup(call: Call) -> Lookup:
    if call.lookup is None:
        raise _failed("This function has to ask other systems, which isn't possible here.")
    return call.lookup


def _fetched(call: Call, url: str | None) -> str:
    given = _given(url, "URL")
    try:
        parts = urlsplit(given)
        host = parts.hostname or ""
    except ValueError as cause:
        raise _failed(f"{given[:80]!r} isn't a URL.") from cause
    if parts.scheme not in ("http", "https") or not host:
        raise _failed(f"Only http and https URLs can be read, not {given[:80]!r}.")
    return _lookup(call).fetch(given)


def _pipeline_id(call: Call, view: ExecutionView, name: str | None) -> Value:
    found = _pipeline_id_or_null(call, view, name)
    if found is None:
        raise _failed(f"The application has no pipeline named {name!r}.")
    return found


def _pipeline_id_or_null(call: Call, view: ExecutionView, name: str | None) -> Value:
    application = view.raw.get("application")
    return _lookup(call).pipeline_id(name or "", application if isinstance(application, str) else "")


def _reference(call: Call, reference: str | None) -> Value:
    is_stored = reference is not None and reference.startswith("ref://")
    return _lookup(call).fetch_reference(reference) if reference is not None and is_stored else reference


def _aware_of(code: Code, *parameters: str, is_variable: bool = False) -> Function:
    return Function(parameters=parameters, code=code, takes_execution=True, is_variable=is_variable)


def _of(code: Code, *parameters: str) -> Function:
    return Function(parameters=parameters, code=code)


def _yaml_of(code: Code) -> Function:
    return Function(parameters=("String",), code=code, characters_per_step=1 / 4)


FUNCTIONS: Mapping[str, Function] = {
    "alphanumerical": _of(lambda call, text: re.sub("[^A-Za-z0-9]", "", _given(text, "text")), "String"),
    "toInt": _of(_to_int, "String"),
    "toFloat": _of(_to_float, "String"),
    "toBoolean": _of(lambda call, text: (text or "").lower() == "true", "String"),
    "toBase64": _of(
        lambda call, text: base64.b64encode(_given(text, "text").encode("utf-8", "replace")).decode(), "String"
    ),
    "fromBase64": _of(_from_base64, "String"),
    "toJson": _of(_to_json, "Object"),
    "doNotEval": _of(lambda call, value: NotEvaluable(value), "Object"),
    "readJson": _of(lambda call, text: read_json(text), "String"),
    "readYaml": _yaml_of(lambda call, text: yaml_text.read(_given(text, "YAML text"))),
    "readAllYaml": _yaml_of(lambda call, text: yaml_text.read_all(_given(text, "YAML text"))),
    "stage": _aware_of(_stage, "String"),
    "stageByRefId": _aware_of(_stage_by_ref, "String"),
    "stageExists": _aware_of(lambda call, view, name: view.named(name or "") is not None, "String"),
    "currentStage": _aware_of(_current_stage),
    "currentUser": _of(lambda call: call.scene.root.user),
    "judgment": _aware_of(_judgment, "String"),
    "judgement": _aware_of(_judgment, "String"),
    "deployedServerGroups": _aware_of(_deployed_server_groups, "String", is_variable=True),
    "manifestLabelValue": _aware_of(_manifest_label, "String", "String", "String"),
    "triggerResolvedArtifact": _aware_of(_resolved_artifact, "String"),
    "triggerResolvedArtifactByType": _aware_of(_resolved_artifact_by_type, "String"),
    "resolvedArtifacts": _aware_of(_resolved_artifacts),
    "cfServiceKey": _aware_of(_service_key, "String"),
    "fromUrl": _of(_fetched, "String"),
    "jsonFromUrl": _of(lambda call, url: read_json(_fetched(call, url)), "String"),
    "yamlFromUrl": _of(lambda call, url: yaml_text.read(_fetched(call, url)), "String"),
    "propertiesFromUrl": _of(lambda call, url: _read_properties(_fetched(call, url)), "String"),
    "fetchReference": _of(_reference, "String"),
    "pipelineId": _aware_of(_pipeline_id, "String"),
    "pipelineIdOrNull": _aware_of(_pipeline_id_or_null, "String"),
    "pipelineIdInApplication": _aware_of(
        lambda call, view, name, application: _lookup(call).pipeline_id(name or "", application or ""),
        "String",
        "String",
    ),
    "applicationMetadata": _of(lambda call, name: _lookup(call).application_metadata(name or ""), "String"),
    "canaryConfigNameToId": _of(
        lambda call, name, application: _lookup(call).canary_config_id(name or "", application or ""),
        "String",
        "String",
    ),
}
_AWARE = tuple(name for name, function in FUNCTIONS.items() if function.takes_execution)
