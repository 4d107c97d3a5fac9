"""JSON: what is wrong with a text that isn't, and what is the same."""

import msgspec
import pytest

from gennaker.model import codec
from gennaker.model.codec import Json, decode_json, why_not_json


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"a":\n [1,', "it ends in line 2 before it is complete"),
        (b"", "it is empty"),
        (b'{"a": 1,\n  "b": }', "Expecting value (line 2, column 8)"),
        (b'{"a": "b', "Unterminated string (line 1, column 7)"),
        (b"nope", "Expecting value (line 1, column 1)"),
        (b"[1] 2", "Extra data (line 1, column 5)"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b"[NaN]", "JSON is malformed: invalid character (byte 1)"),
        (b'["\xff"]', "a text in it is not UTF-8"),
        (b"[" + b"9" * 10_000 + b"]", "Integer value out of range"),
    ],
)
def test_what_is_wrong_and_where(text: bytes, why: str) -> None:
    with pytest.raises((msgspec.DecodeError, RecursionError)) as caught:
        decode_json(text)

    assert why_not_json(caught.value, text).startswith(why)


def test_each_value_is_kept_once_where_it_stands_first() -> None:
    values: list[Json] = [1, {"a": 1, "b": 2}, True, 1.0, {"b": 2, "a": 1}, 1, "1", [1]]

    kept = codec.distinct(values)

    assert [(type(one), one) for one in kept] == [(type(values[at]), values[at]) for at in (0, 1, 2, 3, 6, 7)]


def test_what_is_nested_too_deeply_is_no_json_for_whoever_reads_it() -> None:
    with pytest.raises(msgspec.DecodeError, match="nested too deeply"):
        decode_json("[" * 100_000)
    with pytest.raises(msgspec.DecodeError, match="nested too deeply"):
        codec.decode(b"[" * 100_000, list)
