r"""Java regular expressions read into a small tree, from which Python's syntax is written.

The tree exists for two reasons: the syntaxes differ (classes in classes, `&&`, `\p{Alpha}`, `\Q…\E`, line ends), and
`java.py` must see from the structure which patterns could run for ever. Whatever matches exactly one character is a
`One`, whatever looks without consuming is a `Look`; both carry a piece of Python's syntax.
"""

import re
from typing import TypeAlias

import msgspec

from gennaker.patterns import classes
from gennaker.patterns.errors import PatternError

MAX_GROUPS_DEEP = 40


class One(msgspec.Struct, frozen=True):
    """Exactly one character."""

    source: str


class Look(msgspec.Struct, frozen=True):
    """A place: an anchor or a word boundary."""

    source: str


class Around(msgspec.Struct, frozen=True):
    """Look-ahead, look-behind or an atomic group."""

    opening: str
    inner: "Tree"


class Back(msgspec.Struct, frozen=True):
    """A reference to what a group matched."""

    source: str


class Sequence(msgspec.Struct, frozen=True):
    """One after the other."""

    parts: tuple["Tree", ...]


class Choice(msgspec.Struct, frozen=True):
    """One of several, the first that fits."""

    options: tuple["Tree", ...]


class Group(msgspec.Struct, frozen=True):
    """A group; `index` 0 means that it isn't remembered."""

    inner: "Tree"
    index: int
    name: str = ""


class Repeat(msgspec.Struct, frozen=True):
    """A quantifier; `most` None: no limit; `mode` is empty, `?` (few) or `+` (possessive)."""

    inner: "Tree"
    least: int
    most: int | None
    mode: str


Tree: TypeAlias = One | Look | Around | Back | Sequence | Choice | Group | Repeat

_LINE_END = r"(?:\r\n|[\n\r\x85\u2028\u2029])"
_LINE_START = r"(?:\A|(?<=[\n\x85\u2028\u2029])|(?<=\r)(?!\n))(?!\Z)"
_CLASSES = {
    "Lower": "[a-z]",
    "Upper": "[A-Z]",
    "ASCII": r"[\x00-\x7f]",
    "Alpha": "[a-zA-Z]",
    "Digit": "[0-9]",
    "Alnum": "[a-zA-Z0-9]",
    "Punct": r"[!-/:-@\[-`{-~]",
    "Graph": "[!-~]",
    "Print": "[ -~]",
    "Blank": r"[ \t]",
    "Cntrl": r"[\x00-\x1f\x7f]",
    "XDigit": "[0-9a-fA-F]",
    "Space": r"[ \t\n\x0b\f\r]",
}
_SIMPLE_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "a": "\a", "e": "\x1b"}
_SETS = {
    "d": "[0-9]",
    "D": "[^0-9]",
    "w": "[a-zA-Z0-9_]",
    "W": "[^a-zA-Z0-9_]",
    "s": r"[ \t\n\x0b\f\r]",
    "S": r"[^ \t\n\x0b\f\r]",
    "h": r"[ \t\xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000]",
    "v": r"[\n\x0b\f\r\x85\u2028\u2029]",
}
_QUANTIFIER = re.compile(r"\{(\d{1,5})(,(\d{1,5})?)?\}")
_OCTAL = re.compile("[0-3]?[0-7]{1,2}")
_GROUP_NAME = re.compile(r"([a-zA-Z][a-zA-Z0-9]*)>")
_FLAGS = re.compile(r"([imsxud]*)(?:-([imsxud]+))?([:)])")


def parse(pattern: str) -> Tree:
    """Reads a pattern. Raises `PatternError`."""
    parser = _Parser(pattern)
    tree = parser.choice(0)
    if parser.position < len(pattern):
        raise parser.bad("a `)` without its `(`")
    return tree


