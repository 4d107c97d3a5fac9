"""Lint finds at once, with its place, what Kayenta finds late or never."""

from typing import Any

import pytest

from gennaker.canary import lint
from gennaker.canary.findings import Severity

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
METRIC = {
    "name": "errors",
    "query": {"type": "prometheus", "metricName": "errors"},
    "groups": ["quality"],
    "analysisConfigurations": {"canary": {"direction": "increase"}},
    "scopeName": "default",
}
GOOD: dict[str, Any] = {
    "name": "shop",
    "applications": ["shop"],
    "judge": {"name": "NetflixACAJudge-v1.0", "judgeConfigurations": {}},
    "metrics": [METRIC],
    "classifier": {"groupWeights": {"quality": 100}},
}


def found(document: Any, **known: Any) -> list[tuple[Severity, str, str]]:
    """Severity, place and last part of the code of each finding."""
    return [
        (finding.severity, finding.problem.pointer, finding.problem.code.removeprefix("canary.lint."))
        for finding in lint.lint(document, **known)
    ]


def with_metric(**changes: Any) -> dict[str, Any]:
    return {**GOOD, "metrics": [{**METRIC, **changes}]}


def with_options(**options: Any) -> dict[str, Any]:
    return with_metric(analysisConfigurations={"canary": options})


def test_a_good_config_has_no_findings() -> None:
    assert found(GOOD, scope_names={"default"}) == []


@pytest.mark.parametrize(
    ("document", "finding"),
    [
        ([], (ERROR, "", "type")),
        ({**GOOD, "name": ""}, (WARNING, "/name", "name")),
        ({**GOOD, "name": "my shop"}, (WARNING, "/name", "name")),
        ({**GOOD, "applications": []}, (WARNING, "/applications", "applications")),
        ({**GOOD, "judge": {"name": "mine"}}, (ERROR, "/judge/name", "unknown_judge")),
        ({**GOOD, "judge": "mine"}, (ERROR, "/judge", "type")),
        (
            {**GOOD, "judge": {"judgeConfigurations": {"a": 1}}},
            (NOTE, "/judge/judgeConfigurations", "no_effect"),
        ),
        ({**GOOD, "metric": []}, (WARNING, "/metric", "unknown_key")),
        ({**GOOD, "metrics": [METRIC, METRIC]}, (WARNING, "/metrics/1/name", "duplicate_metric")),
    ],
)
def test_the_config_as_a_whole_is_looked_at(document: Any, finding: tuple[Severity, str, str]) -> None:
    assert found(document) == [finding]


@pytest.mark.parametrize(
    ("document", "finding"),
    [
        (with_metric(name=None), (WARNING, "/metrics/0/name", "metric_name")),
        (with_metric(query=None), (ERROR, "/metrics/0/query", "query")),
        (with_metric(query={"type": "promotheus"}), (ERROR, "/metrics/0/query/type", "query_type")),
        (
            with_metric(query={"type": "datadog", "customFilter": "x"}),
            (ERROR, "/metrics/0/query/customFilter", "custom_filter"),
        ),
        (
            with_metric(query={"type": "datadog", "customFilterTemplate": "x"}),
            (ERROR, "/metrics/0/query/customFilterTemplate", "template"),
        ),
        (with_metric(scopeName=None), (ERROR, "/metrics/0/scopeName", "scope_name")),
        (with_metric(scopeName="other"), (ERROR, "/metrics/0/scopeName", "scope_name")),
        (with_metric(group="quality"), (WARNING, "/metrics/0/group", "unknown_key")),
        (
            with_metric(analysisConfigurations={"canary": 3}),
            (ERROR, "/metrics/0/analysisConfigurations/canary", "type"),
        ),
        (
            with_metric(analysisConfigurations={"cannary": {}}),
            (WARNING, "/metrics/0/analysisConfigurations/cannary", "unknown_key"),
        ),
    ],
)
def test_every_metric_is_looked_at(document: Any, finding: tuple[Severity, str, str]) -> None:
    assert found(document, scope_names=["default"]) == [finding]


