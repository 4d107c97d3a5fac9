"""Plain YAML from anywhere as JSON has it, within bounds: what isn't is refused with a sentence, and never costs the process.

Four things a small text can do: nest so deeply that LibYAML, which calls itself for each level, overruns its stack and takes
the whole process with it; stand for billions of values by aliases of aliases; and by merge keys, which are spread while it is
loaded; and hold numbers so long that reading them takes the square of their length, or that nobody can write them again.
Levels are counted before it is loaded, merged entries and the characters of numbers while it is, values after it was.
"""

import base64
from collections.abc import Callable, Collection, Iterator
from datetime import date
from typing import Final

import msgspec
import yaml

from gennaker.model import depth
from gennaker.model.codec import Json, decode_json
from gennaker.model.foreign import written

MOST_VALUES: Final = 3_000_000
"""With aliases expanded; manifests of 5 MB have some hundred thousand."""
LONGEST_NUMBER: Final = 100
"""Characters; more than any number needs that a program reckons with."""
_TOO_DEEP = "it is nested too deeply"
_SURELY_FLAT = 1_000
"""So many levels, and some ten times as many, LibYAML loads without harm."""


class NotPlain(ValueError):
    """What is wrong with it, to follow "it isn't plain YAML:"."""

    def __init__(self, why: str, *, line: int = 1, column: int = 1) -> None:
        """Lines and columns count from 1."""
        super().__init__(why)
        self.line = line
        self.column = column


def read(text: str | bytes) -> Json:
    """The only document of a text; null of an empty one. Raises NotPlain."""
    return _only(read_all(text))


def read_texts(text: str | bytes) -> Json:
    """As `read`, with every plain value as the text that stands there: `1.10` is no number, and `<<` no merge key."""
    return _only(_read_all(text, _Texts))


def read_all(text: str | bytes) -> list[Json]:
    """All documents of a text in YAML or JSON. Keys are text, dates stay as they are written. Raises NotPlain."""
    return _read_all(text, _Loader)


def _only(found: list[Json]) -> Json:
    if len(found) > 1:
        raise NotPlain("it holds several documents")
    return found[0] if found else None


def _read_all(text: str | bytes, loader: type[yaml.SafeLoader]) -> list[Json]:
    try:
        whole = text.decode() if isinstance(text, bytes) else text
        found = _json(whole) if loader is _Loader else None
        return _flat(_loaded(whole, loader) if found is None else found)
    except NotPlain:
        raise
    except UnicodeDecodeError as error:
        raise NotPlain(f"it is not UTF-8 ({error.reason})") from error
    except yaml.MarkedYAMLError as error:
        said = " ".join(part for part in (error.context, error.problem) if part)
        raise _at(error.problem_mark or error.context_mark, said) from error
    except RecursionError as error:
        raise NotPlain(_TOO_DEEP) from error
    # PyYAML lets what is wrong with a number or a date through as it came.
    except (yaml.YAMLError, ValueError, AttributeError, OverflowError) as error:
        raise NotPlain(" ".join(str(error).split())[:300]) from error


class BoundedMerges:
    """Mixed into one of PyYAML's loaders, before it: merge keys that stand for too much are refused."""

    most_merged: int = MOST_VALUES
    """Entries of all maps together that come from others."""
    _merged = 0

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """As in PyYAML, which would spread maps merged into maps without end."""
        for merged in _merged_into(node):
            self.flatten_mapping(merged)
            self.count_merged(merged)
        super().flatten_mapping(node)  # type: ignore[misc]  # the loader's

    def count_merged(self, merged: yaml.MappingNode) -> None:
        """Adds the entries of a map that is merged; raises NotPlain where they are too many."""
        self._merged += len(merged.value)
        if self._merged > self.most_merged:
            raise NotPlain(f"its merge keys stand for more than {self.most_merged:,} entries")


