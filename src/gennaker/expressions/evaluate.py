"""Evaluation of a syntax tree.

Theory of operation. A node is evaluated in a *scope*: what bare names and `#this` mean (`this`), and what they mean
in the arguments of a method (`outer`). At the top both are the root; in a selection or projection both are the
element; inside the brackets of an index `this` is the root again, while `outer` stays (SpEL's oddity: names in
brackets see the root even within a projection). A chain hands each link the value of the one before, as `target`.

Everything that grows is charged to a budget (`session.MAX_STEPS`): nodes, characters and elements made. So every evaluation
ends, and soon.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from gennaker.expressions import certain, costs, members, methods_text, operators, tree, types
from gennaker.expressions.arguments import BOXES, convert, suits
from gennaker.expressions.conversions import java_text, text, truth
from gennaker.expressions.failures import ExpressionError, Kind, of_pattern
from gennaker.expressions.functions import Call, Function, LookupFailed
from gennaker.expressions.hashing import in_table_order
from gennaker.expressions.session import Scope, Session
from gennaker.expressions.values import (
    MISSING,
    Array,
    Entry,
    LookupMap,
    Record,
    Typed,
    Value,
    can_be_key,
    entries,
    is_map,
    items_of,
    type_name,
    value_at,
)
from gennaker.patterns import java
from gennaker.patterns.errors import PatternError


def evaluate(node: tree.Node, session: Session) -> Value:
    """The value of an expression at the root. Raises `ExpressionError`."""
    root = session.scene.map
    return run(node, Scope(session, root, root))


def run(node: tree.Node, scope: Scope) -> Value:
    """The value of a node that stands alone or at the start of a chain."""
    session = scope.session
    session.steps += 1
    if session.steps > session.allowance:
        session.charge(0)
    try:
        return _RUN[type(node)](node, scope)
    except ExpressionError as error:
        if error.start < 0:
            error.start, error.end = node.start, node.end
        raise


def _literal(node: tree.Literal, _scope: Scope) -> Value:
    return node.value


def _start_property(node: tree.Property, scope: Scope) -> Value:
    target = scope.this
    if type(target) is dict:
        found = target.get(node.name, MISSING)
        return _missing_key(node, node.name, target, scope) if found is MISSING else found
    return _read(node, target, scope)


def _read(node: tree.Property, target: Value, scope: Scope) -> Value:
    """`target.name`."""
    if isinstance(target, (dict, LookupMap)):
        found = target.get(node.name, MISSING) if isinstance(target, dict) else target.get(node.name)
        return _missing_key(node, node.name, target, scope) if found is MISSING else found
    if target is None:
        if node.is_safe:
            return None
        raise _null(scope, f"The property {node.name} can't be read", node)
    if type(target) is str and len(target) > costs.LONG:
        scope.session.charge(costs.of_call(target, node.name, ()))
    return scope.session.made(members.property_of(scope.session.world, target, node.name))


def _missing_key(node: tree.Node, name: str, target: Value, scope: Scope) -> Value:
    session = scope.session
    session.missed = (node, name, target)
    if session.is_strict and isinstance(node, tree.Property):
        return _getter_of_map(name, target, session)
    return None


def _getter_of_map(name: str, target: Value, session: Session) -> Value:
    """Where unknown keys are failures, a map's own getters are looked at next: `m.size`."""
    try:
        return session.made(members.property_of(session.world, target, name))
    except ExpressionError as error:
        if error.kind is not Kind.PROPERTY_MISSING:
            raise
        message = f"There is no key {name}."
        raise ExpressionError(Kind.PROPERTY_MISSING, message, nearest=session.nearest_key()) from error


def _null(scope: Scope, what: str, node: tree.Node) -> ExpressionError:
    """The failure for reading from null, pointing at the key that was missing where that is why."""
    missed = scope.session.missed
    if missed is None:
        return ExpressionError(Kind.NULL_DEREFERENCE, f"{what}: its owner is null.", start=node.start, end=node.end)
    culprit, name, _ = missed
    message = f"{what}: {name} doesn't exist."
    return ExpressionError(
        Kind.NULL_DEREFERENCE, message, start=culprit.start, end=culprit.end, nearest=scope.session.nearest_key()
    )


def _start_call(node: tree.Call, scope: Scope) -> Value:
    return _call(node, scope.this, scope)


