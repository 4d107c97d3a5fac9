"""Lint: says what is wrong or unwise in a canary config before any data are fetched.

Kayenta finds a wrong type only when it judges, after all fetching, and never finds a typo in an option. Here all of
it is found at once: *errors* would end a run, *warnings* are accepted by Kayenta but hardly meant, *notes* have no
effect. A config without errors is judged; nothing here refuses what Kayenta accepts.

The options of a metric are looked at in `lint_options`.
"""

import math
import re
from collections.abc import Collection, Iterator, Mapping

from gennaker.canary import coercion, config, shapes
from gennaker.canary.coercion import Unreadable
from gennaker.canary.findings import Finding, Severity, error, note, warning
from gennaker.canary.lint_options import lint_options, unknown_keys
from gennaker.model import foreign, pointers
from gennaker.model.codec import Json

QUERY_TYPES = frozenset(
    ["atlas", "datadog", "graphite", "influxdb", "newrelic", "prometheus", "signalfx", "stackdriver", "wavefront"]
)
# Commas are allowed in names, as in Kayenta, whose pattern lists them by oversight.
_NAME = re.compile(r"[A-Za-z0-9,_-]*")
_FULL_WEIGHT = 100.0
_TOP_LEVEL = frozenset(
    [
        "id",
        "name",
        "description",
        "configVersion",
        "applications",
        "createdTimestamp",
        "updatedTimestamp",
        "createdTimestampIso",
        "updatedTimestampIso",
        "judge",
        "metrics",
        "templates",
        "classifier",
    ]
)
_METRIC = frozenset({"name", "query", "groups", "analysisConfigurations", "scopeName"})


def lint(
    document: Json,
    *,
    scope_names: Collection[str] | None = None,
    query_types: Collection[str] = QUERY_TYPES,
) -> tuple[Finding, ...]:
    """All findings in a canary config; `scope_names` are the scopes that the run provides, if they are known."""
    if not isinstance(document, Mapping):
        message = f"The canary config is {foreign.described(document)}."
        return (error("", "type", message, "Give an object."),)
    found = tuple(_own_findings(document, scope_names, query_types))
    known = {one.problem.pointer for one in found if one.severity is Severity.ERROR}
    types = (one for one in shapes.wrongs(dict(document)) if one.pointer not in known)
    return (*found, *(error(one.pointer, "type", f"`{one.name}` {one.said}.", "") for one in types))


def _own_findings(
    document: Mapping[str, Json], scope_names: Collection[str] | None, query_types: Collection[str]
) -> Iterator[Finding]:
    metrics = document.get("metrics")
    yield from (
        *unknown_keys(document, _TOP_LEVEL, ""),
        *_identity(document),
        *_judge(document.get("judge")),
        *_metrics(metrics),
        *(
            finding
            for index, metric in enumerate(metrics if isinstance(metrics, list) else ())
            for finding in _metric(
                metric, f"/metrics/{index}", document, scope_names=scope_names, query_types=query_types
            )
        ),
        *_classifier(document),
    )


def _identity(document: Mapping[str, Json]) -> Iterator[Finding]:
    name = document.get("name")
    if not isinstance(name, str) or not name:
        yield warning("/name", "name", "The config has no name.", "Give one, so that it can be stored.")
    elif not _NAME.fullmatch(name):
        message = f"The name '{name}' can't be stored."
        yield warning("/name", "name", message, "Use letters, digits, hyphens and underscores only.")
    applications = document.get("applications")
    if not isinstance(applications, list) or not applications:
        remedy = "List at least one, so that it can be stored."
        yield warning("/applications", "applications", "The config belongs to no application.", remedy)


def _judge(judge: Json) -> Iterator[Finding]:
    if judge is None:
        return
    if not isinstance(judge, Mapping):
        yield error("/judge", "type", f"The judge is {foreign.described(judge)}.", "Give an object with a name.")
        return
    name = judge.get("name")
    if name and name != config.JUDGE_NAME:
        message = f"There is no judge '{foreign.written(name)}'."
        yield error("/judge/name", "unknown_judge", message, f"Use '{config.JUDGE_NAME}'.")
    if judge.get("judgeConfigurations"):
        yield note("/judge/judgeConfigurations", "no_effect", "The judge reads no judge configurations.")


