"""The order in which a load balancer gives requests to instances."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from gennaker.interfaces.traffic import Share
from gennaker.plugins.caddy import balancing


def share(weight: int, *addresses: str) -> Share:
    return Share(weight=weight, addresses=addresses)


def test_a_canary_split_is_exact_over_ten_requests() -> None:
    table = balancing.table({"production": share(80, "p"), "baseline": share(10, "b"), "canary": share(10, "c")})

    assert Counter(table) == {"p": 8, "b": 1, "c": 1}


def test_turns_are_spread_and_not_in_blocks() -> None:
    assert balancing.table({"a": share(50, "a"), "b": share(50, "b")}) == ("a", "b")
    assert "bb" not in "".join(balancing.table({"a": share(75, "a"), "b": share(25, "b")})) * 2


def test_a_weight_is_divided_among_instances() -> None:
    table = balancing.table({"a": share(1, "a1", "a2", "a3"), "b": share(1, "b1", "b2")})

    assert Counter(table) == {"a1": 2, "a2": 2, "a3": 2, "b1": 3, "b2": 3}


def test_groups_without_weight_or_instances_get_no_turn() -> None:
    assert balancing.table({"a": share(0, "a"), "b": share(5), "c": share(5, "c")}) == ("c",)
    assert balancing.table({"a": share(0, "a")}) == ()


@settings(max_examples=30, deadline=None)
@pytest.mark.slow
@given(
    some.dictionaries(
        some.text("abcdef", min_size=1, max_size=3),
        some.tuples(some.integers(0, 100_000), some.integers(0, 7)),
        max_size=6,
    )
)
def test_no_table_is_too_long_and_nobody_with_a_weight_is_left_out(groups: dict[str, tuple[int, int]]) -> None:
    shares = {name: share(weight, *(f"{name}{n}" for n in range(count))) for name, (weight, count) in groups.items()}

    table = balancing.table(shares)

    assert len(table) <= balancing.LONGEST
    assert set(table) == {
        address for name, (weight, count) in groups.items() if weight for address in shares[name].addresses[:count]
    }
