"""Large values: taken out once, found again by identity, put back where they were."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennaker.model import codec
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Stage, Task
from gennaker.store import values
from gennaker.store.values import LARGE_BYTES, Large, TooMuch

LARGE = "x" * (LARGE_BYTES + 1)


def stage(context: JsonObject, memory: JsonObject | None = None) -> Stage:
    tasks = (Task(id="1", name="run"), Task(id="2", name="poll", memory=memory or {}))
    return Stage(id="s1", ref_id="1", type="wait", name="Wait", context=context, tasks=tasks)


def round_trip(record: Stage) -> Stage:
    packed = Large().pack(record)
    whole = values.unpacked(
        packed.body, values.references(packed.references), lambda digest: codec.decode_json(packed.blobs[digest])
    )
    return msgspec.convert(whole, type=Stage)


def test_small_records_stay_as_they_are() -> None:
    packed = Large().pack(stage({"a": {"b": [1, "c"]}}))

    assert packed == values.Packed(body=codec.encode(stage({"a": {"b": [1, "c"]}})).decode())


@pytest.mark.parametrize(
    ("context", "places"),
    [
        ({"a": LARGE}, [["context", "a"]]),
        ({"a": {"b": LARGE, "c": 1}}, [["context", "a", "b"]]),
        ({"a": {"b": {"c": LARGE}}}, [["context", "a", "b", "c"]]),
        ({"a": {"b": {"c": {"d": LARGE}}}}, [["context", "a", "b", "c"]]),
        ({"a": [LARGE, "b", LARGE]}, [["context", "a", 0], ["context", "a", 2]]),
        ({"a": ["y" * 100] * 1000}, [["context", "a"]]),
        ({str(key): "y" * 10_000 for key in range(10)}, []),
    ],
)
def test_the_value_that_is_large_is_taken_out(context: JsonObject, places: list[list[str | int]]) -> None:
    packed = Large().pack(stage(context))

    assert [list(reference.at) for reference in values.references(packed.references)] == places
    assert len(packed.body) < LARGE_BYTES or not places
    assert round_trip(stage(context)) == stage(context)


def test_a_task_s_memory_is_looked_into_too() -> None:
    packed = Large().pack(stage({}, memory={"seen": LARGE}))

    assert [reference.at for reference in values.references(packed.references)] == [("tasks", 1, "memory", "seen")]


def test_equal_values_share_one_blob() -> None:
    packed = Large().pack(stage({"a": LARGE, "b": "x" * (LARGE_BYTES + 1)}))

    assert len(packed.blobs) == 1
    assert len(values.references(packed.references)) == 2


def test_a_value_that_is_stored_is_not_written_again() -> None:
    large = Large()
    nested: Json = ["y" * 100] * 1000
    first = stage({"a": LARGE, "b": {"c": nested}})
    large.remember([(first, large.pack(first))])

    again = large.pack(stage({"b": {"c": nested}, "a": LARGE, "more": 1}))
    equal = large.pack(stage({"a": "".join(LARGE)}))

    assert again.blobs == {}
    assert len(values.references(again.references)) == 2
    assert len(equal.blobs) == 1, "an equal value that is another object is looked at anew"


def test_records_of_one_commit_share_what_they_hold() -> None:
    large = Large()
    beside: dict[int, tuple[object, str]] = {}

    first = large.pack(stage({"a": LARGE}), beside=beside)
    second = large.pack(stage({"b": LARGE}), beside=beside)

    assert len(first.blobs) == 1
    assert second.blobs == {}, "it isn't encoded once more"
    assert {one.digest for one in values.references(second.references)} == first.blobs.keys()


def test_what_was_packed_but_not_stored_is_packed_again() -> None:
    large = Large()
    large.pack(stage({"a": LARGE}))

    assert len(large.pack(stage({"a": LARGE})).blobs) == 1


def test_the_memory_of_stored_values_is_bounded() -> None:
    large = Large()
    kept = [f"{number}" + LARGE for number in range(100)]
    for value in kept:
        one = stage({"a": value})
        large.remember([(one, large.pack(one))])

    assert len(large.pack(stage({"a": kept[0]})).blobs) == 1
    assert len(large.pack(stage({"a": kept[99]})).blobs) == 0


def test_looking_stops_where_the_budget_ends() -> None:
    large = Large()
    stored = stage({"a": LARGE})
    large.remember([(stored, large.pack(stored))])
    wide: Json = list(range(200))

    assert large.pack(stage({"a": LARGE, "b": "small"}), budget=100).references
    for record in (stage({"a": LARGE, "b": wide}), stage({"a": "y" + LARGE}), stage({"a": {"b": {"c": wide}}})):
        with pytest.raises(TooMuch):
            large.pack(record, budget=100)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "ü", "y" * 5000, LARGE]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("abcd"), JSON, max_size=4))
def test_every_record_comes_back_whole(context: JsonObject) -> None:
    assert round_trip(stage(context, memory=context)) == stage(context, memory=context)
