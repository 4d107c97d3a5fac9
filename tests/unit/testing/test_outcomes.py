"""Declared outcomes: read from JSON, lengths of time in words."""

from datetime import timedelta

import pytest

from gennaker.model.problems import Refused
from gennaker.model.statuses import Status
from gennaker.testing import outcomes


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (5, timedelta(seconds=5)),
        (0.5, timedelta(milliseconds=500)),
        ("90", timedelta(seconds=90)),
        ("1h30m", timedelta(minutes=90)),
        ("2d", timedelta(days=2)),
        ("1.5m", timedelta(seconds=90)),
        ("200ms", timedelta(milliseconds=200)),
    ],
)
def test_a_length_is_seconds_or_words(given: outcomes.Length, expected: timedelta) -> None:
    assert outcomes.length(given) == expected


@pytest.mark.parametrize("given", ["", "soon", "5 minutes", "m", "1h-"])
def test_what_is_no_length_is_refused(given: str) -> None:
    with pytest.raises(Refused, match="no length of time"):
        outcomes.length(given)


def test_outcomes_are_read_by_name_and_attempt() -> None:
    found = outcomes.read({"stages": {"a": [{"status": "TERMINAL"}, {"duration": "5m"}]}, "judgments": {"j": {}}})

    assert isinstance(found.stages["a"], tuple)
    assert [one.status for one in found.stages["a"]] == [Status.TERMINAL, Status.SUCCEEDED]
    assert found.judgments["j"].judgment == "continue"


def test_nothing_declared_is_nothing() -> None:
    assert outcomes.read(None) == outcomes.Outcomes()


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(Refused, match="testing-pipelines"):
        outcomes.read({"stagse": {}})