def _call(node: tree.Call, target: Value, scope: Scope) -> Value:
    """`target.name(…)`."""
    session = scope.session
    inner = scope if scope.this is scope.outer else Scope(session, scope.outer, scope.outer)
    arguments = [run(argument, inner) for argument in node.arguments]
    if target is None:
        if node.is_safe:
            return None
        raise _null(scope, f"The method {node.name} can't be called", node)
    try:
        session.charge(costs.of_call(target, node.name, arguments))
        return session.made(members.call(session.world, target, node.name, arguments))
    except PatternError as error:
        raise of_pattern(error) from error


def _variable(node: tree.Variable, scope: Scope) -> Value:
    if node.name == "this":
        return scope.this
    if node.name == "root":
        return scope.session.scene.map
    return None  # variables can only be set by assignment, which is refused


def _function(node: tree.Function, scope: Scope) -> Value:
    session = scope.session
    function = certain.known_function(node, session.functions)
    arguments = [run(argument, scope) for argument in node.arguments]
    certain.check_count(node, function)
    given: list[Value] = []
    if function.takes_execution:
        if arguments and not isinstance(arguments[0], Record):
            raise ExpressionError(Kind.FUNCTION_FAILED, f"There is no execution for #{node.name} here.")
        view = session.scene.view
        assert view is not None
        given.append(view)
        arguments = arguments[1:]
    given += _converted(node, function, arguments)
    session.charge(int(sum(len(value) for value in given if isinstance(value, str)) / function.characters_per_step))
    try:
        return session.made(function.code(Call(session.scene, session.lookup), *given))
    except LookupFailed as cause:
        raise ExpressionError(Kind.FUNCTION_FAILED, f"#{node.name} failed: {cause}") from cause
    except ExpressionError as error:
        if error.kind is Kind.LIMIT:
            raise
        raise ExpressionError(Kind.FUNCTION_FAILED, f"#{node.name} failed: {error.message}") from error


def _converted(node: tree.Function, function: Function, arguments: Sequence[Value]) -> list[Value]:
    kinds = list(function.parameters)
    if function.is_variable:
        rest = list(arguments[len(kinds) - 1 :])
        if len(rest) == 1 and (spread := items_of(rest[0])) is not None:
            rest = spread
        return [*arguments[: len(kinds) - 1], [text(item) for item in rest]]
    for kind, value in zip(kinds, arguments, strict=True):
        if suits(kind, value) is None:
            message = f"#{node.name} can't take a value of type {type_name(value)}."
            raise ExpressionError(Kind.CONVERSION, message)
    return [convert(kind, value) for kind, value in zip(kinds, arguments, strict=True)]


# -- chains -------------------------------------------------------------------------------------------------------


def _chain(node: tree.Chain, scope: Scope) -> Value:
    value = run(node.first, scope)
    session = scope.session
    for link in node.links:
        session.steps += 1
        try:
            value = _LINK[type(link)](link, value, scope)
        except ExpressionError as error:
            if error.start < 0:
                error.start, error.end = link.start, link.end
            raise
    if type(node.links[-1]) is tree.Function:
        # A step after a dot is asked for the place of its value, which a function doesn't have; `.#f().g` works.
        message = f"Nothing can be read by `.#{node.links[-1].name}(…)`. The function stands alone."
        raise ExpressionError(Kind.FUNCTION_FAILED, message, start=node.start, end=node.end)
    return value


def _unbound(node: tree.Variable | tree.Function, target: Value, scope: Scope) -> Value:
    """A function or variable after a dot: its target is ignored, but bare names in its arguments mean the target."""
    return run(node, Scope(scope.session, target, scope.outer))


def _start_index(node: tree.Index, scope: Scope) -> Value:
    return _index(node, scope.this, scope)


def _index(node: tree.Index, target: Value, scope: Scope) -> Value:
    """`target[key]`."""
    if target is None:
        if node.is_safe:
            return None
        raise _null(scope, "Nothing can be looked up by [ ]", node)
    if is_map(target) and isinstance(node.key, tree.Property):
        return _entry(node, target, node.key.name, scope)
    root = scope.session.scene.map
    key = run(node.key, Scope(scope.session, root, scope.outer))
    if key is None:
        # Spring's own check, which the golden cases file under parse errors.
        raise ExpressionError(Kind.PARSE, "The value in [ ] is null. Names in brackets mean keys of the root.")
    if is_map(target):
        return _entry(node, target, key, scope)
    items = items_of(target)
    if items is not None:
        return _item(items, key)
    if isinstance(target, str):
        scope.session.charge(len(target) >> 8)
        return _item(methods_text.units(target), key)
    if isinstance(key, str):
        return members.property_of(scope.session.world, target, key)
    message = f"A value of type {type_name(target)} has no elements to look up by [ ]."
    raise ExpressionError(Kind.INDEX_UNSUPPORTED, message)


