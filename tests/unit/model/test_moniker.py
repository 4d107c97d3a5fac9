"""Monikers: numbers that wrap around, and characters."""

import pytest

from gennaker.model import moniker


@pytest.mark.parametrize(
    ("taken", "newest", "number"),
    [
        ({9}, 9, 10),
        ({999}, 999, 0),
        ({998, 999, 0}, 999, 1),
        ({5, 6, 7}, 5, 8),
        (set(), None, 1),
        ({1}, None, 2),
        (set(range(1000)), 4, None),
        (set(range(1000)) - {4}, 4, 4),
    ],
)
def test_the_next_number_comes_after_the_newest(taken: set[int], newest: int | None, number: int | None) -> None:
    assert moniker.next_sequence(taken, newest) == number


def test_an_empty_cluster_begins_at_zero() -> None:
    assert moniker.next_sequence(set(), None, is_first=True) == 0


@pytest.mark.parametrize(
    ("app", "stack", "detail", "is_fine"),
    [
        ("shop", None, None, True),
        ("shop", "", "", True),
        ("sh.op_1", "qa", "a-b~c^d", True),
        ("", None, None, False),
        ("shop-x", None, None, False),
        ("shop", "q-a", None, False),
        ("shop", "qa", "a b", False),
    ],
)
def test_only_the_detail_may_have_hyphens(app: str, stack: str | None, detail: str | None, is_fine: bool) -> None:
    assert moniker.is_cluster(app, stack, detail) is is_fine


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("cart-v001", ("cart", 1)),
        ("cart-v1234567", ("cart-v1234567", None)),
        ("system:x-v001", ("system:x-v001", None)),
    ],
)
def test_a_push_has_three_to_six_digits(name: str, found: tuple[str, int | None]) -> None:
    assert moniker.without_push(name) == found
