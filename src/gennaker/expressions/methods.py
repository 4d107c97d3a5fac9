"""How a method is found: tables of signatures, and Spring's choice between overloads.

A table maps a name to its methods. Nothing outside the tables can be called. A signature is written as in Java,
`substring(int,int)`; `Object...` takes the rest of the arguments as one list. All overloads that Spinnaker allows are
in the tables, also those that are refused or not offered here, since each can make a call ambiguous.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from gennaker.expressions.arguments import CLOSE, CONVERTED, EXACT, convert, distance, suits
from gennaker.expressions.failures import ExpressionError, Kind, nearest
from gennaker.expressions.values import Array, Group, Value, items_of, type_name

Code: TypeAlias = Callable[..., Value]

_FAR = 1_000_000


class Method(msgspec.Struct, frozen=True):
    """One overload."""

    parameters: tuple[str, ...]
    code: Code
    is_variable: bool = False
    """The last parameter takes all further arguments as a list."""
    is_static: bool = False
    """`code` isn't given the target."""
    takes_world: bool = False
    """`code` is given the `World` first: it needs the time or chance."""

    def call(self, world: Value, target: Value, arguments: Sequence[Value]) -> Value:
        """Runs the code with converted arguments."""
        given = [] if self.is_static else [target]
        return self.code(world, *given, *arguments) if self.takes_world else self.code(*given, *arguments)


class Table(msgspec.Struct, frozen=True):
    """What can be called on values of one type."""

    methods: Mapping[str, tuple[Method, ...]]
    blocked: frozenset[str] = frozenset()
    """Methods that Java has and the filter forbids."""
    blocked_getters: frozenset[str] = frozenset()
    """Those of them without arguments: reading them as properties fails differently."""
    mutating: frozenset[str] = frozenset()
    """Methods that Orca would run and that change the context: refused."""


def table(
    signatures: Mapping[str, Code], *, blocked: str = "", mutating: str = "", others: str = "", is_static: bool = False
) -> Table:
    """A table of signatures; those that begin with `@` take the world.

    The texts are signatures separated by spaces: `blocked` ones the filter forbids, `mutating` ones are refused, `others`
    are allowed in Spinnaker and not offered here.
    """
    found: dict[str, list[Method]] = {}
    for signature, code in signatures.items():
        _add(found, signature, code, is_static=is_static)
    for signature in mutating.split():
        _add(found, signature, _refusal(_name(signature)), is_static=False)
    for signature in others.split():
        _add(found, signature, _absence(_name(signature)), is_static=is_static)
    words = blocked.split()
    return Table(
        {name: tuple(overloads) for name, overloads in found.items()},
        frozenset(map(_name, words)) | {"getClass"},
        frozenset(_name(word) for word in words if word.endswith("()")) | {"getClass"},
        frozenset(map(_name, mutating.split())),
    )


def statics(signatures: Mapping[str, Code], *, blocked: str = "", others: str = "") -> Table:
    """A table of static methods."""
    return table(signatures, blocked=blocked, others=others, is_static=True)


def _name(signature: str) -> str:
    return signature.partition("(")[0]


def _add(found: dict[str, list[Method]], signature: str, code: Code, *, is_static: bool) -> None:
    name, _, inside = signature.removeprefix("@").rstrip(")").partition("(")
    parameters = tuple(part for part in inside.split(",") if part)
    is_variable = bool(parameters) and parameters[-1].endswith("...")
    if is_variable:
        parameters = (*parameters[:-1], parameters[-1].removesuffix("..."))
    method = Method(parameters, code, is_variable, is_static, takes_world=signature.startswith("@"))
    found.setdefault(name, []).append(method)


def _refusal(name: str) -> Code:
    def refuse(*_given: Value) -> Value:
        message = f"The method {name} would change its target; expressions can only read."
        raise ExpressionError(Kind.MUTATION, message)

    return refuse


def _absence(name: str) -> Code:
    def refuse(*_given: Value) -> Value:
        raise ExpressionError(Kind.UNSUPPORTED, f"The method {name} with these arguments isn't offered here.")

    return refuse


def merged(*tables: Table) -> Table:
    """One table of several; where two have the same signature the earlier wins."""
    methods: dict[str, tuple[Method, ...]] = {}
    for each in tables:
        for name, overloads in each.methods.items():
            known = methods.get(name, ())
            taken = {method.parameters for method in known}
            methods[name] = (*known, *(method for method in overloads if method.parameters not in taken))
    return Table(
        {name: tuple(sorted(overloads, key=_order)) for name, overloads in methods.items()},
        frozenset[str]().union(*(each.blocked for each in tables)),
        frozenset[str]().union(*(each.blocked_getters for each in tables)),
        frozenset[str]().union(*(each.mutating for each in tables)),
    )