def _entry(node: tree.Index, target: Value, key: Value, scope: Scope) -> Value:
    if not can_be_key(key):
        return None
    found = target.get(key) if isinstance(target, LookupMap) else value_at(entries(target), key)
    return _missing_key(node, java_text(key), target, scope) if found is MISSING else found


def _item(items: Sequence[Value], key: Value) -> Value:
    if suits("int", key) is None:
        raise ExpressionError(Kind.CONVERSION, f"A position can't be a value of type {type_name(key)}.")
    position = convert("int", key)
    assert isinstance(position, int)
    if not 0 <= position < len(items):
        message = f"The position {position} lies outside a list of {len(items)} elements."
        raise ExpressionError(Kind.INDEX_OUT_OF_RANGE, message)
    return items[position]


def _start_selection(node: tree.Selection, scope: Scope) -> Value:
    return _selection(node, scope.this, scope)


def _is_selected(node: tree.Selection, element: Value, scope: Scope) -> bool:
    """`scope` is that of the elements: it is moved on to this one."""
    scope.this = scope.outer = element
    found = run(node.criterion, scope)
    if found is True or found is False:
        return found
    message = f"The condition of a selection must be true or false, not of type {type_name(found)}."
    raise ExpressionError(Kind.SELECTION_NOT_BOOLEAN, message)


def _selection(node: tree.Selection, target: Value, scope: Scope) -> Value:
    """`target.?[…]`, `.^[…]`, `.$[…]`."""
    if target is None and node.is_safe:
        return None
    inner = Scope(scope.session, None, None)
    if is_map(target):
        return _selected_entries(node, target, inner)
    items = items_of(target)
    if items is None:
        message = f"A value of type {type_name(target)} has no elements to select from."
        raise ExpressionError(Kind.SELECTION_TARGET, message)
    if node.which == "^":
        return next((item for item in items if _is_selected(node, item, inner)), None)
    selected = [item for item in items if _is_selected(node, item, inner)]
    if node.which == "$":
        return selected[-1] if selected else None
    return Array(BOXES.get(target.component, target.component), selected) if isinstance(target, Array) else selected


def _selected_entries(node: tree.Selection, target: Value, scope: Scope) -> Value:
    selected: dict[Value, Value] = {}
    for key, value in entries(target).items():
        if _is_selected(node, Entry(key, value), scope):
            if node.which == "$":
                selected.clear()
            selected[key] = value
            if node.which == "^":
                break
    if not selected and node.which != "?":
        return None
    return {key: selected[key] for key in in_table_order(selected)}  # Spring gathers them in a hash map


def _start_projection(node: tree.Projection, scope: Scope) -> Value:
    return _projection(node, scope.this, scope)


def _projection(node: tree.Projection, target: Value, scope: Scope) -> Value:
    """`target.![…]`."""
    if target is None and node.is_safe:
        return None
    items = [Entry(key, value) for key, value in entries(target).items()] if is_map(target) else items_of(target)
    if items is None:
        raise ExpressionError(Kind.PROJECTION_TARGET, f"A value of type {type_name(target)} has no elements.")
    inner = Scope(scope.session, None, None)
    made: list[Value] = []
    for item in items:
        inner.this = inner.outer = item
        made.append(run(node.each, inner))
    if not isinstance(target, Array):
        return made
    components = {type_name(item) for item in made if item is not None}
    return Array(components.pop() if len(components) == 1 else "Object", made)


# -- operators ----------------------------------------------------------------------------------------------------


def _unary(node: tree.Unary, scope: Scope) -> Value:
    value = run(node.operand, scope)
    if node.operator == "!":
        return not truth(value)
    return operators.negative(value) if node.operator == "-" else operators.positive(value)


def _operand(node: tree.Node, scope: Scope) -> Value:
    """As `run`, with a short way for what most operands are: literals and keys of the map at hand."""
    kind = type(node)
    if kind is tree.Literal:
        return node.value  # type: ignore[union-attr]  # a literal, which mypy doesn't see from its type being compared
    if kind is tree.Property and type(scope.this) is dict:
        found = scope.this.get(node.name, MISSING)  # type: ignore[union-attr]  # as above
        if found is not MISSING:
            return found
    return run(node, scope)


def _arithmetic(node: tree.Arithmetic, scope: Scope) -> Value:
    value = _operand(node.first, scope)
    for operator, operand in node.rest:
        value = scope.session.made(operators.binary(operator, value, _operand(operand, scope)))
    return value


