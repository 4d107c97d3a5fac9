"""JSON pointers: RFC 6901."""

import pytest

from gennaker.model import pointers
from gennaker.model.codec import Json, JsonObject

DOCUMENT: JsonObject = {"a": [1, {"b/c": 2, "d~e": 3}], "": 4, "nothing": None}


@pytest.mark.parametrize(
    ("steps", "pointer", "value"),
    [
        ((), "", DOCUMENT),
        (("a", 0), "/a/0", 1),
        (("a", 1, "b/c"), "/a/1/b~1c", 2),
        (("a", 1, "d~e"), "/a/1/d~0e", 3),
        (("",), "/", 4),
        (("nothing",), "/nothing", None),
    ],
)
def test_steps_lead_to_what_the_pointer_names(steps: tuple[str | int, ...], pointer: str, value: Json) -> None:
    assert pointers.of(steps) == pointer
    assert pointers.find(DOCUMENT, pointer) == (True, value)


@pytest.mark.parametrize("pointer", ["/b", "/a/2", "/a/-1", "/a/x", "/a/0/0"])
def test_where_nothing_is_nothing_is_found(pointer: str) -> None:
    assert pointers.find(DOCUMENT, pointer) == (False, None)
