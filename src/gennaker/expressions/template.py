"""Texts with `${…}` in them: finding the expressions, evaluating whole documents, and the summary of what failed.

`evaluate` is the room's entrance. Results are not evaluated again in the same pass.
"""

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import TypeAlias

import msgspec

from gennaker.expressions import parser, tree
from gennaker.expressions import work as spent
from gennaker.expressions.conversions import Budget, java_text, text, to_json
from gennaker.expressions.evaluate import evaluate as evaluate_tree
from gennaker.expressions.explaining import MAX_PARTS, explained
from gennaker.expressions.failures import ExpressionError, Failure, Kind, Part
from gennaker.expressions.functions import FUNCTIONS, Function, Lookup, places_of, rewritten
from gennaker.expressions.root import Root, Scene
from gennaker.expressions.session import Session
from gennaker.expressions.types import World
from gennaker.expressions.values import Status, Value
from gennaker.model.codec import Json, JsonObject

MAX_DEPTH = 100
"""Levels of maps and lists in a document; what is deeper stays as it is and is reported."""
MAX_STEPS = 20_000_000
"""Of a whole pass; each text has its own, smaller limit."""
MAX_MADE = 250_000
"""Values in all results of a pass. `${execution}` holds itself: each pass over what it gave would multiply it."""
MAX_NOTED = 500
"""Failures of a pass that are listed; of the others only the number is told."""
MAX_CACHED = 500
"""Longest text whose parsed form is kept."""

_PAIRS = {")": "(", "]": "[", "}": "{"}


class Hole(msgspec.Struct, frozen=True):
    """One `${…}` in a text."""

    source: str
    """The expression without `${`, `}` and surrounding spaces."""
    node: tree.Node
    offset: int
    """Where `source` begins in the text."""


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """A document after one pass."""

    value: Json
    summary: JsonObject
    """Orca's expressionEvaluationSummary: lists of entries by expression; empty when all went well."""
    failures: tuple[Failure, ...]
    """The same failures with code, position and the name that was probably meant."""


def parse(template: str) -> tuple[str | Hole, ...]:
    """The literal pieces and expressions of a text in order. Raises `ExpressionError` of kind PARSE or LIMIT."""
    return _parse_kept(template) if len(template) <= MAX_CACHED else _parse(template)


def _parse(template: str) -> tuple[str | Hole, ...]:
    pieces: list[str | Hole] = []
    position = 0
    while (start := template.find("${", position)) >= 0:
        if start > position:
            pieces.append(template[position:start])
        end = _end(template, start + 2)
        inside = template[start + 2 : end]
        source = inside.strip(" \t\r\n\f\v")
        offset = start + 2 + len(inside) - len(inside.lstrip(" \t\r\n\f\v"))
        if not source:
            raise ExpressionError(Kind.PARSE, "There is nothing between `${` and `}`.", start=start, end=end + 1)
        try:
            pieces.append(Hole(source, parser.parse(source), offset))
        except ExpressionError as error:
            at = max(error.start, 0) + offset
            raise ExpressionError(error.kind, error.message, start=at, end=max(error.end + offset, at)) from error
        position = end + 1
    if position < len(template):
        pieces.append(template[position:])
    return tuple(pieces)


_parse_kept = lru_cache(maxsize=1024)(_parse)


def _end(template: str, start: int) -> int:
    """The index of the `}` that ends an expression: brackets balance, quotes hide them."""
    open_brackets: list[tuple[str, int]] = []
    position = start
    while position < len(template):
        character = template[position]
        if character in "'\"":
            position = template.find(character, position + 1)
            if position < 0:
                raise ExpressionError(
                    Kind.PARSE, f"The text that begins with {character} has no end.", start=start, end=start
                )
        elif character in "([{":
            open_brackets.append((character, position))
        elif character == "}" and not open_brackets:
            return position
        elif character in _PAIRS and (not open_brackets or open_brackets.pop()[0] != _PAIRS[character]):
            message = f"The `{character}` doesn't fit the bracket opened last."
            raise ExpressionError(Kind.PARSE, message, start=position, end=position + 1)
        position += 1
    where = open_brackets[-1][1] if open_brackets else start - 2
    raise ExpressionError(Kind.PARSE, "A bracket that is opened here is never closed.", start=where, end=where + 1)


