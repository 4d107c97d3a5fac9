r"""Regular expressions with Java's syntax and meaning, that always end soon.

Theory of operation. Python's `re` backtracks and can run for years on patterns such as `(a+)+b`, and nothing stops it
from within. So the structure of a pattern decides who runs it:

* *Tame* patterns, in which nothing that repeats stands in something that repeats and whose unlimited repeats are too
  few to cost more than `MAX_COST` on this text, run in `re`.
* *Wild* ones run in a matcher of our own that tries the same ways in the same order but never the same place of the
  pattern at the same place of the text twice: time is bounded by pattern length times text length. It knows no
  look-around, back references, atomic groups, possessive quantifiers and loops over what may be empty and lazy.
* Wild patterns with those are refused with a sentence that says why.

Case-insensitivity and `\w \d \s \b` are ASCII, as in Java without flags.
"""

import math
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeAlias

from gennaker.patterns import parsing
from gennaker.patterns.errors import PatternError
from gennaker.patterns.parsing import Around, Back, Choice, Group, Look, One, Repeat, Sequence, Tree

MAX_PATTERN = 1_000
"""Characters; Orca's limit for `matches`, here for all patterns."""
MAX_COST = 2_000_000
"""Steps that `re` may need in the worst case before the matcher of our own, slower but never worse, takes over."""
_CHEAP = 2_000
"""Steps in the worst case that aren't worth counting."""
_PLACE = 6
"""Microseconds that the matcher of our own takes for a place of the text."""
MAX_COST_ALONE = 20_000_000
"""The same for patterns that only `re` can run; about a third of a second."""
MAX_RISK = 8
"""Characters of text on which even a pattern that explodes is let loose in `re`, if only `re` can run it."""
MAX_PROGRAM = 5_000
MAX_VISITS = 5_000_000
"""Places of the pattern times places of the text, for wild patterns."""

Spans: TypeAlias = tuple[tuple[int, int], ...]
"""Start and end of the whole match and of each group; -1 where a group took no part."""


