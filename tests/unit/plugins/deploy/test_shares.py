"""Shares: exact parts of a load balancer's traffic."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennaker.plugins.deploy import shares
from gennaker.plugins.deploy.shares import Member


def member(weight: int = 0, percent: float | None = None) -> Member:
    return Member(
        application="shop", account="local", region="local", cloud_provider="local", weight=weight, percent=percent
    )


def parts(members: shares.Members) -> dict[str, Fraction]:
    weights = shares.weights(members)
    total = sum(weights.values())
    return {name: Fraction(weight, total) for name, weight in weights.items()}


def test_two_canaries_get_exactly_their_part_and_the_rest_stays_in_proportion() -> None:
    members = {"v1": member(2), "v2": member(1), "baseline": member(), "canary": member()}

    members = shares.with_percent(members, "baseline", 10)
    members = shares.with_percent(members, "canary", 10)

    assert shares.weights(members) == {"v1": 16, "v2": 8, "baseline": 3, "canary": 3}


def test_what_a_canary_had_goes_back_to_the_others() -> None:
    members = shares.with_percent({"v1": member(3), "v2": member(1), "canary": member()}, "canary", 12.5)

    back = shares.without_traffic(members, frozenset({"canary"}))

    assert shares.weights(members) == {"v1": 21, "v2": 7, "canary": 4}
    assert shares.weights(back) == {"v1": 3, "v2": 1, "canary": 0}


@pytest.mark.parametrize("percent", [0, -1, 101, 91])
def test_a_percentage_that_leaves_nothing_or_less_is_refused(percent: float) -> None:
    members = {"v1": member(1), "baseline": member(percent=10), "canary": member()}

    with pytest.raises(shares.TooMuch):
        shares.with_percent(members, "canary", percent)


def test_a_switch_gives_all_that_the_cluster_had_and_leaves_others_alone() -> None:
    members = {"blue": member(3), "green": member(), "elsewhere": member(1), "canary": member(percent=10)}

    switched = shares.redistributed(members, {"green": 1, "blue": 0})

    assert parts(switched) == {
        "blue": 0,
        "green": Fraction(27, 40),
        "elsewhere": Fraction(9, 40),
        "canary": Fraction(1, 10),
    }


def test_the_first_server_group_gets_everything() -> None:
    assert shares.weights(shares.redistributed({"v0": member()}, {"v0": 1})) == {"v0": 1}


def test_a_server_group_joins_as_its_size_says() -> None:
    members = {"v1": member(1), "v2": member()}

    assert shares.weights(shares.joined(members, "v2", 1, {"v1": 3})) == {"v1": 3, "v2": 1}


@given(
    weights=st.lists(st.integers(1, 500), min_size=1, max_size=5),
    percents=st.lists(st.sampled_from([0.5, 1, 5, 10, 12.5, 20]), max_size=4),
)
def test_percentages_are_exact_whatever_the_weights(weights: list[int], percents: list[float]) -> None:
    members = {f"v{number}": member(weight) for number, weight in enumerate(weights)}
    for number, percent in enumerate(percents):
        members = shares.with_percent({**members, f"c{number}": member()}, f"c{number}", percent)

    found = parts(members)

    assert [found[f"c{number}"] for number in range(len(percents))] == [Fraction(str(one)) / 100 for one in percents]
    rest = 1 - sum((found[f"c{number}"] for number in range(len(percents))), Fraction())
    assert [found[f"v{number}"] for number in range(len(weights))] == [rest * w / sum(weights) for w in weights]


@given(old=st.dictionaries(st.sampled_from("abcd"), st.integers(1, 50), min_size=1), percent=st.integers(0, 100))
def test_a_shift_there_and_back_gives_the_same_parts(old: dict[str, int], percent: int) -> None:
    before = {**{name: member(weight) for name, weight in old.items()}, "new": member(), "other": member(7)}
    total = sum(old.values())

    there = shares.redistributed(
        before, {"new": total * percent, **{name: weight * (100 - percent) for name, weight in old.items()}}
    )
    back = shares.redistributed(there, {**old, "new": 0})

    assert parts(back) == parts(before)
