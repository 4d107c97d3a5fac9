"""What can go wrong with an expression: kinds, the room's only exception, and the record that a caller gets.

The kinds are the neutral classes of the golden cases; a failure's stable code is `expression.` and the kind.
`ExpressionError` is the only exception that this room raises on purpose, and it never leaves `template.evaluate`:
there it becomes a `Failure`.
"""

import difflib
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from gennaker.model.codec import JsonObject
from gennaker.patterns.errors import PatternError

_SHOWN = 60
"""Characters of a part that a sentence shows."""


class Kind(StrEnum):
    """Class of a failure; the values are API."""

    NULL_RESULT = "null_result"
    """Nothing failed, but the result is null: the text stays (level INFO)."""
    PARSE = "parse"
    TYPE_BLOCKED = "type_blocked"
    TYPE_NOT_FOUND = "type_not_found"
    PROPERTY_BLOCKED = "property_blocked"
    PROPERTY_MISSING = "property_missing"
    METHOD_MISSING_OR_BLOCKED = "method_missing_or_blocked"
    METHOD_AMBIGUOUS = "method_ambiguous"
    NULL_DEREFERENCE = "null_dereference"
    FUNCTION_FAILED = "function_failed"
    FUNCTION_MISSING = "function_missing"
    FUNCTION_ARITY = "function_arity"
    CONVERSION = "conversion"
    JAVA_EXCEPTION = "java_exception"
    """A method failed on its arguments, as Java's would have."""
    INDEX_OUT_OF_RANGE = "index_out_of_range"
    INDEX_UNSUPPORTED = "index_unsupported"
    OPERATOR_UNSUPPORTED = "operator_unsupported"
    NOT_COMPARABLE = "not_comparable"
    BETWEEN_OPERAND = "between_operand"
    INSTANCEOF_OPERAND = "instanceof_operand"
    SELECTION_TARGET = "selection_target"
    SELECTION_NOT_BOOLEAN = "selection_not_boolean"
    PROJECTION_TARGET = "projection_target"
    BEAN_REFERENCE = "bean_reference"
    REGEX = "regex"
    LIMIT = "limit"
    MUTATION = "mutation"
    """The expression would change the context or the execution; refused here, unlike in Orca."""
    UNSUPPORTED = "unsupported"
    """Valid in Spinnaker, not offered here."""


class ExpressionError(Exception):
    """An expression can't be parsed or evaluated.

    `start` and `end` are offsets in the expression; the evaluator fills them in where the raiser couldn't know them.
    """

    def __init__(self, kind: Kind, message: str, *, start: int = -1, end: int = -1, nearest: str = "") -> None:
        """Keeps the facts; `nearest` is the existing name that was probably meant."""
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.start = start
        self.end = end
        self.nearest = nearest


def of_pattern(error: PatternError) -> ExpressionError:
    """The failure of a pattern that an expression holds."""
    return ExpressionError(Kind.LIMIT if error.is_limit else Kind.REGEX, error.message)


def bad(message: str) -> ExpressionError:
    """The failure of a method on its arguments, where Java throws an exception."""
    return ExpressionError(Kind.JAVA_EXCEPTION, message)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The value of one part of an expression."""

    position: int
    """Offset in the text where the part begins."""
    part: str
    value: str
    """Short JSON; empty where the part failed."""
    type: str = ""
    """Simple name of the value's Java type."""
    problem: str = ""
    """Why the part failed."""

    def as_json(self) -> JsonObject:
        """The form that is kept in events and shown by the API."""
        shown: JsonObject = {"position": self.position, "part": self.part}
        return shown | ({"problem": self.problem} if self.problem else {"value": self.value, "type": self.type})


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One expression text that failed, or whose result is null."""

    kind: Kind
    level: str
    """`ERROR` for a failed expression, `INFO` for a null result."""
    message: str
    text: str
    """The whole text in which the expression stands, as it was written."""
    position: int
    """Offset in `text` where the offending part begins; -1: the whole."""
    part: str
    """The offending part of the expression; empty: the whole."""
    nearest: str = ""
    """The existing key, function or property that was probably meant."""
    pointer: str = ""
    """JSON pointer of the text in the value that was evaluated."""
    parts: tuple[Part, ...] = ()
    """What each part of the failed expression was worth, inner parts first."""

    @property
    def code(self) -> str:
        """Stable code for programs, e.g. `expression.null_dereference`."""
        return f"expression.{self.kind}"

    def of_bare(self) -> "Failure":
        """The failure of an expression that was put into `${}` only to be evaluated, as that of the bare one."""
        bare = self.text.removeprefix("${").removesuffix("}")
        return msgspec.structs.replace(self, text=bare, position=max(self.position - len("${"), -1))

    @property
    def place(self) -> str:
        """See `placed`."""
        return placed(self.position, self.part, self.text)

    @property
    def meant(self) -> str:
        """What was probably meant, as a question; empty where nothing is alike."""
        return question(self.code, self.nearest)

    def as_json(self) -> JsonObject:
        """The form that is kept in events and shown by the API."""
        return {
            "code": self.code,
            "level": self.level,
            "message": self.message,
            "text": self.text,
            "position": self.position,
            "part": self.part,
            "nearest": self.nearest,
            "pointer": self.pointer,
            "parts": [part.as_json() for part in self.parts],
        }


def placed(position: int, part: str, text: str) -> str:
    """Where in a text something is wrong, for people: ` (character 3: #nohelper(1))`; empty where it is the whole.

    `position` counts from 0, as in `Failure`; people count from 1.
    """
    if position < 0:
        return ""
    if position >= len(text.rstrip()):
        return f" (character {position + 1}, the end)"
    shown = part or text[position:]
    shown = shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"
    return f" (character {position + 1}: {shown})"


def question(code: str, nearest: str) -> str:
    """Whether the nearest name was meant; `code` is that of a `Failure`."""
    mark = "#" if code == f"expression.{Kind.FUNCTION_MISSING}" else ""
    return f"Did you mean {mark}{nearest}?" if nearest else ""


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like the given one; empty where none is alike."""
    names = [candidate for candidate in known if candidate != name]
    by_lower = {candidate.lower(): candidate for candidate in names}
    if name.lower() in by_lower:
        return by_lower[name.lower()]
    found = difflib.get_close_matches(name, names[:500], n=1, cutoff=0.65)
    return found[0] if found else ""
