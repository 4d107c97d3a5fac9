"""Foreseeing: what of a definition's expressions can't work here, whatever they will see: found without evaluating them."""

from collections.abc import Iterator

import msgspec

from gennaker.expressions import template, tree, types
from gennaker.expressions.failures import ExpressionError, nearest
from gennaker.expressions.functions import FUNCTIONS
from gennaker.model import pointers
from gennaker.model.codec import Json
from gennaker.model.problems import Problem

_CHANGING = frozenset(
    {"add", "addAll", "clear", "put", "putAll", "putIfAbsent", "remove", "removeAll", "retainAll", "sort"}
)
"""Methods that change a list or a map; numbers have some of these names, too."""
_SHOWN = 60
"""Characters of an expression that a sentence repeats."""


def of_document(value: Json, pointer: str = "") -> Iterator[Problem]:
    """Of all texts in it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from of_document(inner, f"{pointer}/{pointers.escaped(key)}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from of_document(inner, f"{pointer}/{place}")
    elif isinstance(value, str) and "${" in value:
        yield from _of_text(value, pointer)


def _of_text(text: str, pointer: str) -> Iterator[Problem]:
    try:
        pieces = template.parse(text)
    except ExpressionError as error:
        yield _problem(error.kind, f"can't be read, and stays as text: {error.message}", text, pointer)
        return
    for piece in pieces:
        if isinstance(piece, template.Hole):
            for node in _nodes(piece.node):
                yield from _of_node(node, piece.source, pointer)


def _of_node(node: tree.Part, source: str, pointer: str) -> Iterator[Problem]:
    if isinstance(node, tree.Function) and node.name not in FUNCTIONS:
        meant = nearest(node.name, FUNCTIONS)
        said = f"calls the function #{node.name}, which isn't here (a plugin's, in Spinnaker): it stays as text."
        yield _problem("function_missing", f"{said} Did you mean #{meant}?" if meant else said, source, pointer)
    elif isinstance(node, tree.Change):
        said = "changes what it sees, which expressions can't do here: its stage would fail."
        problem = _problem("mutation", said, source, pointer)
        yield msgspec.structs.replace(problem, remedy="Set the value in an Evaluate Variables stage.")
    elif isinstance(node, tree.Call) and node.name in _CHANGING:
        said = f"calls {node.name}: of a list or a map that changes it, which expressions can't do here."
        problem = _problem("mutation", said, source, pointer)
        yield msgspec.structs.replace(problem, remedy="Make a new list or map instead: `{a, b}`, `{k: v}`.")
    elif isinstance(node, tree.TypeOf | tree.New | tree.NewArray):
        try:
            types.resolve(node.name)
        except ExpressionError as error:
            yield _problem(error.kind, f"stays as text: {error.message}", source, pointer)


def _nodes(value: object) -> Iterator[tree.Part]:
    """A node and all below it."""
    if isinstance(value, tree.Part):
        yield value
        for field in value.__struct_fields__:
            yield from _nodes(getattr(value, field))
    elif isinstance(value, tuple):
        for one in value:
            yield from _nodes(one)


def _problem(kind: str, said: str, text: str, pointer: str) -> Problem:
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return Problem(code=f"expression.{kind}", message=f"The expression `{shown}` {said}", pointer=pointer)