def _metrics(metrics: Json) -> Iterator[Finding]:
    if not isinstance(metrics, list):
        found = "missing" if metrics is None else foreign.described(metrics)
        yield error("/metrics", "metrics", f"The list of metrics is {found}.", "List at least one metric.")
        return
    if not metrics:
        yield error("/metrics", "metrics", "The config has no metrics.", "List at least one metric.")
    seen: set[str] = set()
    for index, metric in enumerate(metrics):
        name = metric.get("name") if isinstance(metric, Mapping) else None
        if isinstance(name, str) and name in seen:
            message = f"Another metric is named '{name}', and only the first is ever looked at."
            yield warning(f"/metrics/{index}/name", "duplicate_metric", message, "Give every metric its own name.")
        elif isinstance(name, str):
            seen.add(name)


def _metric(
    metric: Json,
    pointer: str,
    document: Mapping[str, Json],
    *,
    scope_names: Collection[str] | None,
    query_types: Collection[str],
) -> Iterator[Finding]:
    if not isinstance(metric, Mapping):
        yield error(pointer, "type", f"The metric is {foreign.described(metric)}.", "Give an object.")
        return
    yield from unknown_keys(metric, _METRIC, pointer)
    if not metric.get("name"):
        yield warning(f"{pointer}/name", "metric_name", "The metric has no name.", "Give it one of its own.")
    yield from _query(metric.get("query"), f"{pointer}/query", document.get("templates"), query_types)
    yield from _groups(metric, pointer)
    yield from _scope_name(metric.get("scopeName"), f"{pointer}/scopeName", scope_names)
    yield from _analysis_configurations(metric.get("analysisConfigurations"), f"{pointer}/analysisConfigurations")


def _query(query: Json, pointer: str, templates: Json, query_types: Collection[str]) -> Iterator[Finding]:
    if not isinstance(query, Mapping):
        found = "missing" if query is None else foreign.described(query)
        yield error(pointer, "query", f"The query is {found}.", "Give an object with a type.")
        return
    kind = query.get("type")
    if not isinstance(kind, str) or kind not in query_types:
        message = f"There is no metric source '{foreign.written(kind)}'."
        yield error(f"{pointer}/type", "query_type", message, f"Use one of {', '.join(sorted(query_types))}.")
    if query.get("customFilter"):
        message = "'customFilter' is no longer taken."
        yield error(f"{pointer}/customFilter", "custom_filter", message, "Use 'customInlineTemplate'.")
    template = query.get("customFilterTemplate")
    known = templates if isinstance(templates, Mapping) else {}
    if isinstance(template, str) and template and not query.get("customInlineTemplate") and template not in known:
        message = f"There is no template '{foreign.written(template)}'."
        yield error(f"{pointer}/customFilterTemplate", "template", message, "Add it to 'templates'.")


def _groups(metric: Mapping[str, Json], pointer: str) -> Iterator[Finding]:
    groups = metric.get("groups")
    where = f"{pointer}/groups"
    if groups is None:
        message = "The groups are missing, which ends the judgement unless the metric is muted."
        yield error(where, "groups", message, "List at least one group.")
    elif not isinstance(groups, list):
        yield error(where, "groups", f"The groups are {foreign.described(groups)}.", "Give a list of names.")
    elif not groups:
        message = "Without a group the metric counts for the critical and the no-data rule only."
        yield warning(where, "groups", message, "List at least one group.")
    for index, group in enumerate(groups if isinstance(groups, list) else ()):
        if not isinstance(group, str):
            yield _group_type(group, f"{where}/{index}")


def _group_type(group: Json, pointer: str) -> Finding:
    message = f"A group is {foreign.described(group)}."
    severe = isinstance(group, Mapping | list)
    return (error if severe else warning)(pointer, "groups", message, "Give a name as text.")


