"""Explaining: the value of every part of an expression, in the order in which the parts are evaluated.

A second evaluation, part by part, of an expression that has failed or that somebody asks about; nothing of it stands in
the way of the first one. A part is evaluated in the scope in which it stands, so that parts of selections and
projections appear once for each of their first elements. Parts that weren't reached (the other branch of a ternary,
what follows a decided `and`) don't appear.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import msgspec

from gennaker.expressions import tree
from gennaker.expressions.conversions import java_text, to_json
from gennaker.expressions.evaluate import run
from gennaker.expressions.failures import ExpressionError, Part
from gennaker.expressions.functions import json_text
from gennaker.expressions.session import Scope, Session
from gennaker.expressions.values import Entry, Group, Record, Value, entries, is_map, items_of, type_name

Locate: TypeAlias = Callable[[int, int], tuple[int, str]]

MAX_PARTS = 40
MAX_ELEMENTS = 3
"""Elements of a selection or projection that are shown."""
MAX_STEPS = 200_000
"""Of all parts together."""
MAX_SHOWN = 120
"""Characters of a value."""


def explained(node: tree.Node, locate: Locate, session: Session) -> tuple[Part, ...]:
    """The parts of an expression with their values, inner ones first. Raises nothing.

    `locate` gives the place of a node in the text, and the piece of text; the session must be a fresh one.
    """
    session.allowance = min(session.allowance, MAX_STEPS)
    root = session.scene.map
    work = _Explaining(locate)
    try:
        work.visit(node, Scope(session, root, root))
    except (ExpressionError, RecursionError, _Full):
        return tuple(work.parts)  # the part that failed is in the list, with why; what it stops isn't reached
    return tuple(work.parts)


class _Full(Exception):
    """There are as many parts as are shown."""


class _Explaining:
    def __init__(self, locate: Locate) -> None:
        self._locate = locate
        self.parts: list[Part] = []

    def visit(self, node: tree.Node, scope: Scope) -> Value:
        """Evaluates a node after its parts, and notes it. Raises what the node raises."""
        match node:
            case tree.Literal():
                return run(node, scope)
            case tree.Chain():
                return self._chain(node, scope)
            case tree.Selection() | tree.Projection():
                return self._collection(node, scope.this, node, scope)
            case tree.Ternary():
                self.visit(node.condition, scope)
                is_true = run(msgspec.structs.replace(node, yes=_YES, no=_NO), scope)
                self.visit(node.yes if is_true else node.no, scope)
            case tree.Logic():
                self._logic(node, scope)
            case tree.Elvis():
                value = self.visit(node.value, scope)
                if value is None or value == "":
                    self.visit(node.default, scope)
            case _:
                for part in _inner(node):
                    self.visit(part, _inside(node, scope))
        return self._run(node, scope)

    def _logic(self, node: tree.Logic, scope: Scope) -> None:
        for count, operand in enumerate(node.operands, 1):
            self.visit(operand, scope)
            decided = run(msgspec.structs.replace(node, operands=node.operands[:count]), scope)
            if decided is (node.operator == "||"):
                return

    def _chain(self, node: tree.Chain, scope: Scope) -> Value:
        value = self.visit(node.first, scope)
        for count, link in enumerate(node.links, 1):
            before = msgspec.structs.replace(node, links=node.links[:count], end=link.end)
            if isinstance(link, (tree.Selection, tree.Projection)):
                value = self._collection(link, value, before, scope)
                continue
            for part in _inner(link):
                if not (isinstance(link, tree.Index) and isinstance(part, tree.Property) and is_map(value)):
                    self.visit(part, _inside(link, scope))
            value = self._run(before, scope)
        return value

    def _collection(
        self, node: tree.Selection | tree.Projection, target: Value, whole: tree.Node, scope: Scope
    ) -> Value:
        each = node.criterion if isinstance(node, tree.Selection) else node.each
        for element in _elements(target)[:MAX_ELEMENTS]:
            self.visit(each, Scope(scope.session, element, element))
        return self._run(whole, scope)

    def _run(self, node: tree.Node, scope: Scope) -> Value:
        try:
            value = run(node, scope)
        except ExpressionError as error:
            self._note(node, error.message, is_failed=True)
            raise
        self._note(node, shown(value), type_name(value))
        return value

    def _note(self, node: tree.Node, value: str, kind: str = "", *, is_failed: bool = False) -> None:
        position, text = self._locate(node.start, node.end)
        if not text:
            return  # added by rewriting
        part = Part(
            position=position,
            part=text,
            value="" if is_failed else value,
            type=kind,
            problem=value if is_failed else "",
        )
        if self.parts and self.parts[-1] == part:
            return
        if len(self.parts) >= MAX_PARTS:
            raise _Full
        self.parts.append(part)


_YES, _NO = tree.Literal(value=True, start=0, end=0), tree.Literal(value=False, start=0, end=0)


def _inside(node: tree.Node, scope: Scope) -> Scope:
    """The scope of a node's own parts."""
    if isinstance(node, tree.Index):
        return Scope(scope.session, scope.session.scene.map, scope.outer)
    if isinstance(node, tree.Call):
        return Scope(scope.session, scope.outer, scope.outer)
    return scope


def _inner(node: tree.Node) -> Sequence[tree.Node]:
    """The parts that are evaluated before a node."""
    match node:
        case tree.Call() | tree.Function() | tree.New():
            return node.arguments
        case tree.Index():
            return (node.key,)
        case tree.Unary():
            return (node.operand,)
        case tree.Arithmetic():
            return (node.first, *(operand for _operator, operand in node.rest))
        case tree.Comparison():
            return (node.left, node.right)
        case tree.ListOf():
            return node.items
        case tree.MapOf():
            return [part for pair in node.entries for part in pair if part is pair[1] or not _is_name(part)]
    return ()


def _is_name(key: tree.Node) -> bool:
    return isinstance(key, tree.Property)


def _elements(target: Value) -> Sequence[Value]:
    if is_map(target):
        return [Entry(key, value) for key, value in entries(target).items()]
    return items_of(target) or ()


def shown(value: Value) -> str:
    """A value as short JSON; of a large one only the beginning is looked at."""
    made = ""
    try:
        for piece in _pieces(value):
            made += piece
            if len(made) > MAX_SHOWN:
                return f"{made[: MAX_SHOWN - 1]}…"
    except (ExpressionError, RecursionError):
        return f"a value of type {type_name(value)}"
    return made


def _pieces(value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield json_text(value[: MAX_SHOWN + 1])
    elif isinstance(value, Record):
        yield from _pieces(value.raw)
    elif is_map(value):
        mark = "{"
        for key, item in entries(value).items():
            yield f"{mark}{json_text(java_text(key)[: MAX_SHOWN + 1])}:"
            yield from _pieces(item)
            mark = ","
        yield "{}" if mark == "{" else "}"
    elif isinstance(value, (list, Group)):
        mark = "["
        for item in items_of(value) or ():
            yield mark
            yield from _pieces(item)
            mark = ","
        yield "[]" if mark == "[" else "]"
    else:
        yield json_text(to_json(value))
