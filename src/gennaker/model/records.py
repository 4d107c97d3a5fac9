"""Records of foreign JSON: reading a typed view of it as leniently as Jackson, and saying all that is wrong at once.

Theory of operation. The documents are written for Spinnaker, whose services read them by Jackson. So `"true"` is a flag,
`"5"` a number and 5.0 a whole number; null, and blank text where no text is wanted, mean that nothing was said, wherever
something may be left out; keys that the record doesn't have are left alone. Where text is wanted a number, true and
false are taken as text, for an expression that is the whole of a field gives what it gives; a list that holds one
item isn't that item. A value is walked along the record's own type, which gives every fault its place;
`msgspec.convert` would stop at the first.

Before expressions are evaluated a text with `${` may become anything: it fits everywhere.
"""

import math
import re
from functools import cache
from typing import TypeVar

import msgspec
from msgspec import inspect

from gennaker.model import foreign, pointers
from gennaker.model.codec import Json, JsonObject, encode
from gennaker.model.problems import Problem, Refused

Record = TypeVar("Record")
Steps = tuple[str | int, ...]

WANTED = "wanted"
"""Key of `msgspec.Meta(extra=…)`: what a value of this type is called, where the type itself says too little."""
_UNFIT = object()
_LARGEST = 10**300

_INTEGER = re.compile(r"[+-]?\d{1,30}(?:\.0*)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d{1,400}\.?\d{0,400}|\.\d{1,400})(?:[eE][+-]?\d{1,4})?", re.ASCII)


class Wrong(msgspec.Struct, frozen=True):
    """One value that isn't what the record wants."""

    steps: Steps
    """Keys and places that lead to it."""
    said: str
    """After its name: `must be a number, not the text "x"`."""
    is_missing: bool = False

    @property
    def pointer(self) -> str:
        """Where it is."""
        return pointers.of(self.steps)

    @property
    def name(self) -> str:
        """What it is called: `clusters[0].capacity.min`."""
        shown = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.steps)
        return shown.removeprefix(".")

    def problem(self, code: str, *, of: str = "", pointer: str = "") -> Problem:
        """As a problem with a code `<code>.field_…`, `of` something that lies at a pointer."""
        subject = " of ".join(one for one in (self.name and f"`{self.name}`", of) if one) or "It"
        return Problem(
            code=f"{code}.field_missing" if self.is_missing else f"{code}.field_wrong",
            message=f"{subject[0].upper()}{subject[1:]} {self.said}.",
            remedy="Add it." if self.is_missing else "",
            pointer=f"{pointer}{self.pointer}",
        )


def read(value: Json, kind: type[Record]) -> Record | tuple[Wrong, ...]:
    """The record, or everything that is wrong."""
    reader = _Reader()
    plain = reader.value(_inspected(kind), value, ())  # type: ignore[arg-type]  # a class is hashable
    if reader.wrong:
        return tuple(reader.wrong)
    try:
        return msgspec.convert(plain, kind, strict=False)
    except msgspec.ValidationError as error:  # a rule over several fields, in __post_init__
        return (Wrong((), f"is wrong: {error}"),)


def quickly(value: Json, kind: type[Record]) -> Record | tuple[Wrong, ...]:
    """As `read`, by msgspec's own conversion where that does: it costs a fraction, but names one fault."""
    try:
        # Strictly: of texts msgspec takes more for flags, numbers and nothing than is meant here, and saving refuses them.
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return read(value, kind)


def converted(value: Json, kind: type[Record]) -> Record:
    """The record. Raises `msgspec.ValidationError` with everything that is wrong."""
    found = quickly(value, kind)
    if not isinstance(found, tuple):
        return found
    raise msgspec.ValidationError("; ".join(f"`{one.name}` {one.said}" if one.name else one.said for one in found))


def wrongs(value: Json, kind: type[msgspec.Struct]) -> tuple[Wrong, ...]:
    """Everything that is wrong with a value in which no expression is left."""
    found = read(value, kind)
    return found if isinstance(found, tuple) else ()


def wrongs_unevaluated(value: Json, kind: type[msgspec.Struct]) -> tuple[Wrong, ...]:
    """Everything that is wrong whatever its expressions will give."""
    if _fits_strictly(value, kind):  # costs a fraction
        return ()
    reader = _Reader(holds_expressions=True)
    reader.value(_inspected(kind), value, ())
    return tuple(reader.wrong)