def _scope_name(name: Json, pointer: str, scope_names: Collection[str] | None) -> Iterator[Finding]:
    if name is None:
        message = "The metric names no scope, so its data can't be fetched."
        yield error(pointer, "scope_name", message, "Give the name of a scope, usually 'default'.")
    elif scope_names is not None and foreign.written(name) not in scope_names:
        known = ", ".join(sorted(scope_names)) or "none"
        message = f"There is no scope '{foreign.written(name)}'."
        yield error(pointer, "scope_name", message, f"Use one that the run provides: {known}.")


def _analysis_configurations(document: Json, pointer: str) -> Iterator[Finding]:
    if document is None:
        return
    if not isinstance(document, Mapping):
        message = f"The analysis configurations are {foreign.described(document)}."
        yield error(pointer, "type", message, "Give an object with the key 'canary'.")
        return
    for key, value in document.items():
        if value is not None and not isinstance(value, Mapping):
            message = f"The analysis configuration '{key}' is {foreign.described(value)}."
            yield error(f"{pointer}/{pointers.escaped(key)}", "type", message, "Give an object.")
    yield from unknown_keys(document, {"canary"}, pointer)
    canary = document.get("canary")
    if isinstance(canary, Mapping):
        yield from lint_options(canary, f"{pointer}/canary")


def _classifier(document: Mapping[str, Json]) -> Iterator[Finding]:
    classifier = document.get("classifier")
    if not isinstance(classifier, Mapping):
        found = "missing" if classifier is None else foreign.described(classifier)
        yield error("/classifier", "classifier", f"The classifier is {found}.", "Give an object with 'groupWeights'.")
        return
    yield from unknown_keys(classifier, {"groupWeights", "scoreThresholds"}, "/classifier")
    if classifier.get("scoreThresholds") is not None:
        message = "The judge takes its thresholds from the request or the stage, never from here."
        yield note("/classifier/scoreThresholds", "no_effect", message)
    weights = classifier.get("groupWeights")
    where = "/classifier/groupWeights"
    if weights is None:
        return
    if not isinstance(weights, Mapping):
        yield error(where, "weights", f"The group weights are {foreign.described(weights)}.", "Give an object.")
        return
    readable: dict[str, float] = {}
    for group, weight in weights.items():
        try:
            readable[group] = coercion.double(weight) or 0.0
        except Unreadable as unreadable:
            place = f"{where}/{pointers.escaped(group)}"
            yield error(place, "weights", f"The weight is {unreadable}.", "Give a number.")
    yield from _balance(readable, _groups_of(document), where)


def _balance(weights: Mapping[str, float], groups: Collection[str], where: str) -> Iterator[Finding]:
    for group, weight in weights.items():
        place = f"{where}/{pointers.escaped(group)}"
        if not math.isfinite(weight):
            yield error(place, "weights", f"The weight of '{group}' is {weight:g}.", "Give a finite number.")
        elif not 0 <= weight <= _FULL_WEIGHT:
            message = f"The weight of '{group}' is {weight:g}."
            yield warning(place, "weights", message, "Give a number from 0 to 100.")
        if group not in groups:
            message = f"No metric belongs to the group '{group}', so its weight is lost from the score."
            yield warning(place, "weights", message, "Remove it, or add the group to a metric.")
    if not weights:
        return
    total = sum(weights.values())
    unweighted = sorted(group for group in groups if group not in weights)
    if unweighted:
        share = (_FULL_WEIGHT - total) / len(unweighted)
        message = f"Groups without a weight ({', '.join(unweighted)}) weigh {share:g} each."
        yield warning(where, "weights", message, "Give every group a weight, 100 in all.")
    elif abs(total - _FULL_WEIGHT) > 1e-6:  # thirds don't add up exactly
        message = f"The weights add up to {total:g}, so that is the best possible score."
        yield warning(where, "weights", message, "Make them add up to 100.")


def _groups_of(document: Mapping[str, Json]) -> Collection[str]:
    metrics = document.get("metrics")
    return {
        group
        for metric in (metrics if isinstance(metrics, list) else ())
        if isinstance(metric, Mapping) and isinstance(groups := metric.get("groups"), list)
        for group in groups
        if isinstance(group, str)
    }
