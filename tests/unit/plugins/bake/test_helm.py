"""Helm: the command line, and which documents of its output count."""

import pytest

from gennaker.model.codec import Json
from gennaker.plugins.bake import helm
from gennaker.plugins.bake.helm import Chart

OUTPUT = """---
# Source: shop/templates/service.yaml
kind: Service
---
# Source: shop/templates/tests/connects.yaml
kind: Pod
---
# Source: shop/charts/redis/templates/tests/ping.yaml
# of the dependency
kind: Pod
---
# Source: shop/templates/notes.yaml
kind: ConfigMap
data:
  notes: |
    # Source: shop/templates/tests/none.yaml
    --- not a document
"""


def test_the_words_of_helm_3() -> None:
    chart = Chart(
        path="/c.tgz",
        values=("/v0.yaml", "/v1.yaml"),
        output_name="shop",
        namespace="prod",
        overrides={"image.tag": "1.2", "replicas": 3, "on": True, "off": None},
        include_crds=True,
        api_versions=("a/v1", "b/v1"),
        kube_version="1.31.0",
    )

    assert helm.words(chart, is_second=False) == [
        "template",
        "--namespace=prod",
        "--include-crds",
        "--api-versions=a/v1",
        "--api-versions=b/v1",
        "--kube-version=1.31.0",
        "--set-string=image.tag=1.2",
        "--set-string=replicas=3",
        "--set-string=on=true",
        "--set-string=off=null",
        "--values=/v0.yaml",
        "--values=/v1.yaml",
        "--",
        "shop",
        "/c.tgz",
    ]


def test_the_words_of_helm_2_where_the_name_is_an_option() -> None:
    chart = Chart(path="/c.tgz", output_name="shop", overrides={"a": "1"}, raw_overrides=True, include_crds=True)

    assert helm.words(chart, is_second=True) == ["template", "--name=shop", "--set=a=1", "--", "/c.tgz"]


def test_tests_of_a_chart_and_its_dependencies_are_left_out() -> None:
    left = helm.without_tests(OUTPUT)

    assert [line for line in left.splitlines() if line.startswith("kind")] == ["kind: Service", "kind: ConfigMap"]
    assert left.endswith("--- not a document\n")


@pytest.mark.parametrize(("key", "value"), [("", "x"), ("a", {"b": 1}), ("a", [1]), ("a", "x" * 200_000), ("a", "\0")])
def test_an_override_that_cannot_be_said_is_refused(key: str, value: Json) -> None:
    (problem,) = helm.wrong_overrides({key: value, "fine": "x"})

    assert problem.pointer == "/overrides"


@pytest.mark.parametrize("given", ["a/v1, b/v1", ["a/v1", "b/v1"]])
def test_api_versions_are_a_list_or_a_text_with_commas(given: str | list[str]) -> None:
    assert helm.listed(given) == ("a/v1", "b/v1")
    assert helm.listed(None) == ()
