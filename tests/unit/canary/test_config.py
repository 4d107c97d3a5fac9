"""The canary config is read as Kayenta reads it: typos fall back in silence, wrong types end the judgement."""

from typing import Any

import pytest

from gennaker.canary import config
from gennaker.canary.config import Direction, Measure, NanStrategy, Options, OutlierStrategy
from gennaker.canary.errors import InvalidConfig


def options_of(options: Any) -> Options:
    document: Any = {
        "metrics": [{"name": "m", "groups": [], "analysisConfigurations": {"canary": options}}],
        "classifier": {},
    }
    return config.read_options(config.read(document).metrics[0])


@pytest.mark.parametrize("configurations", [None, {}, {"canary": None}, {"canary": {}}])
def test_absent_options_are_all_defaults(configurations: Any) -> None:
    document: Any = {"metrics": [{"name": "m", "analysisConfigurations": configurations}], "classifier": {}}

    assert config.read_options(config.read(document).metrics[0]) == Options()


def test_known_words_are_read() -> None:
    found = options_of(
        {
            "direction": "decrease",
            "nanStrategy": "replace",
            "outliers": {"strategy": "remove", "outlierFactor": 2},
            "effectSize": {"measure": "cles", "allowedIncrease": 0.7},
            "critical": True,
        }
    )

    assert found == Options(
        direction=Direction.DECREASE,
        nan_strategy=NanStrategy.REPLACE,
        outlier_strategy=OutlierStrategy.REMOVE,
        outlier_factor=2.0,
        measure=Measure.CLES,
        critical=True,
        allowed_increase=0.7,
        allowed_decrease=0.5,
        critical_increase=0.5,
        critical_decrease=0.5,
    )


@pytest.mark.parametrize(
    "options",
    [
        {"direction": "Increase"},
        {"direction": 3},
        {"nanStrategy": "REPLACE"},
        {"outliers": {"strategy": "Remove", "outlierFactor": 3}},
        {"effectSize": {"measure": "CLES"}},
        {"effectSize": {"measure": "cohen"}},
        {"outliers": 5, "effectSize": "large"},
    ],
)
def test_unknown_words_fall_back_to_the_defaults(options: Any) -> None:
    assert options_of(options) == Options()


@pytest.mark.parametrize(
    ("options", "pointer"),
    [
        ({"critical": "true"}, "critical"),
        ({"critical": 1}, "critical"),
        ({"direction": None}, "direction"),
        ({"effectSize": {"allowedIncrease": "1.1"}}, "effectSize/allowedIncrease"),
        ({"effectSize": {"criticalDecrease": 2**31}}, "effectSize/criticalDecrease"),
        ({"effectSize": [{"allowedIncrease": 1}]}, "effectSize/allowedIncrease"),
        ({"outliers": {"outlierFactor": "3"}}, "outliers/outlierFactor"),
        ({"outliers": {"strategy": "remove", "outlierFactor": 0}}, "outliers/outlierFactor"),
        ({"outliers": {"strategy": "remove", "outlierFactor": None}}, "outliers/outlierFactor"),
    ],
)
def test_wrong_types_are_refused_with_their_place(options: Any, pointer: str) -> None:
    with pytest.raises(InvalidConfig) as refused:
        options_of(options)

    assert refused.value.pointer == f"/metrics/0/analysisConfigurations/canary/{pointer}"


def test_an_outlier_factor_of_zero_is_accepted_while_outliers_are_kept() -> None:
    assert options_of({"outliers": {"strategy": "keep", "outlierFactor": 0}}).outlier_factor == 0.0


def test_null_numbers_are_zero_and_not_the_default() -> None:
    assert options_of({"effectSize": {"allowedIncrease": None}}).allowed_increase == 0.0


def test_weights_may_be_numeric_texts_and_null() -> None:
    found = config.read({"classifier": {"groupWeights": {"a": "60", "b": 40, "c": None}}})

    assert found.group_weights == {"a": 60.0, "b": 40.0, "c": 0.0}


@pytest.mark.parametrize("document", [None, [], "config", {}, {"classifier": None}, {"classifier": []}])
def test_a_config_without_classifier_is_refused(document: Any) -> None:
    with pytest.raises(InvalidConfig):
        config.read(document)


@pytest.mark.parametrize(
    ("part", "pointer"),
    [
        ({"metrics": {}}, "/metrics"),
        ({"metrics": [3]}, "/metrics/0"),
        ({"metrics": [{"groups": "g"}]}, "/metrics/0/groups"),
        ({"metrics": [{"groups": [[]]}]}, "/metrics/0/groups/0"),
        ({"metrics": [{"name": []}]}, "/metrics/0/name"),
        ({"metrics": [{"analysisConfigurations": []}]}, "/metrics/0/analysisConfigurations"),
        ({"metrics": [{"analysisConfigurations": {"a/b": 3}}]}, "/metrics/0/analysisConfigurations/a~1b"),
        ({"classifier": {"groupWeights": []}}, "/classifier/groupWeights"),
        ({"classifier": {"groupWeights": {"a": "much"}}}, "/classifier/groupWeights/a"),
        ({"judge": "NetflixACAJudge-v1.0"}, "/judge"),
    ],
)
def test_typed_fields_of_wrong_types_are_refused_with_their_place(part: Any, pointer: str) -> None:
    with pytest.raises(InvalidConfig) as refused:
        config.read({"classifier": {}, **part})

    assert refused.value.pointer == pointer


def test_the_first_of_two_metrics_with_one_name_counts() -> None:
    found = config.read({"classifier": {}, "metrics": [{"name": "m", "groups": ["a"]}, {"name": "m"}]})

    metric = found.metric("m")
    assert metric is not None
    assert metric.groups == ("a",)


@pytest.mark.parametrize("judge", [None, {}, {"name": ""}, {"name": config.JUDGE_NAME}])
def test_no_judge_means_this_one(judge: Any) -> None:
    assert config.read({"classifier": {}, "judge": judge}).metrics == ()
