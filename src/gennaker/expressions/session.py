"""What the evaluation of one text carries along: its budget, its root and functions, and the scope of a node."""

from collections.abc import Mapping

from gennaker.expressions import tree
from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.functions import Function, Lookup
from gennaker.expressions.root import Scene
from gennaker.expressions.types import World
from gennaker.expressions.values import Array, Group, Value

MAX_STEPS = 1_000_000
"""Of one text: nodes evaluated, plus elements and 64ths of characters made."""


class Session:
    """What the evaluation of one text shares: the root, the functions, the budget, and what was looked for in vain."""

    __slots__ = ("functions", "is_strict", "lookup", "missed", "scene", "steps", "world")

    def __init__(
        self,
        scene: Scene,
        functions: Mapping[str, Function],
        lookup: Lookup | None,
        world: World,
        *,
        is_strict: bool = False,
    ) -> None:
        """`is_strict`: unknown keys are failures, as at submission."""
        self.scene = scene
        self.functions = functions
        self.lookup = lookup
        self.world = world
        self.is_strict = is_strict
        self.steps = 0
        self.missed: tuple[tree.Node, str, str] | None = None
        """The last key that wasn't found: its node, its name, and the nearest existing one."""

    def charge(self, steps: int) -> None:
        """Takes steps from the budget. Raises LIMIT when it is used up."""
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise ExpressionError(Kind.LIMIT, f"The expression needs more than {MAX_STEPS:,} steps.")

    def made(self, value: Value) -> Value:
        """Charges for a value that a method or function has made."""
        if isinstance(value, str):
            self.charge(len(value) >> 6)
        elif isinstance(value, (list, dict)):
            self.charge(len(value))
        elif isinstance(value, (Array, Group)):
            self.charge(len(value.items))
        return value


class Scope:
    """Where a node is evaluated."""

    __slots__ = ("outer", "session", "this")

    def __init__(self, session: Session, this: Value, outer: Value) -> None:
        """See the theory of operation in `evaluate.py`."""
        self.session = session
        self.this = this
        self.outer = outer