def evaluate(  # noqa: PLR0913 - a pass has this many independent inputs, all but two with defaults
    value: Json,
    root: Root,
    *,
    allow_unknown_keys: bool = True,
    functions: Mapping[str, Function] = FUNCTIONS,
    lookup: Lookup | None = None,
    at_ms: int = 0,
    seed: str = "",
    explains: int = 0,
    budget: Budget | None = None,
) -> Evaluated:
    """A document with all its expressions evaluated, map keys included.

    A failed text stays as it was, and so does a null part of one. `at_ms` is the time for the summary and for
    `new java.util.Date()`; `seed` makes random values repeatable; of the first `explains` failures the value of each part
    is found out; `budget` is shared by passes that belong together. Raises nothing.
    """
    work = _Pass(Scene(root), functions, lookup, World(at_ms, seed), is_strict=not allow_unknown_keys)
    work.explains = explains
    work.budget = budget or work.budget
    token = spent.begin(work.session.work)
    try:
        result = work.walked(value, "", None, 1)
    finally:
        spent.end(token)
    work.finish()
    return Evaluated(value=result, summary=work.summary, failures=tuple(work.failures))


def explain(text: str, root: Root, *, lookup: Lookup | None = None, at_ms: int = 0) -> tuple[Part, ...]:
    """What each part of the expressions in a text is worth, inner parts first. Raises nothing."""
    work = _Pass(Scene(root), FUNCTIONS, lookup, World(at_ms, ""), is_strict=False)
    return work.parts(Place(text, "", None, FUNCTIONS))


_Path: TypeAlias = "tuple[_Path, str] | None"
"""The steps from the document to a value, the last first: made into a pointer only where something failed."""


