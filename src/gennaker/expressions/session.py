"""What the evaluation of one text carries along: its budget, its root and functions, and the scope of a node."""

from collections.abc import Mapping

from gennaker.expressions import tree, work
from gennaker.expressions.failures import ExpressionError, Kind, nearest
from gennaker.expressions.functions import Function, Lookup
from gennaker.expressions.root import Scene
from gennaker.expressions.types import World
from gennaker.expressions.values import Array, Group, Inheriting, LookupMap, Value, entries

MAX_STEPS = 1_000_000
"""Of one text: nodes evaluated, plus elements and 64ths of characters made; about a second."""


class Session:
    """What the evaluation of one text shares: the root, the functions, the budget, and what was looked for in vain."""

    __slots__ = ("allowance", "functions", "is_strict", "lookup", "missed", "scene", "steps", "work", "world")

    def __init__(
        self,
        scene: Scene,
        functions: Mapping[str, Function],
        lookup: Lookup | None,
        world: World,
        *,
        is_strict: bool = False,
        allowance: int = MAX_STEPS,
    ) -> None:
        """`is_strict`: unknown keys are failures, as at submission; `allowance`: steps that are left."""
        self.scene = scene
        self.functions = functions
        self.lookup = lookup
        self.world = world
        self.is_strict = is_strict
        self.steps = 0
        self.allowance = min(allowance, MAX_STEPS)
        self.work = work.Work()
        self.missed: tuple[tree.Node, str, Value] | None = None
        """The last key that wasn't found: its node, its name, and the map that doesn't have it."""

    def begin(self, allowance: int) -> None:
        """Makes the session as new, for the next text of a pass."""
        self.steps = 0
        self.allowance = min(allowance, MAX_STEPS)
        self.work.left = work.MAX_WORK
        self.missed = None

    def charge(self, steps: int) -> None:
        """Takes steps from the budget. Raises LIMIT when it is used up."""
        self.steps += steps
        if self.steps > self.allowance:
            raise ExpressionError(Kind.LIMIT, f"The expression needs more than {self.allowance:,} steps.")

    def nearest_key(self) -> str:
        """The existing key that is most like the one looked for in vain; empty where none is."""
        if self.missed is None:
            return ""
        _, name, owner = self.missed
        if not name:
            return ""
        return nearest(name, (key for key in known_keys(owner) if isinstance(key, str)))

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


def known_keys(owner: Value) -> list[Value]:
    """The keys of a map, of a stage's context also what it inherits."""
    if isinstance(owner, LookupMap):
        names = owner.names
        own = names.all_keys() if isinstance(names, Inheriting) else names.own_keys()
        return [*own, *owner.extras]
    return list(entries(owner))
