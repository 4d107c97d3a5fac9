"""YAML 1.1 for `#readYaml` and `#readAllYaml`: plain data only, custom tags refused, aliases and numbers bounded."""

import base64
import re
from collections.abc import Hashable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import yaml

from gennaker.expressions.conversions import java_text
from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.values import Array, Byte, Date, Group, Value
from gennaker.model import codec, plain_yaml
from gennaker.model.plain_yaml import NotPlain

MAX_NODES = 200_000
"""Values after aliases are expanded: a few aliases of aliases could stand for billions."""
MAX_DEPTH = 100
MAX_CHARACTERS = 250_000
"""Half a second of reading by LibYAML."""
MAX_UNUSUAL = 125_000
"""Characters of a text that PyYAML has to read: a second of reading."""
_SHORT = 10_000
"""So many characters PyYAML reads fast enough."""
_UNUSUAL = re.compile(
    r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]|\r(?!\n)|(?<![^\s\[\]{},:?\"'])!"
)
"""Where LibYAML and SnakeYAML differ: tabs, control characters, a lone `!`. It is also found in texts and comments, but only where a
tag could begin."""


def read(text: str) -> Value:
    """The only document of a text; null of an empty one. Raises FUNCTION_FAILED."""
    documents = read_all(text)
    if len(documents) > 1:
        raise _failed("The YAML has several documents. Use #readAllYaml.")
    return documents[0] if documents else None


def read_all(text: str) -> list[Value]:
    """All documents of a text. Raises FUNCTION_FAILED."""
    if len(text) > MAX_CHARACTERS:
        raise _failed(f"The YAML is longer than {MAX_CHARACTERS:,} characters.")
    if len(text) > _SHORT and _UNUSUAL.search(text) is None:
        try:
            plain_yaml.refuse_depth(text)
            return _loaded(text, _FastLoader)
        except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError, OverflowError):
            pass  # SnakeYAML may read it all the same; what is wrong with it PyYAML says, too
    if len(text) > MAX_UNUSUAL:
        raise _failed(
            f"YAML of more than {MAX_UNUSUAL:,} characters may have no tabs, no words that begin with '!' and no mistakes."
        )
    try:
        return _loaded(text, _Loader)
    except yaml.YAMLError as cause:
        raise _failed(f"The text isn't plain YAML: {' '.join(str(cause).split())[:200]}.") from cause
    # PyYAML lets what is wrong with a date, a number or a tag through as it came.
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError) as cause:
        raise _failed(f"The YAML can't be read: {str(cause)[:200]}.") from cause


def _loaded(text: str, loader: type[yaml.SafeLoader]) -> list[Value]:
    reader = _Reader()
    return [reader.value(document, 0) for document in yaml.load_all(text, Loader=loader)]


def _failed(message: str) -> ExpressionError:
    return ExpressionError(Kind.FUNCTION_FAILED, message)