class _Pass:
    """One pass over a document."""

    def __init__(
        self, scene: Scene, functions: Mapping[str, Function], lookup: Lookup | None, world: World, *, is_strict: bool
    ) -> None:
        self._scene = scene
        self._functions = functions
        self._lookup = lookup
        self._world = world
        self._is_strict = is_strict
        self._allowance = MAX_STEPS
        self.budget = Budget(MAX_MADE)
        self._unnoted = 0
        self.session = self._session()
        self.explains = 0
        self.summary: JsonObject = {}
        self.failures: list[Failure] = []

    def walked(self, value: Json, key: str, path: "_Path", depth: int) -> Json:
        """The value with expressions evaluated; `key` names it in the summary."""
        kind = type(value)
        if kind is str:
            assert isinstance(value, str)
            return self._text(Place(value, key, path, self._functions)) if "${" in value else value
        if kind is not dict and kind is not list:
            return value
        if depth > MAX_DEPTH:
            message = f"The document is nested more than {MAX_DEPTH} levels deep; what is deeper wasn't evaluated."
            self._note(Place("", "", path, self._functions), ExpressionError(Kind.LIMIT, message))
            return value
        if isinstance(value, list):
            return self._list(value, path, depth)
        assert isinstance(value, dict)
        return self._map(value, path, depth)

    def _list(self, value: list[Json], path: "_Path", depth: int) -> list[Json]:
        """The list with its items evaluated; the list itself where nothing in it changes."""
        made: list[Json] | None = None
        for index, item in enumerate(value):
            if type(item) is str and "${" not in item:
                continue
            done = self.walked(item, "", (path, str(index)), depth + 1)
            if done is not item:
                made = list(value) if made is None else made
                made[index] = done
        return value if made is None else made

    def _map(self, value: JsonObject, path: "_Path", depth: int) -> JsonObject:
        """As `_list`. Most values are plain; going round them here saves a call each."""
        if "${" in "".join(value):
            return self._with_keys(value, path, depth)
        made: JsonObject | None = None
        for name, item in value.items():
            kind = type(item)
            if kind is str:
                if "${" not in item:  # type: ignore[operator]  # it is text
                    continue
            elif kind is not dict and kind is not list:
                continue
            done = self.walked(item, name, (path, name), depth + 1)
            if done is not item:
                made = dict(value) if made is None else made
                made[name] = done
        return value if made is None else made

    def _with_keys(self, value: JsonObject, path: "_Path", depth: int) -> JsonObject:
        """A map some of whose keys hold expressions; where two come out the same, the later wins."""
        return {
            self._key(name, path) if "${" in name else name: self.walked(item, name, (path, name), depth + 1)
            for name, item in value.items()
        }

    def _key(self, name: str, path: "_Path") -> str:
        place = Place(name, "", path, self._functions)
        result = self._value(place)
        try:
            return name if result is None else java_text(result)
        except ExpressionError as error:
            self._note(place, error)
        except RecursionError:
            self._note(place, ExpressionError(Kind.LIMIT, "The key is nested too deep."))
        return name

    def _text(self, place: "Place") -> Json:
        result = self._value(place)
        if result is None:
            return place.template
        try:
            return to_json(result, budget=self.budget)
        except ExpressionError as error:
            self._note(place, error)
        except RecursionError:
            self._note(place, ExpressionError(Kind.LIMIT, "The result is nested too deep."))
        return place.template

    def _value(self, place: "Place") -> Value:
        """The value of a text; None where it stays, which has been noted then."""
        session = self.session
        session.begin(self._allowance)
        try:
            pieces = place.pieces()
            if len(pieces) == 1 and isinstance(pieces[0], Hole):
                result = _evaluated(pieces[0], session)
                if result is None:
                    self._note_null(place, pieces, session)
                return result.name if isinstance(result, Status) else result
            made, has_null = _joined(pieces, session)
        except ExpressionError as error:
            error.nearest = error.nearest or session.nearest_key()
            self._note(place, error)
            return None
        except RecursionError:
            self._note(place, ExpressionError(Kind.LIMIT, "The expression or a value in it is nested too deep."))
            return None
        finally:
            self._allowance -= session.steps
        if has_null:
            self._note_null(place, pieces, session)
        return made

    def _session(self) -> Session:
        return Session(
            self._scene,
            self._functions,
            self._lookup,
            self._world,
            is_strict=self._is_strict,
            allowance=self._allowance,
        )

    def finish(self) -> None:
        """Tells how many failures aren't listed."""
        if not self._unnoted:
            return
        message = f"{self._unnoted} more expressions failed."
        self._entry("ERROR", "", message, Kind.LIMIT)
        self.failures.append(Failure(kind=Kind.LIMIT, level="ERROR", message=message, text="", position=-1, part=""))

    def _is_full(self) -> bool:
        """Whether no more failures are listed; then one more is counted."""
        if len(self.failures) < MAX_NOTED:
            return False
        self._unnoted += 1
        return True

    def _note_null(self, place: "Place", pieces: tuple[str | Hole, ...], session: Session) -> None:
        if self._is_full():
            return
        node, name, _ = session.missed or (None, "", None)
        shown = _shown(pieces)
        self._entry("INFO", shown, f"{place.named}: {shown} not found", Kind.NULL_RESULT)
        failure = Failure(
            kind=Kind.NULL_RESULT,
            level="INFO",
            message="The result is null." if node is None else f"The key {name} doesn't exist.",
            text=place.template,
            position=place.template.find(name) if name else -1,
            part=name,
            nearest=session.nearest_key(),
            pointer=place.pointer,
            parts=self._parts_of_failure(place),
        )
        self.failures.append(failure)

    def _parts_of_failure(self, place: "Place") -> tuple[Part, ...]:
        """As long as they are wanted."""
        return self.parts(place) if len(self.failures) < self.explains else ()

    def parts(self, place: "Place") -> tuple[Part, ...]:
        """What each part of the expressions in a text is worth."""
        try:
            pieces = place.pieces()
        except ExpressionError:
            return ()
        found: list[Part] = []
        for hole in pieces:
            if isinstance(hole, Hole):
                session = self._session()
                token = spent.begin(session.work)
                found += explained(hole.node, partial(place.located, hole.offset), session)
                spent.end(token)
        return tuple(found[:MAX_PARTS])

    def _note(self, place: "Place", error: ExpressionError) -> None:
        if self._is_full():
            return
        self._entry("ERROR", _bare(place.expanded), f"{place.named} {error.message}", error.kind)
        parts = () if error.kind is Kind.PARSE else self._parts_of_failure(place)
        self.failures.append(place.failure(error, parts=parts))

    def _entry(self, level: str, expression: str, description: str, kind: Kind) -> None:
        entry: JsonObject = {
            "level": level,
            "timestamp": self._world.at_ms,
            "description": description.replace("$", ""),
            "exceptionType": None if level == "INFO" else f"expression.{kind}",
        }
        before = self.summary.setdefault(expression, [])
        assert isinstance(before, list)
        before.append(entry)


