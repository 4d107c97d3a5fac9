"""Label selectors as stages write them."""

import pytest

from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.kubernetes import selectors


def test_all_kinds_are_rendered_and_joined() -> None:
    given: list[JsonObject] = [
        {"kind": "EQUALS", "key": "a", "values": ["1"]},
        {"kind": "NOT_EQUALS", "key": "b", "values": [2]},
        {"kind": "CONTAINS", "key": "c", "values": ["x", "y"]},
        {"kind": "NOT_CONTAINS", "key": "d", "values": ["z"]},
        {"kind": "EXISTS", "key": "e"},
        {"kind": "NOT_EXISTS", "key": "f"},
        {"kind": "ANY"},
    ]

    assert selectors.rendered(given) == "a = 1,b != 2,c in (x, y),d notin (z),e,!f"


@pytest.mark.parametrize(
    "selector",
    [{"kind": "LIKE", "key": "a", "values": ["1"]}, {"kind": "EXISTS"}, {"kind": "EQUALS", "key": "a", "values": []}],
)
def test_what_cannot_be_rendered_is_refused(selector: JsonObject) -> None:
    with pytest.raises(Refused) as refused:
        selectors.rendered([selector])

    assert refused.value.problems[0].code == "manifest.selector"
