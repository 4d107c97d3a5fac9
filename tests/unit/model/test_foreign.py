"""Foreign JSON: what isn't there, or isn't what was asked for, is nothing."""

import pytest

from gennaker.model import foreign
from gennaker.model.codec import Json

ANYTHING: list[Json] = [None, True, 0, 1.5, "", "text", [], [1, {"a": 1}], {}, {"a": {"b": 2}}]


def test_maps_are_read() -> None:
    assert [foreign.mapping(one) for one in ANYTHING] == [{}] * 9 + [{"a": {"b": 2}}]


def test_maps_of_a_list_are_read() -> None:
    assert [foreign.mappings(one) for one in ANYTHING] == [[]] * 7 + [[{"a": 1}], [], []]


def test_maps_of_a_list_under_a_key_are_read() -> None:
    assert [foreign.mappings_at({"k": one}, "k") for one in ANYTHING] == [foreign.mappings(one) for one in ANYTHING]
    assert [foreign.mappings_at(one, "k") for one in ANYTHING] == [[]] * 10


def test_lists_are_read() -> None:
    assert [foreign.items(one) for one in ANYTHING] == [[]] * 7 + [[1, {"a": 1}], [], []]


def test_texts_are_read() -> None:
    assert [foreign.text(one) for one in ANYTHING] == [""] * 5 + ["text"] + [""] * 4
    assert [foreign.text_at({"k": one}, "k") for one in ANYTHING] == [foreign.text(one) for one in ANYTHING]
    assert [foreign.text_at(one, "k") for one in ANYTHING] == [""] * 10


@pytest.mark.parametrize(
    ("value", "said"), [({"k": "v"}, "v"), ({"k": 0}, "0"), ({"k": None}, ""), ({}, ""), ([], ""), (None, "")]
)
def test_what_is_said_is_text(value: Json, said: str) -> None:
    assert foreign.said_at(value, "k") == said


def test_a_map_that_is_needed_is_missed() -> None:
    assert foreign.needed({"k": {"a": 1}}, "k") == {"a": 1}
    for value in (*ANYTHING, {"k": []}, {"k": None}):
        with pytest.raises(KeyError, match="k"):
            foreign.needed(value, "k")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("007", 7),
        ("65535", 65_535),
        *((text, None) for text in ("", "-1", "1.0", " 1", "²", "٣", "9" * 5000)),
    ],
)
def test_numbers_are_read_and_nothing_that_python_can_t_read_as_one(text: str, number: int | None) -> None:
    assert foreign.natural(text) == number


@pytest.mark.parametrize(("text", "port"), [("80", 80), ("65535", 65_535), ("65536", None), ("0", None), ("x", None)])
def test_ports_are_read(text: str, port: int | None) -> None:
    assert foreign.port(text) == port
