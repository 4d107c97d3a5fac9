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


def test_no_test_file_hides_its_group() -> None:
    tests = Path(__file__).resolve().parents[1]

    assert [name for name in grouping.sources_that_hide_their_group(tests) if name != __file__] == []
