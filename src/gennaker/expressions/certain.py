"""Certain: what is wrong with a node of an expression whatever its parts and the context are.

Evaluation asks here when it reaches the node, `checking` before anything runs.
"""

from collections.abc import Mapping

from gennaker.expressions import tree
from gennaker.expressions.failures import ExpressionError, Kind, nearest
from gennaker.expressions.functions import Function


def known_function(node: tree.Function, functions: Mapping[str, Function]) -> Function:
    """The function that is called. Raises FUNCTION_MISSING."""
    found = functions.get(node.name)
    if found is None:
        message = f"There is no function #{node.name}."
        raise ExpressionError(Kind.FUNCTION_MISSING, message, nearest=nearest(node.name, functions))
    return found


def check_count(node: tree.Function, function: Function) -> None:
    """Raises FUNCTION_ARITY where the call has too few or too many arguments."""
    count = len(node.arguments)
    wanted = len(function.parameters) + function.takes_execution
    if count == wanted or (function.is_variable and count >= wanted - 1):
        return
    shown = count - (1 if function.takes_execution and count else 0)
    message = f"#{node.name} takes {len(function.parameters)} argument(s), not {shown}."
    if function.takes_execution and count < wanted:
        message += " No space may stand before its bracket, and the execution isn't written out."
    raise ExpressionError(Kind.FUNCTION_ARITY, message)


def no_bean(node: tree.Bean) -> ExpressionError:
    """What a reference to a bean raises."""
    return ExpressionError(Kind.BEAN_REFERENCE, f"There are no beans, so @{node.name} means nothing.")


def no_change(node: tree.Change) -> ExpressionError:
    """What an operator that changes something raises."""
    message = f"The operator {node.operator} would change a value; expressions can only read."
    return ExpressionError(Kind.MUTATION, message)