def demanded(value: Json, kind: type[Record], *, of: str = "") -> Record:
    """The record of a stage, or of a part `of` it. Raises Refused with everything that is wrong."""
    found = quickly(value, kind)
    if not isinstance(found, tuple):
        return found
    raise Refused(*(one.problem("stage", of=of) for one in found))


def is_flag(value: Json) -> bool:
    """Whether it is true or false in any form."""
    return _flag(value) is not _UNFIT


def whole(value: Json) -> int | None:
    """The whole number that is meant; None where it is none."""
    found = _whole(value)
    return found if isinstance(found, int) else None


class _Reader:
    """Walks a value along a type: gathers what is wrong, and gives the value as `msgspec.convert` takes it."""

    def __init__(self, *, holds_expressions: bool = False) -> None:
        self.wrong: list[Wrong] = []
        self._holds_expressions = holds_expressions

    def value(self, kind: inspect.Type, given: Json, at: Steps) -> Json:
        if self._is_expression(given):
            return given
        match _unwrapped(kind):
            case inspect.AnyType():
                return given
            case inspect.UnionType() as union:
                return self._union(union, kind, given, at)
            case inspect.StructType() as struct if isinstance(given, dict):
                return self._fields(struct, given, at)
            case inspect.DictType() as mapping if isinstance(given, dict):
                return self._entries(mapping, given, at)
            case inspect.VarTupleType() | inspect.ListType() as several if isinstance(given, list):
                return [self.value(several.item_type, one, (*at, place)) for place, one in enumerate(given)]
        found = _scalar(_unwrapped(kind), given)
        if found is _UNFIT:
            self.wrong.append(Wrong(at, f"must be {wanted(kind)}, not {foreign.described(given)}"))
            return None
        return found  # type: ignore[return-value]  # the sentinel is gone here

    def _fields(self, struct: inspect.StructType, given: JsonObject, at: Steps) -> JsonObject:
        plain: JsonObject = {}
        may_have_more = any(map(self._is_expression, given))
        for field in struct.fields:
            key = field.encode_name
            value = given.get(key)
            if key in given and not _says_nothing(value, field.type):
                plain[key] = self.value(field.type, value, (*at, key))
            elif field.required and not may_have_more:
                self.wrong.append(Wrong((*at, key), "is needed", is_missing=True))
        return plain

    def _entries(self, mapping: inspect.DictType, given: JsonObject, at: Steps) -> JsonObject:
        return {
            key: self.value(mapping.value_type, one, (*at, key))
            for key, one in given.items()
            if not _says_nothing(one, mapping.value_type) and not self._is_expression(key)
        }

    def _union(self, union: inspect.UnionType, kind: inspect.Type, given: Json, at: Steps) -> Json:
        """The value as the first of the types that it fits; what is wrong is said of the one that was meant."""
        members = [one for one in union.types if not isinstance(one, inspect.NoneType)]
        if not isinstance(given, str):  # text takes a number, too, but a number is meant as one where there can be one
            members.sort(key=lambda one: isinstance(_unwrapped(one), inspect.StrType))
        if given is None and len(members) < len(union.types):
            return None
        meant: list[_Reader] = []
        for member in members:
            reader = _Reader(holds_expressions=self._holds_expressions)
            found = reader.value(member, given, at)
            if not reader.wrong:
                return found
            if _is_meant(member, given):
                meant.append(reader)
        if len(meant) == 1:
            self.wrong += meant[0].wrong
        else:
            self.wrong.append(Wrong(at, f"must be {wanted(kind)}, not {foreign.described(given)}"))
        return None

    def _is_expression(self, text: Json) -> bool:
        return self._holds_expressions and isinstance(text, str) and "${" in text


def wanted(kind: inspect.Type) -> str:
    """What a value of this type is called, e.g. `a whole number from 0`."""
    if isinstance(kind, inspect.Metadata) and WANTED in (kind.extra or {}):
        return str((kind.extra or {})[WANTED])
    match _unwrapped(kind):
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType() as number:
            return f"a whole number{_bounds(number)}"
        case inspect.FloatType() as number:
            return f"a number{_bounds(number)}"
        case inspect.StrType():
            return "text"
        case inspect.StructType() | inspect.DictType():
            return "an object"
        case inspect.UnionType(types=types):
            return " or ".join(dict.fromkeys(wanted(one) for one in types if not isinstance(one, inspect.NoneType)))
        case _:
            return "a list"


