"""What a registry poll means: which tags are remembered, which start something."""

import pytest

from gennaker.triggers.registry_tags import Delta, delta


@pytest.mark.parametrize(
    ("known", "found", "expected"),
    [
        ({}, {"1": "a"}, Delta(remembered={"1": "a"}, events=("1",))),
        ({"1": "a"}, {"1": "a"}, Delta(remembered={"1": "a"}, events=())),
        ({"1": "a"}, {}, Delta(remembered={"1": "a"}, events=())),
        ({"1": "a"}, {"1": "b"}, Delta(remembered={"1": "b"}, events=("1",))),
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