class _Parser:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.position = 0
        self._groups = 0
        self._names: dict[str, int] = {}
        self._flags = frozenset[str]()

    def bad(self, what: str) -> PatternError:
        return PatternError(f"The pattern has {what} at character {self.position + 1}: {self.pattern[:80]}")

    def _peek(self) -> str:
        return self.pattern[self.position : self.position + 1]

    def _take(self) -> str:
        character = self._peek()
        if not character:
            raise self.bad("an early end")
        self.position += 1
        return character

    def _accept(self, wanted: str) -> bool:
        if self.pattern.startswith(wanted, self.position):
            self.position += len(wanted)
            return True
        return False

    def choice(self, depth: int) -> Tree:
        if depth > MAX_GROUPS_DEEP:
            raise PatternError(
                f"The pattern's groups are nested more than {MAX_GROUPS_DEEP} levels deep.", is_limit=True
            )
        flags = self._flags
        options = [self._sequence(depth)]
        while self._accept("|"):
            options.append(self._sequence(depth))
        self._flags = flags
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _sequence(self, depth: int) -> Tree:
        parts: list[Tree] = []
        while (character := self._peek()) and character not in "|)":
            if "x" in self._flags and self._skip_comment():
                continue
            if self._accept(r"\Q"):
                parts += self._quoted()
                continue
            part = self._atom(depth)
            if part is not None:
                parts.append(self._quantified(part))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _skip_comment(self) -> bool:
        if self._peek().isspace():
            self.position += 1
            return True
        if self._peek() == "#":
            end = self.pattern.find("\n", self.position)
            self.position = len(self.pattern) if end < 0 else end
            return True
        return False

    def _quoted(self) -> list[Tree]:
        end = self.pattern.find(r"\E", self.position)
        literal = self.pattern[self.position :] if end < 0 else self.pattern[self.position : end]
        self.position = len(self.pattern) if end < 0 else end + 2
        parts: list[Tree] = [self._one(re.escape(character)) for character in literal]
        if parts:
            parts[-1] = self._quantified(parts[-1])
        return parts

    def _one(self, source: str) -> One:
        return One(f"(?i:{source})") if "i" in self._flags else One(source)

    def _quantified(self, part: Tree) -> Tree:
        least, most = 0, None
        match = _QUANTIFIER.match(self.pattern, self.position)
        if self._accept("*"):
            pass
        elif self._accept("+"):
            least = 1
        elif self._accept("?"):
            most = 1
        elif match:
            self.position = match.end()
            least = int(match[1])
            most = least if match[2] is None else None if match[3] is None else int(match[3])
            if most is not None and most < least:
                raise self.bad("a quantifier with more at least than at most")
        elif self._peek() == "{":
            raise self.bad("an unfinished quantifier")
        else:
            return part
        mode = "?" if self._accept("?") else "+" if self._accept("+") else ""
        return Repeat(part, least, most, mode)

    def _atom(self, depth: int) -> Tree | None:
        character = self._take()
        match character:
            case "(":
                return self._group(depth)
            case "[":
                return self._one(self._class(0))
            case ".":
                return One(r"[\s\S]" if "s" in self._flags else r"[^\n\r\x85\u2028\u2029]")
            case "^":
                return Look(_LINE_START if "m" in self._flags else r"\A")
            case "$":
                return Look(rf"(?={_LINE_END}|\Z)" if "m" in self._flags else rf"(?={_LINE_END}?\Z)")
            case "\\":
                return self._escape()
            case "*" | "+" | "?":
                raise self.bad(f"a `{character}` with nothing to repeat")
            case "{":
                # Java lets a quantifier in braces repeat nothing.
                self.position -= 1
                self._quantified(Sequence(()))
                return None
        return self._one(re.escape(character))

    def _group(self, depth: int) -> Tree | None:
        if not self._accept("?"):
            self._groups += 1
            return self._closed(depth, self._groups, "")
        for opening in ("<=", "<!", "=", "!", ">"):
            if self._accept(opening):
                inner = self.choice(depth + 1)
                self._close()
                return Around(f"(?{opening}", inner)
        if self._accept("<"):
            match = _GROUP_NAME.match(self.pattern, self.position)
            if not match:
                raise self.bad("a bad name of a group")
            self.position = match.end()
            if match[1] in self._names:
                raise self.bad(f"two groups named {match[1][:40]}")
            self._groups += 1
            self._names[match[1]] = self._groups
            return self._closed(depth, self._groups, match[1])
        match = _FLAGS.match(self.pattern, self.position)
        if not match:
            raise self.bad("an unknown kind of group")
        self.position = match.end()
        before = self._flags
        self._flags = (before | set(match[1])) - set(match[2] or "")
        if match[3] == ")":
            return None  # for the rest of the enclosing group, whose end restores them
        group = self._closed(depth, 0, "")
        self._flags = before
        return group

    def _closed(self, depth: int, index: int, name: str) -> Tree:
        inner = self.choice(depth + 1)
        self._close()
        return Group(inner, index, name)

    def _close(self) -> None:
        if not self._accept(")"):
            raise self.bad("a `(` without its `)`")

    def _escape(self) -> Tree:
        character = self._take()
        if character in "bB":
            return Look(f"(?u:\\{character})")  # before Java 19 letters beyond ASCII make words here, though not for \w
        if character in "AGzZ":
            return Look({"A": r"\A", "G": r"\A", "z": r"\Z", "Z": rf"(?={_LINE_END}?\Z)"}[character])
        if character == "R":
            return Group(Choice((Sequence((One(r"\r"), One(r"\n"))), One(_SETS["v"]))), 0)
        if character == "k" and self._accept("<"):
            match = _GROUP_NAME.match(self.pattern, self.position)
            if not match or match[1] not in self._names:
                raise self.bad("a reference to an unknown group")
            self.position = match.end()
            return Back(f"(?:\\{self._names[match[1]]})")
        if character in "123456789":
            if int(character) > self._groups:
                return Look("(?!)")  # the group hasn't matched yet, so that nothing equals it
            return Back(f"(?:\\{character})")
        return self._one(self._escaped(character))

    def _escaped(self, character: str) -> str:
        """Python's syntax of an escape that stands for one character."""
        if character in _SETS:
            return _SETS[character]
        if character in "HV":
            return f"(?!{_SETS[character.lower()]})[\\s\\S]"
        if character in "pP":
            name = self._take()
            if name == "{":
                end = self.pattern.find("}", self.position)
                name = self.pattern[self.position : end]
                self.position = end + 1 if end >= 0 else len(self.pattern)
            known = _CLASSES.get(name) or classes.named(name)
            if not known:
                raise self.bad(f"a class of characters that isn't offered ({name[:20]})")
            return known if character == "p" else f"(?!{known})[\\s\\S]"
        return re.escape(self._character(character))

    def _character(self, character: str) -> str:
        if character in _SIMPLE_ESCAPES:
            return _SIMPLE_ESCAPES[character]
        if character == "0":
            octal = _OCTAL.match(self.pattern, self.position)
            if octal is None:
                raise self.bad("a bad octal escape")
            self.position = octal.end()
            return chr(int(octal[0], 8))
        if character == "c":
            return chr(ord(self._take()) ^ 64)
        if character in "xu":
            digits = self.pattern[self.position : self.position + (2 if character == "x" else 4)]
            if not re.fullmatch("[0-9a-fA-F]{2}|[0-9a-fA-F]{4}", digits):
                raise self.bad("a bad hexadecimal escape")
            self.position += len(digits)
            return chr(int(digits, 16))
        if character.isalnum() and character.isascii():
            raise self.bad(f"an unknown escape `\\{character}`")
        return character

    def _class(self, depth: int) -> str:
        """Python's syntax of a class, after its `[`; always something that matches one character."""
        if depth > MAX_GROUPS_DEEP:
            raise PatternError("The pattern's classes are nested too deep.", is_limit=True)
        is_negated = self._accept("^")
        both: list[str] = []
        pieces: list[str] = []
        is_first = True
        while is_first or self._peek() != "]":
            is_first = False
            if self._accept("&&"):
                both.append(_union(pieces))
                pieces = []
            elif self._accept("["):
                pieces.append(self._class(depth + 1))
            else:
                pieces.append(self._range())
        self._take()
        both.append(_union(pieces))
        source = "".join(f"(?={piece})" for piece in both[:-1]) + both[-1]
        return f"(?!{source})[\\s\\S]" if is_negated else source if len(both) == 1 else f"(?:{source})"

    def _range(self) -> str:
        low = self._member()
        follows = self.pattern[self.position : self.position + 2]
        if len(low) > 1 or not follows.startswith("-") or follows in ("-]", "-[", "-"):
            return low if len(low) > 1 else f"[{re.escape(low)}]"
        self._take()
        high = self._member()
        if len(high) > 1 or high < low:
            raise self.bad("a bad range in a class")
        return f"[{re.escape(low)}-{re.escape(high)}]"

    def _member(self) -> str:
        """One plain character, or the source of a set (longer than one character)."""
        character = self._take()
        if character != "\\":
            return character
        escaped = self._take()
        if escaped in _SETS or escaped in "pPHV":
            return self._escaped(escaped)
        return self._character(escaped)


