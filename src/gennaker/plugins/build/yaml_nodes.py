"""YAML with places: reading fields of a document that people wrote, with line and JSON pointer for each mistake.

Over PyYAML's node tree, because loaded values no longer know their lines. Numbers and booleans where text is wanted are
named as what they are (`version: 1.20` is a number to YAML, and 1.2). Pure.
"""

import difflib
import shlex
from enum import StrEnum
from typing import TypeVar

import yaml

from gennaker.model.problems import Problem

Choice = TypeVar("Choice", bound=StrEnum)

_LIMIT_CHARACTERS = 200_000
_TEXT, _NULL = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null"
_NUMBERS = frozenset({"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"})
_LONGEST_SECONDS = 86_400.0


class Reader:
    """One document and what is wrong with it."""

    def __init__(self, path: str, *, code: str, begins: str) -> None:
        """`path` is what messages call the document; `code` is every problem's; `begins`: with what one may begin."""
        self.problems: list[Problem] = []
        self._path = path
        self._code = code
        self._begins = begins

    def top(self, text: str) -> "Fields | None":
        """The document's fields; None if it has none, which has been noted."""
        node = self.node(text)
        if node is None:
            return None
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, "", f"it must hold keys and values, such as `{self._begins}`")
            return None
        return Fields(self, node, "")

    def top_items(self, text: str) -> list["Fields"]:
        """The maps of a document that is a list."""
        node = self.node(text)
        if node is None:
            return []
        return self.maps(node, "")

    def node(self, text: str) -> yaml.Node | None:
        """The document's root; None if there is none, which has been noted."""
        if len(text) > _LIMIT_CHARACTERS:
            self._note(0, "", f"it has more than {_LIMIT_CHARACTERS} characters")
            return None
        try:
            node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            reason = getattr(error, "problem", None) or str(error).partition("\n")[0]
            self._note(0 if mark is None else mark.line + 1, "", f"it is not YAML: {reason}")
            return None
        except RecursionError:
            self._note(0, "", "it is nested too deeply")
            return None
        if node is None or node.tag == _NULL:
            self._note(1, "", f"it is empty; begin with `{self._begins}`")
            return None
        return node

    def maps(self, node: yaml.Node, pointer: str) -> list["Fields"]:
        """The items of a list of maps."""
        if not isinstance(node, yaml.SequenceNode):
            self.wrong(node, pointer, "it must be a list")
            return []
        found = []
        for number, item in enumerate(node.value):
            if isinstance(item, yaml.MappingNode):
                found.append(Fields(self, item, f"{pointer}/{number}"))
            else:
                self.wrong(item, f"{pointer}/{number}", "it must hold keys and values")
        return found

    def wrong(self, node: yaml.Node, pointer: str, what: str) -> None:
        """Notes a mistake."""
        self._note(node.start_mark.line + 1, pointer, what)

    def _note(self, line: int, pointer: str, what: str) -> None:
        place = f"{self._path}, line {line}" if line else self._path
        name = pointer.lstrip("/").replace("/", ".")
        said = f"{name}: {what}" if name else what
        end = "" if said.endswith("?") else "."
        self.problems.append(
            Problem(code=self._code, message=f"{place}: {said}{end}", pointer=pointer, details={"line": line})
        )


