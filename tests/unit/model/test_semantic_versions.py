"""Semantic versions: by precedence, not by the alphabet, and whatever else stands among them."""

import pytest

from gennaker.model import semantic_versions

ORDERED = ("10.0.0", "2.0.0", "2.0.0-rc.11", "2.0.0-rc.2", "2.0.0-alpha", "2.0.0-9", "v1.2.3+build", "1.2", "latest")
"""Newest first."""


def test_the_newest_come_first_and_what_is_no_version_last() -> None:
    assert semantic_versions.newest_first((*ORDERED[::-1], "1.2")) == ORDERED


@pytest.mark.parametrize("digits", [19, 5_000])
def test_numbers_may_be_of_any_length(digits: int) -> None:
    large, larger = f"1.{'9' * digits}", f"1.1{'0' * digits}"

    assert semantic_versions.newest_first((large, "1.007", "1.2", larger)) == (larger, large, "1.007", "1.2")
