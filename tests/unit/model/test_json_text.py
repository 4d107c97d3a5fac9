"""JSON texts: places of values, and where a text stops being JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennaker.model import json_text, pointers
from gennaker.model.json_text import Place

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(VALUES, st.sampled_from([None, 0, 3]), st.booleans())
def test_every_value_stands_where_its_place_says(value: object, indent: int | None, is_ascii: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=is_ascii)
    lines = text.split("\n")

    for pointer, place in json_text.places(text).items():
        rest = "\n".join([lines[place.line - 1][place.column - 1 :], *lines[place.line :]])
        there, expected = pointers.find(json.loads(text), pointer)
        assert there
        assert json.JSONDecoder().raw_decode(rest)[0] == expected


def test_what_is_missing_would_be_in_what_is_there() -> None:
    places = json_text.places('{"stages": [\n  {"name": "x"}]}')

    assert json_text.nearest(places, "/stages/0/type") == Place(2, 3)
    assert json_text.nearest(places, "/elsewhere/0") == Place(1, 1)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b'{"a": 1,\n "b": [1, 2\n', Place(2, 12)),
        (b"", Place(1, 1)),
        (b" \n ", Place(1, 1)),
        (b'{"a":\n nope}', Place(2, 2)),
        (b'{"a": "x', Place(1, 7)),
        (b"{} {}", Place(1, 4)),
        (b'{"\xc3\xa9": "\xff"}', Place(1, 8)),
        (b"[" * 100_000, Place(1, 1)),
    ],
)
def test_a_text_stops_being_json_somewhere(content: bytes, place: Place) -> None:
    assert json_text.end_of_json(content) == place