def _bounds(number: inspect.IntType | inspect.FloatType) -> str:
    lower = "" if number.ge is None else f" from {number.ge:g}"
    return lower if number.le is None else f"{lower} to {number.le:g}"


@cache
def _inspected(kind: type) -> inspect.Type:
    return inspect.type_info(kind)


def _unwrapped(kind: inspect.Type) -> inspect.Type:
    return kind.type if isinstance(kind, inspect.Metadata) else kind


def _says_nothing(value: Json, kind: inspect.Type) -> bool:
    """Null, or blank where no blank text is wanted: what such a field has by itself holds."""
    if value is None:
        return True
    return isinstance(value, str) and not value.strip() and not any(map(_takes_blanks, _members(kind)))


def _members(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    plain = _unwrapped(kind)
    return plain.types if isinstance(plain, inspect.UnionType) else (plain,)


def _takes_blanks(kind: inspect.Type) -> bool:
    """Text without a pattern that keeps them out, anything at all; an object or a list, for which a blank is no nothing."""
    plain = _unwrapped(kind)
    if isinstance(plain, inspect.StrType):
        return plain.pattern is None or re.search(plain.pattern, "") is not None
    return not isinstance(plain, inspect.BoolType | inspect.IntType | inspect.FloatType | inspect.NoneType)


def _is_meant(kind: inspect.Type, given: Json) -> bool:
    """Something of the same shape as the value: its faults are those that the writer can mend."""
    match _unwrapped(kind):
        case inspect.StructType() | inspect.DictType():
            return isinstance(given, dict)
        case inspect.VarTupleType() | inspect.ListType():
            return isinstance(given, list)
        case _:
            return False


def _scalar(kind: inspect.Type, given: Json) -> object:
    match kind:
        case inspect.BoolType():
            return _flag(given)
        case inspect.IntType() as whole:
            return _within(_whole(given), whole)
        case inspect.FloatType() as number:
            return _within(_number(given), number)
        case inspect.StrType(pattern=pattern) if isinstance(given, str | int | float):
            text = given if isinstance(given, str) else encode(given).decode()
            return text if pattern is None or re.search(pattern, text) else _UNFIT
        case _:
            return _UNFIT


def _fits_strictly(value: Json, kind: type[msgspec.Struct]) -> bool:
    """Strictly: of texts msgspec takes more for flags, numbers and nothing than is meant here."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return _is_finite(value)


def _is_finite(value: Json) -> bool:
    """Without YAML's `.inf` and `.nan`, which are numbers to msgspec."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case dict() as entries:
                waiting += entries.values()
            case list() as items:
                waiting += items
            case float() as number if not math.isfinite(number):
                return False
    return True


def _flag(given: Json) -> object:
    if isinstance(given, int):
        return bool(given)
    said = given.strip().lower() if isinstance(given, str) else ""
    return foreign.flag(given) if said in ("true", "false") else _UNFIT


def _whole(given: Json) -> object:
    match given:
        case bool():
            return _UNFIT
        case int():
            return given
        case float() if given.is_integer():
            return int(given)
        case str() if _INTEGER.fullmatch(given.strip()):
            return int(given.strip().partition(".")[0])
        case _:
            return _UNFIT


def _number(given: Json) -> object:
    match given:
        case bool():
            return _UNFIT
        case float() if math.isfinite(given):
            return given
        case int():  # beyond what a float can hold it is as good as infinite
            return float(given) if abs(given) < _LARGEST else math.inf if given > 0 else -math.inf
        case str() if _NUMBER.fullmatch(given.strip()) and math.isfinite(float(given)):
            return float(given)
        case _:
            return _UNFIT


def _within(number: object, bounds: inspect.IntType | inspect.FloatType) -> object:
    if not isinstance(number, int | float):
        return _UNFIT
    is_enough = bounds.ge is None or number >= bounds.ge
    return number if is_enough and (bounds.le is None or number <= bounds.le) else _UNFIT
