"""How a method is found: tables of signatures, and Java's choice between overloads.

A table maps a name to its methods. Nothing outside the tables can be called. A signature is written as in Java,
`substring(int,int)`; `Object...` takes the rest of the arguments as one list.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from gennaker.expressions.conversions import CLOSE, CONVERTED, EXACT, convert, suits
from gennaker.expressions.failures import ExpressionError, Kind, nearest
from gennaker.expressions.values import Array, Group, Value, is_number, items_of, type_name

Code: TypeAlias = Callable[..., Value]


class Method(msgspec.Struct, frozen=True):
    """One overload."""

    parameters: tuple[str, ...]
    code: Code
    is_variable: bool = False
    """The last parameter takes all further arguments as a list."""


class Table(msgspec.Struct, frozen=True):
    """What can be called on values of one type."""

    methods: Mapping[str, tuple[Method, ...]]
    blocked: frozenset[str] = frozenset()
    """Methods that Java has and the filter forbids: reading them as properties fails differently."""
    mutating: frozenset[str] = frozenset()
    """Methods that Orca would run and that change the context: refused."""


def table(signatures: Mapping[str, Code], *, blocked: str = "", mutating: str = "") -> Table:
    """A table of signatures; the other two are names separated by spaces."""
    found: dict[str, list[Method]] = {}
    for signature, code in signatures.items():
        name, _, inside = signature.rstrip(")").partition("(")
        parameters = tuple(part for part in inside.split(",") if part)
        is_variable = bool(parameters) and parameters[-1].endswith("...")
        if is_variable:
            parameters = (*parameters[:-1], parameters[-1].removesuffix("..."))
        found.setdefault(name, []).append(Method(parameters, code, is_variable))
    methods = {name: tuple(overloads) for name, overloads in found.items()}
    return Table(methods, frozenset(blocked.split()) | {"getClass"}, frozenset(mutating.split()))


def merged(*tables: Table) -> Table:
    """One table of several; earlier ones win."""
    methods: dict[str, tuple[Method, ...]] = {}
    for each in reversed(tables):
        methods.update(each.methods)
    blocked = frozenset[str]().union(*(each.blocked for each in tables))
    mutating = frozenset[str]().union(*(each.mutating for each in tables))
    return Table(methods, blocked, mutating)


def chosen(among: Table, name: str, arguments: Sequence[Value], owner: str) -> tuple[Code, list[Value]]:
    """The overload for the arguments, and the arguments as it wants them.

    Raises METHOD_MISSING_OR_BLOCKED, METHOD_AMBIGUOUS, MUTATION, or CONVERSION where an argument can't become what
    its type promised.
    """
    close: Method | None = None
    close_distance = 0
    converted: list[Method] = []
    for method in among.methods.get(name, ()):
        rated = _rated(method, arguments)
        if rated is None:
            continue
        quality, distance = rated
        if quality == EXACT:
            return method.code, _arguments(method, arguments)
        if quality == CONVERTED:
            converted.append(method)
        elif close is None or distance < close_distance:
            close, close_distance = method, distance
    if close is not None:
        return close.code, _arguments(close, arguments)
    if len(converted) > 1:
        given = ", ".join(map(type_name, arguments))
        message = f"The method {name} of {owner} is ambiguous for ({given}): convert the arguments to one type."
        raise ExpressionError(Kind.METHOD_AMBIGUOUS, message)
    if converted:
        return converted[0].code, _arguments(converted[0], arguments)
    raise missing(among, name, arguments, owner)


def missing(among: Table, name: str, arguments: Sequence[Value], owner: str) -> ExpressionError:
    """The failure for a method that isn't there for these arguments."""
    if name in among.mutating:
        message = f"The method {name} would change the {owner}; expressions can only read."
        return ExpressionError(Kind.MUTATION, message)
    given = ", ".join(map(type_name, arguments))
    if name in among.methods:
        message = f"The method {name} of {owner} can't be called with ({given})."
    elif name in among.blocked:
        message = f"The method {name} of {owner} isn't allowed in expressions."
    else:
        message = f"There is no method {name} on {owner}."
    return ExpressionError(Kind.METHOD_MISSING_OR_BLOCKED, message, nearest=nearest(name, among.methods))


def _rated(method: Method, arguments: Sequence[Value]) -> tuple[int, int] | None:
    """(quality, distance) of the worst argument; None where the method can't take them."""
    expected = method.parameters
    if method.is_variable:
        fixed = len(expected) - 1
        if len(arguments) < fixed:
            return None
        if len(arguments) == len(expected) and isinstance(arguments[-1], Array):
            return _rated_each(expected[:-1], arguments[:-1]) or (CLOSE, 0)
        expected = expected[:-1] + (expected[-1],) * (len(arguments) - fixed)
        if len(arguments) == fixed + 1 and isinstance(arguments[-1], (list, Group)) and expected[-1] == "CharSequence":
            return None
    elif len(expected) != len(arguments):
        return None
    return _rated_each(expected, arguments)


def _rated_each(expected: Sequence[str], arguments: Sequence[Value]) -> tuple[int, int] | None:
    worst = EXACT
    distance = 0
    for kind, value in zip(expected, arguments, strict=True):
        quality = suits(kind, value)
        if quality is None:
            return None
        worst = max(worst, quality)
        distance += _distance(kind) if quality == CLOSE else 0
    return worst, distance


def _distance(kind: str) -> int:
    """How far a parameter's type is above the argument's: a box is nearer than an interface, Object is farthest."""
    return 20 if kind == "Object" else 1 if kind[0].isupper() else 0


def _arguments(method: Method, arguments: Sequence[Value]) -> list[Value]:
    if not method.is_variable:
        return [convert(kind, value) for kind, value in zip(method.parameters, arguments, strict=True)]
    fixed = len(method.parameters) - 1
    made = [convert(kind, value) for kind, value in zip(method.parameters[:-1], arguments[:fixed], strict=True)]
    rest: list[Value] = list(arguments[fixed:])
    # A single list for `Object...` is spread, as Spring's converter does: format('%s', {1,2}) is "1".
    if len(rest) == 1 and (spread := items_of(rest[0])) is not None:
        rest = spread
    kind = method.parameters[-1]
    made.append([convert(kind, value) if kind != "Object" else value for value in rest])
    return made


def java_hash(value: Value) -> int:
    """Java's hashCode for the types whose hash doesn't depend on the process."""
    match value:
        case None:
            return 0
        case str():
            found = 0
            for unit in memoryview(value.encode("utf-16-le", "surrogatepass")).cast("H"):
                found = (31 * found + unit) & 0xFFFFFFFF
            return _signed(found)
        case bool():
            return 1231 if value else 1237
        case int() if is_number(value):
            number = int(value)
            return (
                number if type_name(value) in ("Integer", "Byte") else _signed((number ^ (number >> 32)) & 0xFFFFFFFF)
            )
    raise ExpressionError(Kind.UNSUPPORTED, f"hashCode of {type_name(value)} isn't offered.")


def _signed(number: int) -> int:
    return number - (1 << 32) if number >= 1 << 31 else number
