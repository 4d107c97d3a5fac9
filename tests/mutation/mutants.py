"""Mutants: small faults put into a module's source, one at a time.

What is changed: conditions (forced either way, operators swapped, negations dropped), numbers, truth values, statuses,
texts that are keys (sentences for people are left alone), arithmetic; calls that stand alone and keyword arguments are
left out, cases never match, results are inverted, elements of tables disappear. Left alone is what says nothing to a
running engine: imports, docstrings, how a record is declared, assertions.
"""

import ast
import copy
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import msgspec

from gennaker.model.statuses import Status

_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
_OTHER_STATUS = {
    one.name: other.name for one, other in zip(Status, (*list(Status)[1:], next(iter(Status))), strict=True)
}
_OTHER_STATUS |= {"SUCCEEDED": "TERMINAL", "TERMINAL": "SUCCEEDED", "RUNNING": "PAUSED", "PAUSED": "RUNNING"}
NO_FAULT = "no fault"
_FORCED = (ast.If, ast.IfExp, ast.While)


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """One fault."""

    line: int
    what: str
    before: str
    after: str
    code: CodeType

    def __str__(self) -> str:
        return f"{self.line}: {self.what}: {self.before} → {self.after}"


def of(source: str, file: str) -> Iterator[Mutant]:
    """All mutants of a module."""
    tree = ast.parse(source)
    declared = _declared(tree)
    for place, node in enumerate(ast.walk(tree)):
        if _is_left_alone(node) or node in declared:
            continue
        for number, _ in enumerate(list(_changes(node))):
            changed = copy.deepcopy(tree)
            target = _at(changed, place)
            what, apply = list(_changes(target))[number]
            before = _said(target)
            apply()
            code = compile(ast.fix_missing_locations(changed), file, "exec")
            yield Mutant(line=_line(node), what=what, before=before, after=_said(target), code=code)


def without_fault(file: Path) -> Mutant:
    """The module as it is: no test may fail for it."""
    return Mutant(line=0, what=NO_FAULT, before="", after="", code=compile(file.read_text(), str(file), "exec"))


def _at(tree: ast.AST, place: int) -> ast.AST:
    return next(node for number, node in enumerate(ast.walk(tree)) if number == place)


def _line(node: ast.AST) -> int:
    """Where it begins; some nodes have no place of their own."""
    if isinstance(node, ast.comprehension):
        return node.target.lineno
    if isinstance(node, ast.match_case):
        return node.pattern.lineno
    return getattr(node, "lineno", 0)


def _is_left_alone(node: ast.AST) -> bool:
    """Imports, and what is there for the type checker or for our own faults alone."""
    if isinstance(node, ast.match_case):
        return _is_unreachable(node.body[0])
    return isinstance(node, ast.Assert | ast.Import | ast.ImportFrom | ast.arg)


def _declared(tree: ast.AST) -> set[ast.AST]:
    """Docstrings, and how records are made."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found.add(node.value)
        if isinstance(node, ast.ClassDef):
            found |= {one for keyword in node.keywords for one in ast.walk(keyword)}
    return found


def _is_unreachable(statement: ast.stmt) -> bool:
    return "assert_never(" in ast.unparse(statement)


def _said(node: ast.AST) -> str:
    """On one line, of a block only its head."""
    text = ast.unparse(node)
    text = text.partition("\n")[0] if isinstance(node, ast.stmt) else " ".join(text.split())
    return text if len(text) <= 160 else f"{text[:157]}…"


def _changes(node: ast.AST) -> Iterator[tuple[str, "Apply"]]:  # noqa: C901, PLR0912 - one paragraph for each kind of node
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            if type(operator) in _SWAPS:
                yield "operator swapped", Apply(node.ops, place, _SWAPS[type(operator)]())
    if isinstance(node, ast.BoolOp | ast.BinOp) and type(node.op) in _SWAPS and not _is_text(node):
        yield "operator swapped", Apply(node, "op", _SWAPS[type(node.op)]())
    if isinstance(node, _FORCED):
        for value in (True, False):
            if not (isinstance(node, ast.While) and value):
                yield f"condition is {value}", Apply(node, "test", ast.Constant(value))
        if isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not):
            yield "not dropped", Apply(node, "test", node.test.operand)
    if isinstance(node, ast.comprehension):
        for place in range(len(node.ifs)):
            for value in (True, False):
                yield f"condition is {value}", Apply(node.ifs, place, ast.Constant(value))
    if isinstance(node, ast.match_case):
        yield "case never matches", Apply(node, "guard", ast.Constant(False))
        if node.guard is not None:
            yield "guard is True", Apply(node, "guard", ast.Constant(True))
    if isinstance(node, ast.Call):
        for place in range(len(node.keywords)):
            if node.keywords[place].arg is not None:
                yield f"argument {node.keywords[place].arg} left out", Apply(node.keywords, place, None)
    if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "Status" and node.attr in _OTHER_STATUS:
        yield "another status", Apply(node, "attr", _OTHER_STATUS[node.attr])
    if isinstance(node, ast.Set) and len(node.elts) > 1:
        for place in range(len(node.elts)):
            yield "element left out", Apply(node.elts, place, None)
    yield from _of_constants(node)
    yield from _of_statements(node)


def _of_constants(node: ast.AST) -> Iterator[tuple[str, "Apply"]]:
    if not isinstance(node, ast.Constant):
        return
    if isinstance(node.value, bool):
        yield "inverted", Apply(node, "value", not node.value)
    elif isinstance(node.value, int | float):
        yield "another number", Apply(node, "value", node.value + 1)
    elif isinstance(node.value, str) and node.value and " " not in node.value and "\n" not in node.value:
        yield "another text", Apply(node, "value", f"{node.value}~")


def _of_statements(node: ast.AST) -> Iterator[tuple[str, "Apply"]]:
    for field in ("body", "orelse", "finalbody"):
        block = getattr(node, field, None)
        if not isinstance(block, list):
            continue
        for place, statement in enumerate(block):
            if _is_unreachable(statement):
                continue
            is_call = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
            if is_call or isinstance(statement, ast.Continue | ast.Break | ast.AugAssign):
                yield f"left out: {_said(statement)}", Apply(block, place, ast.Pass())
            elif isinstance(statement, ast.Return) and statement.value is None:
                yield "return left out", Apply(block, place, ast.Pass())
            elif isinstance(statement, ast.Return) and isinstance(statement.value, ast.Compare | ast.BoolOp):
                inverted = ast.Return(ast.UnaryOp(ast.Not(), statement.value))
                yield "result inverted", Apply(block, place, inverted)


def _is_text(node: ast.BoolOp | ast.BinOp) -> bool:
    """Texts that are joined by `+`."""
    if isinstance(node, ast.BoolOp):
        return False
    return any(isinstance(one, ast.JoinedStr) for one in (node.left, node.right)) or any(
        isinstance(one, ast.Constant) and isinstance(one.value, str) for one in (node.left, node.right)
    )


class Apply:
    """Puts something in the place of something, when it is called."""

    def __init__(self, holder: object, place: int | str, value: object) -> None:
        self._holder = holder
        self._place = place
        self._value = value

    def __call__(self) -> None:
        if isinstance(self._holder, list):
            assert isinstance(self._place, int)
            if self._value is None:
                del self._holder[self._place]
            else:
                self._holder[self._place] = self._value
        else:
            assert isinstance(self._place, str)
            setattr(self._holder, self._place, self._value)
