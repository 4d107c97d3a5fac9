"""Checking: what of a text's expressions can't be evaluated whatever the context holds, before anything runs.

Unknown functions, wrong numbers of arguments, types that aren't allowed, beans and changes; what can't be parsed, too.
Keys aren't looked at: what there will be nobody knows yet.
"""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from gennaker.expressions import certain, template, tree, types
from gennaker.expressions.failures import ExpressionError, Failure
from gennaker.expressions.functions import FUNCTIONS, Function

_Checked: TypeAlias = tree.Function | tree.TypeOf | tree.New | tree.NewArray | tree.Bean | tree.Change
_KINDS = (tree.Function, tree.TypeOf, tree.New, tree.NewArray, tree.Bean, tree.Change)


def check(text: str, functions: Mapping[str, Function] = FUNCTIONS) -> tuple[Failure, ...]:
    """Everything that is certain to fail, in the order of the text. Raises nothing."""
    place = template.Place(text, "", None, functions)
    try:
        holes = [piece for piece in place.pieces() if isinstance(piece, template.Hole)]
    except ExpressionError as error:
        return (place.failure(error),)
    found: list[Failure] = []
    for hole in holes:
        for node in sorted(_all(hole.node), key=lambda one: one.start):
            try:
                _check(node, functions)
            except ExpressionError as error:
                at = error if error.start >= 0 else _at(error, node)
                found.append(place.failure(at, offset=hole.offset))
    return tuple(found)


def check_bare(expression: str, functions: Mapping[str, Function] = FUNCTIONS) -> tuple[Failure, ...]:
    """As `check`, of an expression that is written without `${` and `}`."""
    return tuple(failure.of_bare() for failure in check(f"${{{expression}}}", functions))


def _check(node: _Checked, functions: Mapping[str, Function]) -> None:
    match node:
        case tree.Function():
            certain.check_count(node, certain.known_function(node, functions))
        case tree.TypeOf() | tree.New() | tree.NewArray():
            types.resolve(node.name)
        case tree.Bean():
            raise certain.no_bean(node)
        case tree.Change():
            raise certain.no_change(node)


def _all(node: tree.Node) -> Iterator[_Checked]:
    """The nodes of an expression that can be checked; without recursion, as an expression may be deep."""
    left: list[object] = [node]
    while left:
        one = left.pop()
        if isinstance(one, _KINDS):
            yield one
        if isinstance(one, tree.Literal):
            continue
        if isinstance(one, tree.Part):
            left += (getattr(one, field) for field in one.__struct_fields__)
        elif isinstance(one, tuple):
            left += one


def _at(error: ExpressionError, node: tree.Part) -> ExpressionError:
    return ExpressionError(error.kind, error.message, start=node.start, end=node.end, nearest=error.nearest)
