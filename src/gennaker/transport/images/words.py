"""Words of a Dockerfile: splitting, quoting and variables, as Docker's builder does them.

Reference: docs.docker.com/reference/dockerfile, "Environment replacement"; the shell's pattern operators (`${x#y}`,
`${x%y}`, `${x/y/z}`) are refused, not ignored.
"""

import re
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]")
_BRACES = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<operator>:?[-+?])(?P<word>.*))?\Z", re.DOTALL)


class WordRefused(Exception):
    """The text can't be understood; the message says why."""


def expand(text: str, variables: Mapping[str, str], escape: str = "\\") -> str:
    """The text with variables put in and quotes taken away. Raises WordRefused."""
    return _Expanding(text, variables, escape).whole()


def split_quoted(text: str, escape: str = "\\") -> tuple[str, ...]:
    """Words apart at blanks outside of quotes; quotes and escapes stay for `expand`. Raises WordRefused."""
    words: list[str] = []
    word = ""
    quote = ""
    position = 0
    while position < len(text):
        character = text[position]
        if character == escape and quote != "'" and position + 1 < len(text):
            word += text[position : position + 2]
            position += 2
            continue
        if quote or character in "'\"":
            quote = "" if character == quote else (quote or character)
            word += character
        elif character.isspace():
            words += [word] if word else []
            word = ""
        else:
            word += character
        position += 1
    if quote:
        raise WordRefused(f"the quote {quote} is not closed")
    return (*words, word) if word else tuple(words)


class _Expanding:
    def __init__(self, text: str, variables: Mapping[str, str], escape: str) -> None:
        self._text = text
        self._variables = variables
        self._escape = escape
        self._at = 0

    def whole(self) -> str:
        found = ""
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == "'":
                found += self._single_quoted()
            elif character == '"':
                found += self._double_quoted()
            elif character == "$":
                found += self._variable()
            elif character == self._escape:
                found += self._text[self._at + 1 : self._at + 2]
                self._at += 2
            else:
                found += character
                self._at += 1
        return found

    def _single_quoted(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise WordRefused("the quote ' is not closed")
        found = self._text[self._at + 1 : end]
        self._at = end + 1
        return found

    def _double_quoted(self) -> str:
        found = ""
        self._at += 1
        while self._at < len(self._text):
            character = self._text[self._at]
            following = self._text[self._at + 1 : self._at + 2]
            if character == '"':
                self._at += 1
                return found
            if character == "$":
                found += self._variable()
            elif character == self._escape and following and following in f'"${self._escape}':
                found += following
                self._at += 2
            else:
                found += character
                self._at += 1
        raise WordRefused('the quote " is not closed')

    def _variable(self) -> str:
        self._at += 1
        if self._text[self._at : self._at + 1] == "{":
            return self._braces()
        name = _NAME.match(self._text, self._at)
        if name is None:
            return "$"
        self._at = name.end()
        return self._variables.get(name.group(), "")

    def _braces(self) -> str:
        inner = self._text[self._at + 1 : self._closing()]
        self._at += len(inner) + 2
        parsed = _BRACES.match(inner)
        if parsed is None:
            raise WordRefused(
                f"${{{inner}}} is not supported (only ${{name}}, ${{name:-word}} and ${{name:+word}} are)"
            )
        name, operator, word = parsed.group("name"), parsed.group("operator"), parsed.group("word")
        value = self._variables.get(name)
        is_set = bool(value) if operator and operator.startswith(":") else value is not None
        match operator[-1] if operator else "":
            case "-":
                return value or "" if is_set else expand(word, self._variables, self._escape)
            case "+":
                return expand(word, self._variables, self._escape) if is_set else ""
            case "?" if not is_set:
                raise WordRefused(f"{name} is not set" + (f": {word}" if word else ""))
            case _:
                return value or ""

    def _closing(self) -> int:
        depth = 0
        for position in range(self._at, len(self._text)):
            depth += {"{": 1, "}": -1}.get(self._text[position], 0)
            if depth == 0:
                return position
        raise WordRefused("${ is not closed")
