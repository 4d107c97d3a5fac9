"""JSONPath in answers: Orca's library knows functions that the standard doesn't."""

import pytest

from gennaker.model.codec import Json
from gennaker.plugins.webhook import json_paths

ANSWER: Json = {
    "id": 7,
    "job": "a, b",
    "steps": [{"done": True}, {"done": False}],
    "parts": [20, 40.5, "x"],
    "of": ["a", "b"],
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ('concat("https://ci.example.org/builds/", $.id)', "https://ci.example.org/builds/7"),
        ('$.concat($.job, \'/\', $.id, "?q=a,\\"b\\"", 1)', 'a, b/7?q=a,"b"1'),
        ("$.of.concat('-', $.job)", "ab-a, b"),
        ("$.steps.length()", 2),
        ("steps[?(@.done==true)].length()", 1),
        ("$.length()", 5),
        ("$.of.first()", "a"),
        ("$.of.last()", "b"),
        ("$.parts.max()", 40.5),
        ("$.parts.min(10)", 10),
        ("$.parts.sum()", 60.5),
        ("$.parts.avg()", 30.25),
    ],
)
def test_a_path_may_end_in_a_function(path: str, found: Json) -> None:
    assert json_paths.find(path, ANSWER) == found


@pytest.mark.parametrize(
    "path", ["$.nothing.length()", "$.of.max()", "$.id.length()", "$.of.shuffle()", "concat(id, $.id)"]
)
def test_a_function_of_nothing_finds_nothing(path: str) -> None:
    with pytest.raises(json_paths.NotFound):
        json_paths.find(path, ANSWER)


@pytest.mark.parametrize("path", [f"$.concat({'[' * 100_000})", f"$.concat({'9' * 10_000})", "$" + ".a" * 20_000])
def test_paths_without_end_are_told_shortly(path: str) -> None:
    with pytest.raises(json_paths.NotFound) as told:
        json_paths.find(path, {"a": 1})

    assert len(str(told.value)) < 400
