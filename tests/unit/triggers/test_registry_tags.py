"""What a registry poll means: which tags are remembered, which start something."""

import pytest

from gennaker.triggers.registry_tags import Delta, delta, event_id


@pytest.mark.parametrize(
    ("known", "found", "expected"),
    [
        ({}, {"1": "a"}, Delta(remembered={"1": "a"}, events=("1",))),
        ({"1": "a"}, {"1": "a"}, Delta(remembered={"1": "a"}, events=())),
        ({"1": "a"}, {}, Delta(remembered={"1": "a"}, events=())),
        ({"1": "a"}, {"1": "b"}, Delta(remembered={"1": "b"}, moves={"1": 1}, events=("1",))),
        ({"1": None}, {"1": "b"}, Delta(remembered={"1": "b"}, events=())),
        ({"1": "a"}, {"1": None}, Delta(remembered={"1": "a"}, events=())),
        ({"1": "a"}, {"1": "a", "2": "a"}, Delta(remembered={"1": "a", "2": "a"}, events=("2",))),
        ({}, {"": "a"}, Delta(remembered={}, events=())),
    ],
)
def test_the_table_where_digests_are_tracked(
    known: dict[str, str | None], found: dict[str, str | None], expected: Delta
) -> None:
    assert delta(known, found, tracks_digests=True) == expected


def test_without_digests_a_known_tag_never_starts_anything() -> None:
    assert delta({"1": "a"}, {"1": "b"}, tracks_digests=False) == Delta(remembered={"1": "a"}, events=())


def test_moves_are_counted_on() -> None:
    change = delta({"1": "a", "2": "a"}, {"1": "b", "2": "a"}, tracks_digests=True, moves={"1": 1, "2": 3})

    assert change.moves == {"1": 2, "2": 3}


def test_the_id_of_an_event_says_what_it_is_about() -> None:
    ids = [event_id("acc", "shop", "main", digest="d", moves=number) for number in range(3)]

    assert ids == ["docker/acc/shop/main/d", "docker/acc/shop/main/d/1", "docker/acc/shop/main/d/2"]
    assert event_id("acc", "shop", "main", digest=None, moves=0) == "docker/acc/shop/main/~"