class Pattern:
    """A compiled pattern."""

    __slots__ = (
        "_cheap_length",
        "_compiled",
        "_is_only_for_re",
        "_is_wild",
        "_program",
        "_repeats",
        "_tree",
        "_ways",
        "groups",
        "names",
    )

    def __init__(self, pattern: str) -> None:
        """Raises `PatternError`."""
        if len(pattern) > MAX_PATTERN:
            message = f"The pattern has {len(pattern)} characters; {MAX_PATTERN} are allowed."
            raise PatternError(message, is_limit=True)
        self._tree = parsing.parse(pattern)
        nodes = parsing.walk(self._tree)
        self.names = parsing.names(self._tree)
        self.groups = sum(1 for node in nodes if isinstance(node, Group) and node.index)
        repeats = [node for node in nodes if isinstance(node, Repeat) and node.most != node.least]
        self._repeats = sum(1 for node in repeats if node.most is None or node.most > 8)
        self._ways = math.prod(
            node.most - node.least + 1 for node in repeats if node.most is not None and node.most <= 8
        )
        self._is_wild = len(repeats) > 8 + self._repeats or any(_is_wild(node) for node in nodes)
        self._is_only_for_re = any(
            isinstance(node, (Around, Back)) or (isinstance(node, Repeat) and node.mode == "+") or _is_moody(node)
            for node in nodes
        )
        self._cheap_length = -1 if self._is_wild else int((_CHEAP / self._ways) ** (1 / min(self._repeats + 1, 8))) - 1
        self._program: list[_Step] | None = None
        try:
            self._compiled = re.compile(parsing.source(self._tree), re.ASCII)
        except (re.error, OverflowError, RecursionError) as cause:
            raise PatternError(f"The pattern isn't valid ({cause}): {pattern[:80]}") from cause

    def match(self, text: str, start: int = 0, *, is_whole: bool = False) -> Spans | None:
        """The match that begins at `start`; with `is_whole` it must end where the text ends."""
        if self._is_tame_for(text):
            found = self._compiled.fullmatch(text, start) if is_whole else self._compiled.match(text, start)
            return None if found is None else tuple(found.span(index) for index in range(self.groups + 1))
        return self._walked(text, start, {}, is_whole=is_whole)

    def is_cheap_for(self, text: str) -> bool:
        """Matching the text costs next to nothing, whatever it is."""
        return len(text) <= self._cheap_length

    def fits(self, text: str) -> bool:
        """The whole text matches."""
        if len(text) <= self._cheap_length or self._is_tame_for(text):
            return self._compiled.fullmatch(text) is not None
        return self._walked(text, 0, {}, is_whole=True) is not None

    def finds(self, text: str) -> Iterator[Spans]:
        """All matches from left to right that don't overlap, as Java's Matcher.find gives them."""
        position = 0
        if self._is_tame_for(text):
            while position <= len(text) and (found := self._compiled.search(text, position)) is not None:
                yield tuple(found.span(index) for index in range(self.groups + 1))
                position = found.end() + (found.end() == found.start())
            return
        failed: dict[int, bytearray] = {}
        while position <= len(text):
            spans = self._walked(text, position, failed, is_whole=False)
            if spans is None:
                position += 1
                continue
            failed = {}
            yield spans
            position = spans[0][1] + (spans[0][1] == spans[0][0])

    def steps(self, text: str) -> int:
        """What a match or search costs at worst, in units of about a microsecond."""
        if self._is_tame_for(text):
            return min(self._worst(text), MAX_COST_ALONE) // 50
        return (len(self._steps()) // 4 + _PLACE) * (len(text) + 1)

    def _worst(self, text: str) -> int:
        # A search tries every start, hence one power more than there are repeats.
        return self._ways * int((len(text) + 1) ** min(self._repeats + 1, 8))

    def _is_tame_for(self, text: str) -> bool:
        if self._is_wild:
            return self._is_only_for_re and len(text) <= MAX_RISK
        is_alone = self._is_only_for_re or not self._repeats  # those without repeats take time by the text's length
        return self._worst(text) <= (MAX_COST_ALONE if is_alone else MAX_COST)

    def _steps(self) -> "list[_Step]":
        if self._program is None:
            self._program = _Compiler().program(self._tree)
        return self._program

    def _walked(self, text: str, start: int, failed: dict[int, bytearray], *, is_whole: bool) -> Spans | None:
        program = self._steps()
        if len(program) * (len(text) + 1) > MAX_VISITS:
            raise PatternError(f"The pattern is too costly for a text of {len(text)} characters.", is_limit=True)
        return _Walk(program, text, start, failed).spans(self.groups, is_whole=is_whole)


@lru_cache(maxsize=512)
def compiled(pattern: str) -> Pattern:
    """The compiled pattern, kept for the next use. Raises `PatternError`."""
    return Pattern(pattern)


def steps(pattern: str, text: str) -> int:
    """What matching costs at worst, in units of about a microsecond; nothing where the pattern isn't valid."""
    try:
        return compiled(pattern).steps(text)
    except PatternError as error:
        if error.is_limit:
            raise
        return 0  # whoever uses the pattern will say so


def _is_wild(node: Tree) -> bool:
    """It repeats something that can itself match in several ways."""
    if not isinstance(node, Repeat) or node.most == 1 or (node.mode == "+" and node.least <= 1):
        return False  # a possessive one never goes back into what it has repeated
    inner = parsing.walk(node.inner)
    return any(
        isinstance(part, (Choice, Back)) or (isinstance(part, Repeat) and part.most != part.least) for part in inner
    )


def _is_moody(node: Tree) -> bool:
    """A loop over something that may be empty and prefers few: what it takes depends on where each round began."""
    if not isinstance(node, Repeat) or node.most is not None or not _may_be_empty(node.inner):
        return False
    return any(isinstance(part, Repeat) and part.mode == "?" for part in parsing.walk(node.inner))


def _may_be_empty(tree: Tree) -> bool:
    match tree:
        case One():
            return False
        case Sequence():
            return all(map(_may_be_empty, tree.parts))
        case Choice():
            return any(map(_may_be_empty, tree.options))
        case Group():
            return _may_be_empty(tree.inner)
        case Repeat():
            return tree.least == 0 or _may_be_empty(tree.inner)
    return True


# -- the matcher for wild patterns --------------------------------------------------------------------------------

_Step: TypeAlias = tuple[str, Callable[[str, int], bool] | None, tuple[int, ...]]
"""(`one` | `look` | `split` | `save` | `end`, test, next steps in order of preference or the number of a mark)."""


class _Compiler:
    """Makes a program of steps from a tree (Thompson's construction)."""

    def __init__(self) -> None:
        self._steps: list[_Step] = []

    def program(self, tree: Tree) -> list[_Step]:
        self._emit(tree)
        self._add("end", None, ())
        return self._steps

    def _add(self, kind: str, test: Callable[[str, int], bool] | None, to: tuple[int, ...]) -> int:
        if len(self._steps) >= MAX_PROGRAM:
            raise PatternError("The pattern is too large. Use smaller numbers in its quantifiers.", is_limit=True)
        self._steps.append((kind, test, to))
        return len(self._steps) - 1

    def _emit(self, tree: Tree) -> None:
        match tree:
            case One() | Look():
                self._add("one" if isinstance(tree, One) else "look", _test(tree.source), ())
            case Sequence():
                for part in tree.parts:
                    self._emit(part)
            case Choice():
                self._choice(tree)
            case Group():
                if tree.index:
                    self._add("save", None, (2 * tree.index,))
                self._emit(tree.inner)
                if tree.index:
                    self._add("save", None, (2 * tree.index + 1,))
            case Repeat():
                self._repeat(tree)
            case Around() | Back():
                raise _refused()

    def _choice(self, tree: Choice) -> None:
        leaves = []
        for option in tree.options[:-1]:
            split = self._add("split", None, ())
            self._emit(option)
            leaves.append(self._add("split", None, ()))
            self._steps[split] = ("split", None, (split + 1, len(self._steps)))
        self._emit(tree.options[-1])
        for leaf in leaves:
            self._steps[leaf] = ("split", None, (len(self._steps),))

    def _repeat(self, tree: Repeat) -> None:
        if tree.mode == "+" or _is_moody(tree):
            raise _refused()
        for _ in range(tree.least):
            self._emit(tree.inner)
        if tree.most is None:
            split = self._add("split", None, ())
            self._emit(tree.inner)
            # Where the inner part took nothing, the loop was here before, and goes on behind itself.
            self._add("split", None, (split, len(self._steps) + 1))
            self._steps[split] = self._fork(tree, split + 1, len(self._steps))
            return
        splits = []
        for _ in range(tree.most - tree.least):
            splits.append(self._add("split", None, ()))
            self._emit(tree.inner)
        for split in splits:
            self._steps[split] = self._fork(tree, split + 1, len(self._steps))

    def _fork(self, tree: Repeat, again: int, onward: int) -> _Step:
        return ("split", None, (onward, again) if tree.mode == "?" else (again, onward))


def _refused() -> PatternError:
    message = (
        "The pattern repeats something that itself can match in several ways and uses look-around, back references, "
        "possessive quantifiers, or takes few and maybe nothing: it could run for ever. Write it without one of the two."
    )
    return PatternError(message, is_limit=True)


def _test(source: str) -> Callable[[str, int], bool]:
    match = re.compile(source, re.ASCII).match
    return lambda text, position: match(text, position) is not None


class _Walk:
    """One attempt at one start: depth first in order of preference, and no step at a position that failed before."""

    def __init__(self, program: list[_Step], text: str, start: int, failed: dict[int, bytearray]) -> None:
        self._program = program
        self._text = text
        self._start = start
        self._failed = failed
        self._marks: list[int] = []
        # An entry is (step, position), or (~mark, its old value) to undo a mark when its branch has failed.
        self._pending = [(0, start)]

    def spans(self, groups: int, *, is_whole: bool) -> Spans | None:
        marks = self._marks = [-1] * (2 * groups + 2)
        while self._pending:
            step, position = self._pending.pop()
            if step < 0:
                marks[~step] = position
            elif self._is_new(step, position) and self._ends(step, position):
                if is_whole and position != len(self._text):
                    continue
                marks[0], marks[1] = self._start, position
                return tuple((marks[index], marks[index + 1]) for index in range(0, len(marks), 2))
        return None

    def _is_new(self, step: int, position: int) -> bool:
        seen = self._failed.get(step)
        if seen is None:
            seen = self._failed[step] = bytearray(len(self._text) + 1)
        if seen[position]:
            return False
        seen[position] = 1
        return True

    def _ends(self, step: int, position: int) -> bool:
        """Takes one step; True where the pattern ends here."""
        kind, test, to = self._program[step]
        if kind == "split":
            self._pending.extend((onward, position) for onward in reversed(to))
        elif kind == "save":
            self._pending.append((~to[0], self._marks[to[0]]))
            self._marks[to[0]] = position
            self._pending.append((step + 1, position))
        elif test is not None:
            is_one = kind == "one"
            if (not is_one or position < len(self._text)) and test(self._text, position):
                self._pending.append((step + 1, position + is_one))
        return kind == "end"