def bound_numbers(loader: type[yaml.SafeLoader]) -> None:
    """Has the loader refuse numbers longer than LONGEST_NUMBER, by NotPlain."""
    loader.add_constructor("tag:yaml.org,2002:int", _bounded(loader.construct_yaml_int))
    loader.add_constructor("tag:yaml.org,2002:float", _bounded(loader.construct_yaml_float))


def _bounded(
    construct: Callable[[yaml.SafeLoader, yaml.ScalarNode], object],
) -> Callable[[yaml.SafeLoader, yaml.ScalarNode], object]:
    def number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> object:
        if len(str(loader.construct_scalar(node))) > LONGEST_NUMBER:
            raise _at(
                node.start_mark, f"it has a number of more than {LONGEST_NUMBER} characters; quote it if it is a text"
            )
        return construct(loader, node)

    return number


class _Loader(BoundedMerges, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # whichever there is
    """Plain data; what looks like a date stays text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

bound_numbers(_Loader)


def _merged_into(node: yaml.MappingNode) -> Iterator[yaml.MappingNode]:
    for key, value in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            listed = value.value if isinstance(value, yaml.SequenceNode) else [value]
            yield from (one for one in listed if isinstance(one, yaml.MappingNode))


class _Texts(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]  # whichever there is
    """Nothing but texts, lists and maps."""


def _json(text: str) -> list[Json] | None:
    """None: it is none; flow style of YAML begins so, too."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return [decode_json(text)]
    except msgspec.DecodeError:
        return None


def _at(mark: "yaml.Mark | yaml._yaml.Mark | None", said: str) -> NotPlain:
    if mark is None:
        return NotPlain(said)
    line, column = mark.line + 1, mark.column + 1
    return NotPlain(f"{said} (line {line}, column {column})", line=line, column=column)


def _flat(found: list[Json]) -> list[Json]:
    if any(map(depth.is_too_deep, found)):
        raise NotPlain(_TOO_DEEP)
    return found


def _loaded(text: str, loader: type[yaml.SafeLoader]) -> list[Json]:
    refuse_depth(text)
    loaded = list(yaml.load_all(text, Loader=loader))
    _refuse_size(loaded)
    return [as_json(one) for one in loaded]


def as_json(value: object) -> Json:
    """What PyYAML has loaded as JSON has it: keys and dates are text, as whoever makes JSON of YAML writes them."""
    match value:
        case dict():
            return {_key(key): as_json(item) for key, item in value.items()}
        case str() | int() | float() | None:
            return value
        case list() | tuple() | set():
            return [as_json(item) for item in value]
        case date():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
        case _:
            return str(value)


def _key(key: object) -> str:
    return written(key) if isinstance(key, str | int | float | None) else str(as_json(key))


def refuse_depth(text: str) -> None:
    """Raises NotPlain where a text is nested so deeply that LibYAML could harm the process.

    Looks at the events only where the text could be deep at all: each level takes a bracket, or half a column.
    """
    longest = max(map(len, text.splitlines()), default=0)
    if 2 * longest + text.count("[") + text.count("{") <= _SURELY_FLAT:
        return
    level = 0
    for event in yaml.parse(text, Loader=_Texts):
        if isinstance(event, yaml.CollectionStartEvent):
            level += 1
            if level > depth.DEEPEST:
                raise _at(event.start_mark, _TOO_DEEP)
        elif isinstance(event, yaml.CollectionEndEvent):
            level -= 1


def _refuse_size(found: list[object]) -> None:
    """Counts what a value holds before it is looked at: a list of itself holds itself as often as it is long."""
    left, values = list(found), len(found)
    while left:
        one = left.pop()
        if isinstance(one, dict):
            inner: Collection[object] = one.values()
        elif isinstance(one, list | tuple | set):
            inner = one
        else:
            continue
        values += len(inner)
        if values > MOST_VALUES:
            raise NotPlain(f"it has more than {MOST_VALUES:,} values")
        left += inner