EMBEDDED = {"type": "embedded", "numerator": {"metric": "a"}, "denominator": {"metric": "b"}}
SOURCES = {*lint.QUERY_TYPES, "embedded"}


def errors(document: Any) -> list[str]:
    return sorted(place for severity, place, _ in found(document, query_types=SOURCES) if severity is ERROR)


@pytest.mark.parametrize(
    ("document", "places"),
    [
        ({**GOOD, "name": {}}, ["/name"]),
        ({**GOOD, "description": []}, ["/description"]),
        ({**GOOD, "applications": "shop"}, ["/applications"]),
        ({**GOOD, "applications": ["shop", {}]}, ["/applications/1"]),
        ({**GOOD, "configVersion": {}, "createdTimestamp": "now"}, ["/configVersion", "/createdTimestamp"]),
        ({**GOOD, "templates": {"a": [], "b/c": {}}}, ["/templates/a", "/templates/b~1c"]),
        ({**GOOD, "judge": {"judgeConfigurations": 5}}, ["/judge/judgeConfigurations"]),
        (with_metric(name={}), ["/metrics/0/name"]),
        (with_metric(scopeName=[]), ["/metrics/0/scopeName"]),
    ],
)
def test_everything_of_a_wrong_type_is_an_error(document: Any, places: list[str]) -> None:
    assert errors(document) == places


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ({"type": "prometheus", "metricName": {}, "labelBindings": "a"}, ["labelBindings", "metricName"]),
        ({"type": "signalfx", "queryPairs": [{"key": []}, 5]}, ["queryPairs/0/key", "queryPairs/1"]),
        ({"type": "atlas", "q": [], "customFilterTemplate": {}}, ["customFilterTemplate", "q"]),
        ({**EMBEDDED, "numerator": 5}, ["numerator"]),
        ({**EMBEDDED, "numerator": {"metric": [], "labels": {"a": {}}}}, ["numerator/labels/a", "numerator/metric"]),
        ({**EMBEDDED, "scale": "x", "denominator": {"absentIsZero": "x"}}, ["denominator/absentIsZero", "scale"]),
    ],
)
def test_everything_of_a_wrong_type_in_a_query_is_an_error(query: Any, places: list[str]) -> None:
    assert errors(with_metric(query=query)) == [f"/metrics/0/query/{one}" for one in places]


@pytest.mark.parametrize(
    "document",
    [
        {**GOOD, "name": 5, "description": None, "createdTimestamp": "1700000000000", "configVersion": 1.0},
        with_metric(name=5, groups=["quality", 5, None], query={"type": "graphite", "metricName": 5}),
        with_metric(query={"type": "prometheus", "labelBindings": None, "resourceType": None}),
        with_metric(query={**EMBEDDED, "scale": "100", "numerator": {"metric": "a", "labels": {"a": ["x", "y"]}}}),
    ],
)
def test_what_kayenta_takes_is_no_error(document: Any) -> None:
    assert errors(document) == []


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        ({"direction": "Increase"}, (WARNING, "direction", "unknown_option")),
        ({"direction": None}, (ERROR, "direction", "option_type")),
        ({"nanStrategy": "zero"}, (WARNING, "nanStrategy", "unknown_option")),
        ({"effectSize": {"measure": "CLES"}}, (WARNING, "effectSize/measure", "unknown_option")),
        ({"critical": "true"}, (ERROR, "critical", "option_type")),
        ({"critical": None}, (WARNING, "critical", "null_option")),
        ({"crtical": True}, (WARNING, "crtical", "unknown_key")),
        ({"effectSize": {"allowedIncrease": "1.1"}}, (ERROR, "effectSize/allowedIncrease", "option_type")),
        ({"effectSize": {"allowedIncrease": None}}, (WARNING, "effectSize/allowedIncrease", "null_option")),
        ({"effectSize": {"allowedIncrease": 0.1}}, (WARNING, "effectSize/allowedIncrease", "threshold_range")),
        ({"effectSize": {"allowedDecrease": 1.5}}, (WARNING, "effectSize/allowedDecrease", "threshold_range")),
        (
            {"effectSize": {"measure": "cles", "allowedIncrease": 1.5}},
            (WARNING, "effectSize/allowedIncrease", "threshold_range"),
        ),
        ({"effectSize": {"criticalIncrease": 2}}, (NOTE, "effectSize/criticalIncrease", "no_effect")),
        ({"effectSize": 3}, (WARNING, "effectSize", "option_type")),
        ({"outliers": {"outlierFactor": 2}}, (NOTE, "outliers/outlierFactor", "no_effect")),
        (
            {"outliers": {"strategy": "remove", "outlierFactor": 0}},
            (ERROR, "outliers/outlierFactor", "outlier_factor"),
        ),
        ({"critical": True, "mustHaveData": True}, (NOTE, "mustHaveData", "no_effect")),
        ({"critical": True, "muted": True}, (WARNING, "critical", "muted_critical")),
    ],
)
def test_every_option_is_looked_at(options: dict[str, Any], finding: tuple[Severity, str, str]) -> None:
    severity, place, code = finding

    assert found(with_options(**options)) == [
        (severity, f"/metrics/0/analysisConfigurations/canary/{place}", code),
    ]