def _order(method: Method) -> tuple[int, bool]:
    return len(method.parameters), method.is_variable


def chosen(among: Table, name: str, arguments: Sequence[Value], owner: str) -> tuple[Method, list[Value]]:
    """The overload for the arguments, and the arguments as it wants them.

    Raises METHOD_MISSING_OR_BLOCKED, METHOD_AMBIGUOUS, or CONVERSION where an argument can't become what its type
    promised.
    """
    close: Method | None = None
    close_distance = 0
    converted: list[Method] = []
    for method in among.methods.get(name, ()):
        quality = _quality(method, arguments)
        if quality == EXACT:
            return method, _arguments(method, arguments)
        if quality == CONVERTED:
            converted.append(method)
        elif quality == CLOSE:
            far = _distance(method, arguments)
            if close is None or far < close_distance:
                close, close_distance = method, far
    if close is not None:
        return close, _arguments(close, arguments)
    if len(converted) > 1:
        given = ", ".join(map(type_name, arguments))
        message = f"The method {name} of {owner} is ambiguous for ({given}): convert the arguments to one type."
        raise ExpressionError(Kind.METHOD_AMBIGUOUS, message)
    if converted:
        return converted[0], _arguments(converted[0], arguments)
    raise missing(among, name, arguments, owner)


def constructor(among: Table, arguments: Sequence[Value], owner: str) -> tuple[Method, list[Value]]:
    """The constructor for the arguments: where none fits exactly Spring takes the last that can be made to fit."""
    ranked: dict[int, Method] = {}
    for method in among.methods.get("new", ()):
        quality = _quality(method, arguments)
        if quality is not None and not (quality == EXACT and EXACT in ranked):
            ranked[quality] = method
    if not ranked:
        raise missing(among, "new", arguments, owner)
    found = ranked[min(ranked)]
    return found, _arguments(found, arguments)


def missing(among: Table, name: str, arguments: Sequence[Value], owner: str) -> ExpressionError:
    """The failure for a method that isn't there for these arguments."""
    given = ", ".join(map(type_name, arguments))
    if name in among.methods:
        message = f"The method {name} of {owner} can't be called with ({given})."
    elif name in among.blocked:
        message = f"The method {name} of {owner} isn't allowed in expressions."
    else:
        message = f"There is no method {name} on {owner}."
    return ExpressionError(Kind.METHOD_MISSING_OR_BLOCKED, message, nearest=nearest(name, among.methods))


def _quality(method: Method, arguments: Sequence[Value]) -> int | None:
    """That of the worst argument; None where the method can't take them."""
    expected = method.parameters
    if method.is_variable:
        fixed = len(expected) - 1
        if len(arguments) < fixed:
            return None
        if len(arguments) == len(expected) and _is_whole_rest(expected[-1], arguments[-1]):
            expected, arguments = expected[:-1], arguments[:-1]
        else:
            expected = expected[:-1] + (expected[-1],) * (len(arguments) - fixed)
    elif len(expected) != len(arguments):
        return None
    worst = EXACT
    for kind, value in zip(expected, arguments, strict=True):
        quality = suits(kind, value)
        if quality is None:
            return None
        worst = max(worst, quality)
    return worst


def _is_whole_rest(kind: str, value: Value) -> bool:
    """The argument is already the array of all that the last parameter takes."""
    return isinstance(value, Array) and value.component == kind


def _distance(method: Method, arguments: Sequence[Value]) -> int:
    if not method.is_variable:
        return sum(map(distance, method.parameters, arguments))
    if len(arguments) == len(method.parameters) and isinstance(arguments[-1], Array):
        return sum(map(distance, method.parameters[:-1], arguments))
    return _FAR


def _arguments(method: Method, arguments: Sequence[Value]) -> list[Value]:
    if not method.is_variable:
        return [convert(kind, value) for kind, value in zip(method.parameters, arguments, strict=True)]
    fixed = len(method.parameters) - 1
    made = [convert(kind, value) for kind, value in zip(method.parameters[:-1], arguments[:fixed], strict=True)]
    rest: list[Value] = list(arguments[fixed:])
    # A single list for `Object...` is spread, as Spring's converter does: format('%s', {1,2}) is "1".
    kind = method.parameters[-1]
    is_spread = len(rest) == 1 and not (kind == "Object" and isinstance(rest[0], Group))
    if is_spread and (spread := items_of(rest[0])) is not None:
        rest = spread
    made.append([convert(kind, value) for value in rest])
    return made