class _JavaMaps(plain_yaml.BoundedMerges):
    """Maps as SnakeYAML makes them: the order of merged keys and of those given twice, 1 beside true."""

    most_merged = MAX_NODES

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002  # PyYAML's
        """As in PyYAML, but 1, 1.0 and true, which are one key to Python, stay three: those beside 1 as text."""
        loader = cast("yaml.SafeLoader", super())  # what it is mixed into
        made = loader.construct_mapping(node, deep)
        if len(made) == len(node.value):
            return made
        parted: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            key, value = (loader.construct_object(each, deep=True) for each in (key_node, value_node))
            parted[java_text(key) if isinstance(key, bool | float) else key] = value
        return parted

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """A key given twice stands where it stood last; merged ones stand where they were merged, unless given before."""
        last = {_identity(key): place for place, (key, _) in enumerate(node.value)}
        given = [entry for place, entry in enumerate(node.value) if last[_identity(entry[0])] == place]
        node.value = [entry for entry in given if entry[0].tag != _MERGE]
        if len(node.value) == len(given):
            return
        found: dict[object, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in given:
            if key.tag != _MERGE:
                found[_identity(key)] = key, value
                continue
            for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(merged, yaml.MappingNode):
                    raise NotPlain("a merge key stands for what is no map")
                self.flatten_mapping(merged)
                self.count_merged(merged)
                for entry in merged.value:
                    found.setdefault(_identity(entry[0]), entry)
        node.value = list(found.values())


class _Loader(_JavaMaps, yaml.SafeLoader):
    """PyYAML's safe loader, which also takes anchors given twice, tabs in plain text, and directives that no document follows."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """As in PyYAML, which refuses an anchor that was given before."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs say nothing
        if not isinstance(event, yaml.AliasEvent) and event.anchor in self.anchors:
            del self.anchors[event.anchor]
        return super().compose_node(parent, index)

    def parse_document_start(self) -> yaml.Event:
        """As in PyYAML, which wants a document behind directives."""
        parser: Any = super()  # of which the stubs say nothing
        try:
            return cast("yaml.Event", parser.parse_document_start())
        except yaml.MarkedYAMLError as cause:
            if not parser.check_token(yaml.StreamEndToken) or not str(cause.problem).startswith("expected"):
                raise
            return cast("yaml.Event", parser.parse_document_start())

    def scan_plain_spaces(self, indent: int, start_mark: object) -> list[str]:
        length = 0
        while self.peek(length) in " \t":
            length += 1
        blanks: str = self.prefix(length)
        if "\t" not in blanks:
            return super().scan_plain_spaces(indent, start_mark) or []
        self.forward(length)
        if self.peek() in "\0\r\n\x85\u2028\u2029":
            return super().scan_plain_spaces(indent, start_mark) or []
        return [blanks]


class _FastLoader(_JavaMaps, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # whichever there is
    """LibYAML's, for texts that it reads as SnakeYAML does.

    But for two things that SnakeYAML 1.31 refuses, and `_Loader` with it: a question mark within a word in flow style, `{a: b?c}` and
    `{a?: b}`, which this one takes as a part of the word, and a comment right behind what begins a block, `a: |#`.
    """


_MERGE = "tag:yaml.org,2002:merge"


def _identity(key: yaml.Node) -> object:
    """The same for two keys that are the same scalar."""
    return (key.tag, key.value) if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE else id(key)


# Numbers such as 1e3 and -.5 are text to PyYAML and numbers to SnakeYAML; a lone = is text to it.
_REAL = re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
_FRACTION = re.compile(r"[-+]?\.[0-9_]+([eE][-+]?[0-9]+)?$"), list("-+.")
for _each in (_Loader, _FastLoader):
    for _pattern, _first in (_REAL, _FRACTION):
        _each.add_implicit_resolver("tag:yaml.org,2002:float", _pattern, _first)
    plain_yaml.bound_numbers(_each)


def _scalar(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> object:
    return loader.construct_scalar(node)


def _timestamp(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> object:
    """As PyYAML; months and days beyond their range carry over, as in Java."""
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError:
        match = re.match(r"(\d{4})-(\d\d?)-(\d\d?)", node.value)
        if match is None:
            raise
        year, month, day = map(int, match.groups())
        at = datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=UTC) + timedelta(days=day - 1)
        first = yaml.ScalarNode(node.tag, at.date().isoformat() + node.value[match.end() :])
        return loader.construct_yaml_timestamp(first)


def _bool(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> object:
    """Null for what is neither true nor false, as SnakeYAML has it."""
    return loader.bool_values.get(str(loader.construct_scalar(node)).lower())


def _binary(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> object:
    return base64.b64decode("".join(str(loader.construct_scalar(node)).split()), validate=True)


def _pairs(loader: yaml.SafeLoader, node: yaml.SequenceNode) -> Iterator[object]:
    """Lists of two."""
    made: list[object] = []
    yield made
    steps = loader.construct_yaml_pairs(node)
    found = next(steps)
    for _ in steps:
        pass
    made.extend(list(pair) for pair in found)


for _each in (_Loader, _FastLoader):
    _each.add_constructor("tag:yaml.org,2002:value", _scalar)
    _each.add_constructor("tag:yaml.org,2002:bool", _bool)
    _each.add_constructor("tag:yaml.org,2002:binary", _binary)
    _each.add_constructor("tag:yaml.org,2002:pairs", _pairs)
    _each.add_constructor("tag:yaml.org,2002:timestamp", _timestamp)


class _Reader:
    def __init__(self) -> None:
        self._nodes = 0

    def value(self, node: object, depth: int) -> Value:
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise _failed("The YAML is too large or nested too deep.")
        match node:
            case dict():
                return {self.value(key, depth + 1): self.value(item, depth + 1) for key, item in node.items()}
            case list() if node and all(isinstance(item, tuple) and len(item) == 2 for item in node):  # !!omap
                return {self.value(item[0], depth + 1): self.value(item[1], depth + 1) for item in node}
            case list() | tuple():
                return [self.value(item, depth + 1) for item in node]
            case set():
                return Group("Set", [self.value(item, depth + 1) for item in sorted(node, key=str)])
            case bytes():
                return Array("byte", [Byte(number - 256 if number > 127 else number) for number in node])
            case datetime():
                at = node if node.tzinfo else node.replace(tzinfo=UTC)
                return Date(codec.microseconds(at) // 1000)
            case date():
                return Date(codec.microseconds(datetime(node.year, node.month, node.day, tzinfo=UTC)) // 1000)
        return node