def _union(pieces: list[str]) -> str:
    if not pieces:
        return r"[^\s\S]"
    return pieces[0] if len(pieces) == 1 else f"(?:{'|'.join(pieces)})"


def source(tree: Tree) -> str:
    """Python's syntax of a tree."""
    match tree:
        case One() | Look() | Back():
            return tree.source
        case Around():
            return f"{tree.opening}{source(tree.inner)})"
        case Sequence():
            return "".join(source(part) for part in tree.parts)
        case Choice():
            return f"(?:{'|'.join(source(option) for option in tree.options)})"
        case Group():
            return ("(" if tree.index else "(?:") + source(tree.inner) + ")"
        case Repeat():
            most = "" if tree.most is None else str(tree.most)
            return f"(?:{source(tree.inner)}){{{tree.least},{most}}}{tree.mode}"


def names(tree: Tree) -> dict[str, int]:
    """Numbers of the named groups."""
    found: dict[str, int] = {}
    for node in walk(tree):
        if isinstance(node, Group) and node.name:
            found[node.name] = node.index
    return found


def walk(tree: Tree) -> list[Tree]:
    """All nodes."""
    nodes: list[Tree] = [tree]
    for node in nodes:
        match node:
            case Sequence():
                nodes += node.parts
            case Choice():
                nodes += node.options
            case Around() | Group() | Repeat():
                nodes.append(node.inner)
    return nodes