def _logic(node: tree.Logic, scope: Scope) -> Value:
    decides = node.operator == "||"
    for operand in node.operands:
        found = run(operand, scope)
        if found is decides or (found is not (not decides) and truth(found) is decides):
            return decides
    return not decides


def _comparison(node: tree.Comparison, scope: Scope) -> Value:
    left = _operand(node.left, scope)
    if node.operator == "matches":
        return _matches(left, node.right, scope)
    right = _operand(node.right, scope)
    if node.operator in operators.TESTS:
        if type(left) is str and len(left) > costs.LONG:
            scope.session.charge(len(left) >> 6)
        return operators.holds(node.operator, left, right)
    if node.operator == "between":
        return operators.is_between(left, right)
    if not isinstance(right, Typed):
        raise ExpressionError(Kind.INSTANCEOF_OPERAND, "`instanceof` needs a type, e.g. T(String).")
    return types.is_instance(left, right, type_name(left))


def _matches(left: Value, right_node: tree.Node, scope: Scope) -> bool:
    subject = text(left)
    if subject is None:
        raise ExpressionError(Kind.REGEX, "Null can't be matched.")
    right = _operand(right_node, scope)
    if not isinstance(right, str):
        raise ExpressionError(Kind.REGEX, f"The pattern must be text, not of type {type_name(right)}.")
    try:
        pattern = java.compiled(right)
        if not pattern.is_cheap_for(subject):
            scope.session.charge(pattern.steps(subject))
        return pattern.fits(subject)
    except PatternError as error:
        raise of_pattern(error) from error


def _ternary(node: tree.Ternary, scope: Scope) -> Value:
    return run(node.yes if truth(run(node.condition, scope)) else node.no, scope)


def _elvis(node: tree.Elvis, scope: Scope) -> Value:
    value = run(node.value, scope)
    return run(node.default, scope) if value is None or value == "" else value


def _list(node: tree.ListOf, scope: Scope) -> Value:
    return [run(item, scope) for item in node.items]


def _map(node: tree.MapOf, scope: Scope) -> Value:
    made: dict[Value, Value] = {}
    for key_node, value_node in node.entries:
        key = key_node.name if isinstance(key_node, tree.Property) else run(key_node, scope)
        if not can_be_key(key):
            raise ExpressionError(Kind.UNSUPPORTED, f"A value of type {type_name(key)} can't be a key here.")
        made[key] = run(value_node, scope)
    return made


# -- types --------------------------------------------------------------------------------------------------------


def _type(node: tree.TypeOf, _scope: Scope) -> Value:
    return types.resolve(node.name, node.dimensions)


def _new(node: tree.New, scope: Scope) -> Value:
    arguments = [run(argument, scope) for argument in node.arguments]
    return types.construct(scope.session.world, types.resolve(node.name), arguments)


def _new_array(node: tree.NewArray, scope: Scope) -> Value:
    owner = types.resolve(node.name)
    sizes: list[int | None] = []
    for size in node.sizes:
        found = None if size is None else convert("int", run(size, scope))
        assert found is None or isinstance(found, int)
        sizes.append(found)
    initial = None if node.initial is None else items_of(run(node.initial, scope))
    return scope.session.made(types.new_array(owner, sizes, initial))


def _bean(node: tree.Bean, _scope: Scope) -> Value:
    raise certain.no_bean(node)


def _change(node: tree.Change, _scope: Scope) -> Value:
    raise certain.no_change(node)


# `Any`: each entry takes its own kind of node, which a mapping's type can't say.
_Run: TypeAlias = Callable[[Any, Scope], Value]
_Link: TypeAlias = Callable[[Any, Value, Scope], Value]

_RUN: dict[type, _Run] = {
    tree.Literal: _literal,
    tree.Property: _start_property,
    tree.Call: _start_call,
    tree.Variable: _variable,
    tree.Function: _function,
    tree.Index: _start_index,
    tree.Selection: _start_selection,
    tree.Projection: _start_projection,
    tree.Chain: _chain,
    tree.Unary: _unary,
    tree.Arithmetic: _arithmetic,
    tree.Logic: _logic,
    tree.Comparison: _comparison,
    tree.Ternary: _ternary,
    tree.Elvis: _elvis,
    tree.ListOf: _list,
    tree.MapOf: _map,
    tree.TypeOf: _type,
    tree.New: _new,
    tree.NewArray: _new_array,
    tree.Bean: _bean,
    tree.Change: _change,
}
_LINK: dict[type, _Link] = {
    tree.Property: _read,
    tree.Call: _call,
    tree.Index: _index,
    tree.Selection: _selection,
    tree.Projection: _projection,
    tree.Variable: _unbound,
    tree.Function: _unbound,
}