class Place:
    """A text and where it stands."""

    __slots__ = ("_functions", "_key", "_path", "template")

    def __init__(self, template: str, key: str, path: "_Path", functions: Mapping[str, Function]) -> None:
        self.template = template
        self._key = key
        self._path = path
        self._functions = functions

    @property
    def expanded(self) -> str:
        """The text with the execution added to the calls that need it."""
        return rewritten(self.template, self._functions)

    def pieces(self) -> tuple[str | Hole, ...]:
        """The literal pieces and expressions. Raises `ExpressionError` of kind PARSE or LIMIT."""
        if self._functions is FUNCTIONS and len(self.template) <= MAX_CACHED:
            return _rewritten_and_parsed(self.template)
        return parse(self.expanded)

    @property
    def pointer(self) -> str:
        """JSON pointer of the text."""
        pieces: list[str] = []
        path = self._path
        while path is not None:
            path, step = path
            pieces.append(f"/{_escaped(step)}")
        return "".join(reversed(pieces))

    def failure(self, error: ExpressionError, *, offset: int = 0, parts: tuple[Part, ...] = ()) -> Failure:
        """The failure of an expression that begins at the offset; `parts` are what its own were worth."""
        position, part = self.located(offset, error.start, error.end) if error.start >= 0 else (-1, "")
        return Failure(
            kind=error.kind,
            level="ERROR",
            message=error.message,
            text=self.template,
            position=position,
            part=part,
            nearest=error.nearest,
            pointer=self.pointer,
            parts=parts,
        )

    def located(self, offset: int, start: int, end: int) -> tuple[int, str]:
        """Where a piece of the expanded text stands in the text as it was written, and what was written there."""
        expanded = self.expanded
        if expanded == self.template:
            return offset + start, self.template[offset + start : offset + end]
        places = places_of(self.template, expanded)
        begin, stop = places[min(offset + start, len(places) - 1)], places[min(offset + end, len(places) - 1)]
        return begin, self.template[begin:stop]

    @property
    def named(self) -> str:
        """The beginning of a description, as in Orca: the key that holds the text, else the text."""
        return f"Failed to evaluate [{self._key}]" if self._key else f"Failed to evaluate {self.template}"


@lru_cache(maxsize=1024)
def _rewritten_and_parsed(template: str) -> tuple[str | Hole, ...]:
    return _parse(rewritten(template, FUNCTIONS))


def _joined(pieces: tuple[str | Hole, ...], session: Session) -> tuple[str, bool]:
    """The text of all pieces, and whether one of them was null and stayed as it was."""
    made: list[str] = []
    has_null = False
    for piece in pieces:
        if isinstance(piece, str):
            made.append(piece)
            continue
        result = _evaluated(piece, session)
        try:
            part = text(result)
        except ExpressionError as error:
            error.start, error.end = piece.offset, piece.offset + len(piece.source)
            raise
        has_null = has_null or part is None
        made.append(f"${{{piece.source}}}" if part is None else part)
    return "".join(made), has_null


def _shown(pieces: tuple[str | Hole, ...]) -> str:
    return "".join(piece if isinstance(piece, str) else piece.source for piece in pieces)


def _evaluated(hole: Hole, session: Session) -> Value:
    try:
        return evaluate_tree(hole.node, session)
    except ExpressionError as error:
        if error.start >= 0:
            error.start, error.end = error.start + hole.offset, error.end + hole.offset
        raise


def _bare(expanded: str) -> str:
    """The expression under which the summary lists a text that failed."""
    try:
        pieces = parse(expanded)
    except ExpressionError:
        if expanded.startswith("${") and expanded.endswith("}"):
            return expanded[2:-1]
        return expanded.replace("$", "")
    return _shown(pieces)


def _escaped(key: str) -> str:
    """A key as part of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1") if "~" in key or "/" in key else key