@pytest.mark.parametrize(
    ("weights", "findings"),
    [
        ({"quality": 90}, [(WARNING, "", "weights")]),
        ({"quality": "100"}, []),
        ({}, []),
        ({"quality": 50, "speed": 50}, [(WARNING, "/speed", "weights")]),
        ({"quality": -1}, [(WARNING, "/quality", "weights"), (WARNING, "", "weights")]),
        ({"quality": "all"}, [(ERROR, "/quality", "weights")]),
        ([], [(ERROR, "", "weights")]),
    ],
)
def test_weights_are_looked_at(weights: Any, findings: list[tuple[Severity, str, str]]) -> None:
    place = "/classifier/groupWeights"

    assert found({**GOOD, "classifier": {"groupWeights": weights}}) == [
        (severity, f"{place}{where}", code) for severity, where, code in findings
    ]


def test_groups_without_a_weight_are_told_their_share() -> None:
    document = {**GOOD, "metrics": [METRIC, {**METRIC, "name": "latency", "groups": ["speed"]}]}
    document["classifier"] = {"groupWeights": {"quality": 60}}

    assert [finding.problem.message for finding in lint.lint(document)] == [
        "Groups without a weight (speed) weigh 40 each."
    ]


def test_missing_parts_are_all_found_at_once() -> None:
    assert found({}) == [
        (WARNING, "/name", "name"),
        (WARNING, "/applications", "applications"),
        (ERROR, "/metrics", "metrics"),
        (ERROR, "/classifier", "classifier"),
    ]


def test_missing_groups_are_an_error_and_an_empty_list_a_warning() -> None:
    weightless: dict[str, Any] = {"classifier": {}}

    assert found({**with_metric(groups=None), **weightless}) == [(ERROR, "/metrics/0/groups", "groups")]
    assert found({**with_metric(groups=[]), **weightless}) == [(WARNING, "/metrics/0/groups", "groups")]
    assert found({**with_metric(groups="quality"), **weightless}) == [(ERROR, "/metrics/0/groups", "groups")]


def test_thresholds_in_the_config_are_told_to_have_no_effect() -> None:
    classifier = {**GOOD["classifier"], "scoreThresholds": {"pass": 95, "marginal": 75}}

    assert found({**GOOD, "classifier": classifier}) == [(NOTE, "/classifier/scoreThresholds", "no_effect")]


def test_a_misspelt_option_gets_a_suggestion() -> None:
    assert [finding.problem.remedy for finding in lint.lint(with_options(direction="Increase"))] == [
        "Did you mean 'increase'?"
    ]
