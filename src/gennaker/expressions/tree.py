"""The syntax tree of an expression.

Nodes are frozen and know their place, so that failures can point at it. Chains of operators of one precedence are
one flat node (`1+1+1+…` with thousands of terms must not be thousands of levels deep).
"""

from typing import TypeAlias

import msgspec

from gennaker.expressions.values import Value


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What all nodes have: offsets in the expression."""

    start: int
    end: int


class Literal(Part, frozen=True, kw_only=True):
    """A number, text, true, false or null."""

    value: Value


class Property(Part, frozen=True, kw_only=True):
    """`name` at the start, `.name` or `?.name` in a chain."""

    name: str
    is_safe: bool = False


class Call(Part, frozen=True, kw_only=True):
    """`name(…)`: a method of the context or of the target."""

    name: str
    arguments: tuple["Node", ...]
    is_safe: bool = False


class Variable(Part, frozen=True, kw_only=True):
    """`#name`."""

    name: str


class Function(Part, frozen=True, kw_only=True):
    """`#name(…)`."""

    name: str
    arguments: tuple["Node", ...]


class Index(Part, frozen=True, kw_only=True):
    """`[…]` or `?.[…]`."""

    key: "Node"
    is_safe: bool = False


class Selection(Part, frozen=True, kw_only=True):
    """`?[…]` all, `^[…]` first, `$[…]` last."""

    which: str
    criterion: "Node"
    is_safe: bool = False


class Projection(Part, frozen=True, kw_only=True):
    """`![…]`."""

    each: "Node"
    is_safe: bool = False


class Chain(Part, frozen=True, kw_only=True):
    """A value and what is read from it, from left to right."""

    first: "Node"
    links: tuple["Node", ...]


class Unary(Part, frozen=True, kw_only=True):
    """`-`, `+` or `!` before an operand."""

    operator: str
    operand: "Node"


class Arithmetic(Part, frozen=True, kw_only=True):
    """Operands with `+ -` or `* / %` or one `^` between them, applied from left to right."""

    first: "Node"
    rest: tuple[tuple[str, "Node"], ...]


class Logic(Part, frozen=True, kw_only=True):
    """`and` or `or` between two or more operands; stops early."""

    operator: str
    operands: tuple["Node", ...]


class Comparison(Part, frozen=True, kw_only=True):
    """`== != < <= > >= matches between instanceof`."""

    operator: str
    left: "Node"
    right: "Node"


class Ternary(Part, frozen=True, kw_only=True):
    """`condition ? yes : no`."""

    condition: "Node"
    yes: "Node"
    no: "Node"


class Elvis(Part, frozen=True, kw_only=True):
    """`value ?: default`."""

    value: "Node"
    default: "Node"


class ListOf(Part, frozen=True, kw_only=True):
    """`{a, b}`."""

    items: tuple["Node", ...]


class MapOf(Part, frozen=True, kw_only=True):
    """`{key: value}`; a bare name as key is the name itself."""

    entries: tuple[tuple["Node", "Node"], ...]


class TypeOf(Part, frozen=True, kw_only=True):
    """`T(name)`, with a number of `[]`."""

    name: str
    dimensions: int = 0


class New(Part, frozen=True, kw_only=True):
    """`new Name(…)`."""

    name: str
    arguments: tuple["Node", ...]


class NewArray(Part, frozen=True, kw_only=True):
    """`new Name[size]…` or `new Name[]{…}`."""

    name: str
    sizes: tuple["Node | None", ...]
    initial: "Node | None" = None


class Bean(Part, frozen=True, kw_only=True):
    """`@name`: always refused."""

    name: str


class Change(Part, frozen=True, kw_only=True):
    """`a = 1`, `a++`, `--a`: always refused."""

    operator: str


Node: TypeAlias = (
    Literal
    | Property
    | Call
    | Variable
    | Function
    | Index
    | Selection
    | Projection
    | Chain
    | Unary
    | Arithmetic
    | Logic
    | Comparison
    | Ternary
    | Elvis
    | ListOf
    | MapOf
    | TypeOf
    | New
    | NewArray
    | Bean
    | Change
)
