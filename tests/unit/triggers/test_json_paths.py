"""JSONPaths with bounds: patterns in them are Java's, and nothing escapes but one error."""

import pytest

from gennaker.model.codec import Json
from gennaker.triggers import json_paths
from gennaker.triggers.json_paths import NoPath

LETTERS = "a" * 40


@pytest.mark.parametrize(
    ("path", "document", "found"),
    [
        ("$[?search(@,'(a+)+$')]", [f"{LETTERS}!", "a"], ["a"]),
        ("$[?match(@,'(a|aa)+')]", [f"{LETTERS}!", "aa", "aab"], ["aa"]),
        ("$[?@ =~ /(A+)+$/i]", [f"{LETTERS}!", "aA"], ["aA"]),
        ("$[?@ =~ /A/]", ["a", "A", "AA"], ["A"]),
        ("$[?match(@,'(')]", ["(", 1], []),
        ("$[?search(@,@)]", [5, ["x"], "x"], ["x"]),
        ("$..a..b", [{"a": [{"b": 1}]}], [1]),
        ("$[?@..a].b", [{"a": 1, "b": 2}, {"b": 3}], [2]),
        ("$[0] | $[1] & $[1, 2]", [1, 2, 3], [2]),
    ],
)
def test_patterns_in_paths_end(path: str, document: Json, found: list[Json]) -> None:
    assert json_paths.found(json_paths.compiled(path), document) == found


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("$[", "unexpected end"),
        ("$" + "[" * 900, "unexpected token"),
        (f"$[?@.a=={'9' * 900}]", "infinity"),
        (f"${'.a' * 1_000}", "it has 2001 characters; 1000 are allowed"),
        ("$[?@ =~ /(/]", "without its `\\)`"),
        ("$" + "..*" * 6, "it descends .* 6 times; 2 are allowed"),
        ("$..a | $..b | $..c", "it descends .* 3 times; 2 are allowed"),
        ("$..*[?@..a && $..b]", "it descends .* 3 times; 2 are allowed"),
        ("$[?!(@..a..b)]", "it descends .* 2 times in a filter; 1 is allowed"),
    ],
)
def test_what_is_no_path_is_said_in_one_way(path: str, why: str) -> None:
    with pytest.raises(NoPath, match=why):
        json_paths.compiled(path)


def test_a_document_that_is_too_deep_to_look_through_is_said() -> None:
    document: Json = []
    for _ in range(200):
        document = [document]

    with pytest.raises(NoPath, match=r"recursion limit|nested too deeply"):
        json_paths.found(json_paths.compiled("$..x"), document)


MANY: Json = [{"a": number} for number in range(1_000)]


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("$" + "[*,*]" * 18, None),
        ("$" + "['a','a']" * 18 + ".nowhere", None),
        ("$[?@.a in $..a]", MANY),
        ("$..* & $..*", MANY),
    ],
)
def test_a_path_that_multiplies_ends(path: str, document: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_paths, "_STEPS", 20_000)
    deep: Json = {}
    for _ in range(20):
        deep = {"a": deep}

    with pytest.raises(NoPath, match="takes more than 20000 steps"):
        json_paths.found(json_paths.compiled(path), document or deep)


def test_a_large_document_is_looked_through_once() -> None:
    assert len(json_paths.found(json_paths.compiled("$..a"), MANY)) == 1_000


@pytest.mark.parametrize(("path", "is_one"), [("$.a[0]", True), ("$.a[*]", False), ("$.a | $.b", False)])
def test_whether_a_path_leads_to_one_place(path: str, is_one: bool) -> None:
    assert json_paths.is_of_one(json_paths.compiled(path)) is is_one
