"""YAML from anywhere: what is plain is read as JSON has it, and no text costs the process."""

import json
import tracemalloc

import pytest
import yaml

from gennaker.model import codec, plain_yaml
from gennaker.model.plain_yaml import NotPlain


def test_it_is_read_as_json_has_it() -> None:
    told = "{1: a, 'true': [b], 1.5: {null: c}, 2024-02-29: 2024-02-29, x: !!binary aGk=, s: !!set {y}}"
    expected = {
        "1": "a",
        "true": ["b"],
        "1.5": {"null": "c"},
        "2024-02-29": "2024-02-29",
        "x": "aGk=",
        "s": ["y"],
    }

    assert plain_yaml.read(told) == expected
    assert plain_yaml.as_json(yaml.safe_load(told)) == expected
    assert plain_yaml.as_json({True: 1}) == {"true": 1}
    assert plain_yaml.read("") is None
    assert plain_yaml.read(b'{"a": [1]}') == {"a": [1]}
    assert plain_yaml.read_all("a\n---\n[b, 1]") == ["a", ["b", 1]]


def test_plain_values_can_stay_texts() -> None:
    assert plain_yaml.read_texts("{1: 1.10, on: yes, d: 2024-02-29}") == {"1": "1.10", "on": "yes", "d": "2024-02-29"}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,  # LibYAML would overrun its stack, and end the process
        "{a: " * 200_000,
        "- " * 200_000 + "x",
        "? " * 200_000,
        "\n".join(f"{' ' * level}a:" for level in range(1_000)),
        "[" * 300 + "]" * 300,
        '{"a":' * 300 + "1" + "}" * 300,
    ],
    ids=["lists", "maps", "dashes", "keys", "columns", "closed", "json"],
)
@pytest.mark.parametrize("read", [plain_yaml.read, plain_yaml.read_texts])
def test_what_is_nested_too_deeply_is_refused(read: object, text: str) -> None:
    assert callable(read)
    with pytest.raises(NotPlain, match="nested too deeply"):
        read(text)


def test_a_map_merged_into_itself_is_refused() -> None:
    with pytest.raises(NotPlain, match="nested too deeply"):
        plain_yaml.read("a: &a {<<: *a}")


def test_aliases_can_not_stand_for_more_than_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_yaml, "MOST_VALUES", 10_000)

    with pytest.raises(NotPlain, match="more than 10,000 values"):
        plain_yaml.read(_grown("[x]", "[{}]"))
    with pytest.raises(NotPlain, match="more than 10,000 values"):
        plain_yaml.read("a: &a [*a]")


@pytest.mark.parametrize(
    "text",
    [f"&a [{', '.join(['*a'] * 500)}]", f"&a {{{', '.join(f'k{number}: *a' for number in range(500))}}}"],
    ids=["list", "map"],
)
def test_what_holds_itself_often_takes_no_more_memory_than_is_counted(text: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(NotPlain, match="more than 3,000,000 values"):
            plain_yaml.read(text)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 20 * plain_yaml.MOST_VALUES  # 8 bytes each; counted only as they are looked at, they were 12 GB


@pytest.mark.parametrize(
    "number",
    [
        "1" + ":59" * 60_000,
        "0x" + "f" * 5_000,
        "1" * 101,
        "1." + "1" * 100,
        "1:59" + ":59" * 40 + ".5",
        ".0" + "0" * 99,
    ],
    ids=["base 60", "hexadecimal", "decimal", "float", "base 60 float", "small"],
)
def test_numbers_longer_than_anybody_reckons_with_are_refused_with_their_place(number: str) -> None:
    with pytest.raises(NotPlain, match="number of more than 100 characters") as caught:
        plain_yaml.read(f"a: 1\nb: {number}")

    assert (caught.value.line, caught.value.column) == (2, 4)
    assert plain_yaml.read(f"b: '{number}'") == {"b": number}


def test_the_longest_number_can_be_written_again() -> None:
    read = plain_yaml.read("0x" + "f" * 98)

    assert json.loads(codec.encode(read)) == int("f" * 98, 16)


def test_merge_keys_can_not_stand_for_more_than_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_yaml.BoundedMerges, "most_merged", 10_000)

    with pytest.raises(NotPlain, match="merge keys stand for more than"):
        plain_yaml.read(_grown("{x: 1}", "{{<<: [{}]}}"))

    assert plain_yaml.read("a: &a {x: 1, y: 1}\nb: {<<: *a, y: 2}") == {"a": {"x": 1, "y": 1}, "b": {"x": 1, "y": 2}}


def _grown(first: str, each: str) -> str:
    """Each of ten values nine times the one before."""
    lines = [f"a0: &a0 {first}"]
    lines += (f"a{number}: &a{number} {each.format(', '.join([f'*a{number - 1}'] * 9))}" for number in range(1, 11))
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "why", "place"),
    [
        ("a: 1\nb: [", "did not find expected node content", (3, 1)),
        ("a: !!python/object:x {}", "could not determine a constructor", (1, 4)),
        ("a: !!int x", "invalid literal", (1, 1)),
        ("a: !!timestamp x", "NoneType", (1, 1)),
        ("a: 0x_", "invalid literal", (1, 1)),
        (b"a: \xff", "it is not UTF-8", (1, 1)),
        ('a: "\\ud800"', "invalid Unicode", (1, 7)),
        ("a\n---\nb", "several documents", (1, 1)),
    ],
)
def test_what_is_not_plain_is_told_with_its_place(text: str | bytes, why: str, place: tuple[int, int]) -> None:
    with pytest.raises(NotPlain, match=why) as caught:
        plain_yaml.read(text)

    assert (caught.value.line, caught.value.column) == place