class Fields:
    """The keys of one map."""

    def __init__(self, reader: Reader, node: yaml.MappingNode, pointer: str) -> None:
        """Notes keys that are no text or that stand there twice."""
        self._reader = reader
        self._node = node
        self._pointer = pointer
        self._values: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                reader.wrong(key, pointer, "a key must be a text")
            elif key.value in self._values:
                reader.wrong(key, self._below(key.value), "it stands there twice")
            elif value.tag != _NULL:
                self._values[key.value] = value

    def only(self, *known: str) -> None:
        """Notes all other keys."""
        for key, _ in self._node.value:
            if isinstance(key, yaml.ScalarNode) and key.value not in known:
                near = difflib.get_close_matches(key.value, known, n=1)
                meant = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}"
                self._reader.wrong(key, self._below(key.value), f"this key is unknown; {meant.rstrip('.')}")

    def has(self, key: str) -> bool:
        """Whether there is a value, right or wrong."""
        return key in self._values

    def wrong(self, key: str, what: str) -> None:
        """Notes a mistake in a value, or in the whole map where the key is empty."""
        node = self._values.get(key, self._node)
        self._reader.wrong(node, self._below(key) if key else self._pointer, what)

    def text(self, key: str, *, is_needed: bool = False) -> str:
        """A text; empty where there is none."""
        node = self._values.get(key)
        if node is None:
            if is_needed:
                self._reader.wrong(self._node, self._pointer, f"it lacks `{key}`")
            return ""
        if not isinstance(node, yaml.ScalarNode):
            self.wrong(key, "it must be a text")
            return ""
        if node.tag != _TEXT:
            self.wrong(key, f'it must be a text: write "{node.value}" in quotes')
            return ""
        value: str = node.value
        if not value.strip() or "\0" in value:
            self.wrong(key, "it is empty" if not value.strip() else "it holds a NUL character")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; scalars of other kinds are taken as they are written."""
        node = self._values.get(key)
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self.wrong(key, "it must be a list")
            return ()
        return tuple(self._word(item, f"{self._below(key)}/{number}") for number, item in enumerate(node.value))

    def words(self, key: str) -> dict[str, str]:
        """A map of texts; scalars of other kinds are taken as they are written."""
        fields = self.fields(key)
        if fields is None:
            return {}
        return fields.all_words()

    def all_words(self) -> dict[str, str]:
        """Every key as the name of a variable, with its text."""
        found = {}
        for name, node in self._values.items():
            if not name or "=" in name or "\0" in name:
                self.wrong(name, "this can't be the name of a variable")
            found[name] = self._word(node, self._below(name))
        return found

    def command(self, key: str) -> tuple[str, ...]:
        """Program and arguments: a list, or one text for the shell."""
        node = self._values.get(key)
        if node is None:
            return ()
        if isinstance(node, yaml.SequenceNode):
            words = self.texts(key)
            if not words or not words[0]:
                self.wrong(key, "it names no program")
            return words
        text = self.text(key)
        return ("sh", "-c", text) if text else ()

    def seconds(self, key: str) -> float | None:
        """A number of seconds above 0, at most a day."""
        node = self._values.get(key)
        if node is None:
            return None
        try:
            found = float(node.value) if isinstance(node, yaml.ScalarNode) and node.tag in _NUMBERS else -1.0
        except ValueError:  # YAML has numbers that Python writes otherwise, such as 1:30.
            found = -1.0
        if not 0 < found <= _LONGEST_SECONDS:
            self.wrong(key, f"it must be a number of seconds, more than 0 and at most {_LONGEST_SECONDS:g}")
        return found

    def choice(self, key: str, kind: type[Choice], default: Choice) -> Choice:
        """One of the values of an enumeration."""
        if key not in self._values:
            return default
        value = self.text(key)
        if value in list(kind):
            return kind(value)
        if value:
            near = difflib.get_close_matches(value, list(kind), n=1)
            meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(kind)}"
            self.wrong(key, f"{value!r} is unknown; {meant}")
        return default

    def fields(self, key: str) -> "Fields | None":
        """The map below a key; None where there is none."""
        node = self._values.get(key)
        if node is None:
            return None
        if not isinstance(node, yaml.MappingNode):
            self.wrong(key, "it must hold keys and values")
            return None
        return Fields(self._reader, node, self._below(key))

    def items(self, key: str) -> list["Fields"]:
        """The maps of the list below a key."""
        node = self._values.get(key)
        return [] if node is None else self._reader.maps(node, self._below(key))

    def _word(self, node: yaml.Node, pointer: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag == _NULL:
            self._reader.wrong(node, pointer, "it must be a text")
            return ""
        value: str = node.value
        if "\0" in value:
            self._reader.wrong(node, pointer, "it holds a NUL character")
        return value

    def _below(self, key: str) -> str:
        return f"{self._pointer}/{key.replace('~', '~0').replace('/', '~1')}"


def shown(words: tuple[str, ...]) -> str:
    """A command as one would type it."""
    return words[2] if words[:2] == ("sh", "-c") and len(words) == 3 else shlex.join(words)
