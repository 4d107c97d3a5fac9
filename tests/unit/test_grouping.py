"""Tests of tests/grouping.py, on which depends that what tests share is made once."""

from pathlib import Path

import pytest
from tests import grouping


@pytest.mark.parametrize(
    ("source", "group"),
    [
        ('pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("alone")]\n', "alone"),
        ('"""About."""\n\npytestmark = pytest.mark.xdist_group("page")\n', "page"),
        ("pytestmark = [pytest.mark.slow]\n", None),
        ('# pytestmark = pytest.mark.xdist_group("page")\n', None),
    ],
    ids=["among others", "alone", "no group", "a comment"],
)
def test_a_files_group_is_the_one_that_its_pytestmark_names(source: str, group: str | None) -> None:
    assert grouping.group_of(source) == group


@pytest.mark.parametrize(
    ("nodeid", "group", "scope"),
    [
        ("t.py::test_a", None, "t.py::test_a"),
        ("t.py::test_a[gateway-api]", None, "t.py::test_a[gateway-api]"),
        ("t.py::test_a[caddy]", "traffic", "traffic"),
        ("t.py::test_a[gateway-api]", "traffic", "cluster traffic"),
        ("t.py::test_a[header-ingress-nginx]", "traffic", "cluster traffic"),
        ("t.py::test_a[ingress-nginx-header]", "traffic", "cluster traffic"),
        ("t.py::test_istio", "cluster traffic", "cluster traffic"),
    ],
)
def test_what_needs_a_cluster_waits_for_it_alone(nodeid: str, group: str | None, scope: str) -> None:
    assert grouping.scope_of(nodeid, group) == scope


def test_nobody_else_waits_with_what_needs_a_cluster() -> None:
    """A group is begun with its first tests; its process then waits with the others until a control plane is built."""
    tests = Path(__file__).resolve().parents[1]
    files = [file for folder in ("conformance", "e2e") for file in (tests / folder).glob("test_*.py")]
    groups = {grouping.group_of(file.read_text()) for file in files if "pytest.mark.go" in file.read_text()}

    assert groups == {grouping.IN_A_CLUSTER, "kubernetes"}


def test_no_test_file_hides_its_group() -> None:
    tests = Path(__file__).resolve().parents[1]

    assert [name for name in grouping.sources_that_hide_their_group(tests) if name != __file__] == []
