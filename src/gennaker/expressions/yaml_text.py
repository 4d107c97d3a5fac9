"""YAML 1.1 for `#readYaml` and `#readAllYaml`: plain data only, custom tags refused, aliases and numbers bounded."""

import re
from datetime import UTC, date, datetime, timedelta

import yaml

from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.values import Array, Byte, Date, Group, Value
from gennaker.model import codec
from gennaker.model.plain_yaml import BoundedMerges, bound_numbers

MAX_NODES = 200_000
"""Values after aliases are expanded: a few aliases of aliases could stand for billions."""
MAX_DEPTH = 100
MAX_CHARACTERS = 250_000
"""A second of reading."""


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
    reader = _Reader()
    try:
        return [reader.value(document, 0) for document in yaml.load_all(text, Loader=_Loader)]
    except yaml.YAMLError as cause:
        raise _failed(f"The text isn't plain YAML: {' '.join(str(cause).split())[:200]}.") from cause
    except (ValueError, TypeError, RecursionError, OverflowError) as cause:
        raise _failed(f"The YAML can't be read: {str(cause)[:200]}.") from cause


def _failed(message: str) -> ExpressionError:
    return ExpressionError(Kind.FUNCTION_FAILED, message)


class _Loader(BoundedMerges, yaml.SafeLoader):
    """PyYAML's safe loader, which also takes tabs between the words of plain text, as SnakeYAML does."""

    most_merged = MAX_NODES

    def scan_plain_spaces(self, indent: int, start_mark: object) -> list[str]:
        length = 0
        while self.peek(length) in " \t":
            length += 1
        blanks: str = self.prefix(length)
        if "\t" not in blanks or self.peek(length) in "\0\r\n\x85\u2028\u2029":
            return super().scan_plain_spaces(indent, start_mark) or []
        self.forward(length)
        return [blanks]


# Numbers such as 1e3 are text to PyYAML and numbers to SnakeYAML; a lone = is text to it.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)
bound_numbers(_Loader)


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


_Loader.add_constructor("tag:yaml.org,2002:value", _scalar)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _timestamp)


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
