"""The parser of expressions: tokens to a syntax tree.

A precedence-climbing (Pratt) parser for operators over a recursive one for operands. The grammar is SpEL's with its
oddities: comparisons and `^` don't chain, the default after `?:` may be missing, a trailing comma in arguments is
accepted, `T]` and `new]` are names of keys, unary minus binds tighter than `^`.

Binding, weakest first: `= ?: ?` (handled in `_expression`), or, and, comparison, `+ -`, `* / %`, `^`, unary.
"""

from gennaker.expressions import tree
from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.tokens import Token, Type, tokens

MAX_DEPTH = 60
"""Levels of brackets, ternaries and unary operators. Each costs up to nine frames of Python's 1,000, here or in the evaluator."""
MAX_LENGTH = 10_000
"""Characters of one expression, as in Orca."""

_OR, _AND, _COMPARISON, _SUM, _PRODUCT, _POWER = range(1, 7)
_BINDING = {
    "||": _OR,
    "&&": _AND,
    "==": _COMPARISON,
    "!=": _COMPARISON,
    "<": _COMPARISON,
    "<=": _COMPARISON,
    ">": _COMPARISON,
    ">=": _COMPARISON,
    "matches": _COMPARISON,
    "between": _COMPARISON,
    "instanceof": _COMPARISON,
    "+": _SUM,
    "-": _SUM,
    "*": _PRODUCT,
    "/": _PRODUCT,
    "%": _PRODUCT,
    "^": _POWER,
}
_WORDS = {"or": "||", "and": "&&", "matches": "matches", "between": "between", "instanceof": "instanceof"}
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


def parse(text: str) -> tree.Node:
    """Parses one expression (without `${` and `}`).

    Raises `ExpressionError` of kind PARSE or LIMIT.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(Kind.LIMIT, f"The expression has {len(text)} characters; {MAX_LENGTH} are allowed.")
    return _Parser(tokens(text)).whole()


class _Parser:
    __slots__ = ("_depth", "_position", "_tokens")

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._position = 0
        self._depth = 0

    def whole(self) -> tree.Node:
        node = self._expression()
        left_over = self._next
        if node is None:
            raise _unexpected(left_over, "an expression")
        if left_over.type is not Type.END:
            raise _unexpected(left_over, "the end of the expression")
        return node

    # -- tokens ---------------------------------------------------------------------------------------------------

    @property
    def _next(self) -> Token:
        return self._tokens[self._position]

    def _take(self) -> Token:
        token = self._tokens[self._position]
        if token.type is not Type.END:
            self._position += 1
        return token

    def _accept(self, symbol: str) -> Token | None:
        return self._take() if self._next.is_symbol(symbol) else None

    def _expect(self, symbol: str) -> Token:
        if not self._next.is_symbol(symbol):
            raise _unexpected(self._next, f"`{symbol}`")
        return self._take()

    def _span(self, start: int) -> dict[str, int]:
        return {"start": start, "end": self._tokens[self._position - 1].end}

    # -- operators ------------------------------------------------------------------------------------------------

    def _expression(self) -> tree.Node | None:
        """An expression, or None where none begins: some callers allow that."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _limit(self._next)
        start = self._next.start
        node = self._operators(_OR)
        if self._accept("="):
            self._required(self._operators(_OR))
            node = tree.Change(operator="=", **self._span(start))
        elif self._accept("?:"):
            default = self._expression() or tree.Literal(value=None, **self._span(start))
            value = node or tree.Literal(value=None, start=start, end=start)
            node = tree.Elvis(value=value, default=default, **self._span(start))
        elif self._accept("?"):
            yes = self._required(self._expression())
            self._expect(":")
            no = self._required(self._expression())
            condition = node or tree.Literal(value=None, start=start, end=start)
            node = tree.Ternary(condition=condition, yes=yes, no=no, **self._span(start))
        self._depth -= 1
        return node

    def _needed(self) -> tree.Node:
        return self._required(self._expression())

    def _required(self, node: tree.Node | None) -> tree.Node:
        if node is None:
            raise _unexpected(self._next, "a value")
        return node

    def _operator(self) -> str:
        token = self._next
        if token.type is Type.SYMBOL:
            return token.word
        return _WORDS.get(token.word.lower(), "") if token.type is Type.NAME else ""

    def _operators(self, weakest: int) -> tree.Node | None:
        """Operands joined by operators that bind at least as tightly as `weakest`."""
        start = self._next.start
        node = self._unary()
        tightest = _POWER
        while True:
            operator = self._operator()
            binding = _BINDING.get(operator, 0)
            if binding < weakest or binding == 0 or binding > tightest:
                return node  # what follows is the caller's, or is reported as left over
            if node is None:
                raise _unexpected(self._next, "a value")
            # Comparisons and powers don't chain, nor does either follow what binds more weakly: `a or b < c < d`.
            tightest = binding - 1 if binding in (_COMPARISON, _POWER) else binding
            node = self._joined(node, operator, binding, start)

    def _joined(self, left: tree.Node, operator: str, binding: int, start: int) -> tree.Node:
        self._take()
        right = self._required(self._operators(binding + 1))
        if binding == _COMPARISON:
            return tree.Comparison(operator=operator, left=left, right=right, **self._span(start))
        if binding in (_OR, _AND):
            operands = [left, right]
            while self._operator() == operator:
                self._take()
                operands.append(self._required(self._operators(binding + 1)))
            return tree.Logic(operator=operator, operands=tuple(operands), **self._span(start))
        rest = [(operator, right)]
        while binding != _POWER and _BINDING.get(self._operator(), 0) == binding:
            operator = self._take().word
            rest.append((operator, self._required(self._operators(binding + 1))))
        return tree.Arithmetic(first=left, rest=tuple(rest), **self._span(start))

    def _unary(self) -> tree.Node | None:
        token = self._next
        if token.is_symbol("!", "+", "-", "++", "--"):
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise _limit(token)
            self._take()
            operand = self._required(self._unary())
            self._depth -= 1
            if token.is_symbol("++", "--"):
                return tree.Change(operator=token.word, **self._span(token.start))
            return tree.Unary(operator=token.word, operand=operand, **self._span(token.start))
        node = self._chain()
        if node is not None and self._next.is_symbol("++", "--"):
            operator = self._take().word
            return tree.Change(operator=operator, **self._span(token.start))
        return node

    # -- operands -------------------------------------------------------------------------------------------------

    def _chain(self) -> tree.Node | None:
        start = self._next.start
        first = self._start()
        if first is None and not self._next.is_symbol(".", "?."):
            return None
        links: list[tree.Node] = []
        while True:
            link = self._link()
            if link is None:
                break
            links.append(link)
        if first is None or not links:
            return first  # Spring drops what follows a dot that follows nothing
        return tree.Chain(first=first, links=tuple(links), **self._span(start))

    def _link(self) -> tree.Node | None:
        token = self._next
        if token.is_symbol("["):
            return self._index(is_safe=False)
        if not token.is_symbol(".", "?."):
            return None
        self._take()
        is_safe = token.word == "?."
        after = self._next
        if after.name:
            return self._name(is_safe=is_safe)
        if after.is_symbol("#"):
            return self._variable()
        if after.is_symbol("["):
            return self._index(is_safe=is_safe)
        bracketed = self._bracketed(is_safe=is_safe)
        if bracketed is None:
            raise _unexpected(after, f"a name after `{token.word}`")
        return bracketed

    def _start(self) -> tree.Node | None:
        token = self._next
        if token.type is Type.NAME:
            return self._word(token)
        if token.name:
            return self._name(is_safe=False)
        if token.type in (Type.NUMBER, Type.TEXT):
            self._take()
            return tree.Literal(value=token.value, **self._span(token.start))
        if token.type is Type.END:
            return None
        match token.word:
            case "(":
                self._take()
                inner = self._needed()
                self._expect(")")
                return inner
            case "#":
                return self._variable()
            case "@" | "&":
                return self._bean()
            case "[":
                return self._index(is_safe=False)
            case "{":
                return self._braces()
        return self._bracketed(is_safe=False)

    def _word(self, token: Token) -> tree.Node:
        lower = token.word.lower()
        if lower in _CONSTANTS:
            self._take()
            return tree.Literal(value=_CONSTANTS[lower], **self._span(token.start))
        after = self._tokens[self._position + 1]
        if token.word == "T" and not after.is_symbol("]"):
            return self._type()
        if lower == "new" and not after.is_symbol("]"):
            return self._new()
        return self._name(is_safe=False)

    def _name(self, *, is_safe: bool) -> tree.Node:
        token = self._take()
        if self._next.is_symbol("("):
            arguments = self._arguments()
            return tree.Call(name=token.name, arguments=arguments, is_safe=is_safe, **self._span(token.start))
        return tree.Property(name=token.name, is_safe=is_safe, start=token.start, end=token.end)

    def _variable(self) -> tree.Node:
        start = self._expect("#").start
        token = self._take()
        if token.type is not Type.NAME:
            raise _unexpected(token, "a name after `#`")
        if self._next.is_symbol("("):
            return tree.Function(name=token.word, arguments=self._arguments(), **self._span(start))
        return tree.Variable(name=token.word, **self._span(start))

    def _arguments(self) -> tuple[tree.Node, ...]:
        self._expect("(")
        found: list[tree.Node] = []
        while not self._next.is_symbol(")"):
            found.append(self._needed())
            if not self._accept(","):
                break
        self._expect(")")
        return tuple(found)

    def _index(self, *, is_safe: bool) -> tree.Node:
        start = self._expect("[").start
        key = self._needed()
        self._expect("]")
        return tree.Index(key=key, is_safe=is_safe, **self._span(start))

    def _bracketed(self, *, is_safe: bool) -> tree.Node | None:
        token = self._next
        if not token.is_symbol("![", "?[", "^[", "$["):
            return None
        self._take()
        inner = self._needed()
        self._expect("]")
        if token.word == "![":
            return tree.Projection(each=inner, is_safe=is_safe, **self._span(token.start))
        return tree.Selection(which=token.word[0], criterion=inner, is_safe=is_safe, **self._span(token.start))

    def _bean(self) -> tree.Node:
        start = self._take().start
        token = self._take()
        if token.type not in (Type.NAME, Type.TEXT):
            raise _unexpected(token, "the name of a bean")
        return tree.Bean(name=token.word, **self._span(start))

    def _braces(self) -> tree.Node:
        start = self._expect("{").start
        if self._accept("}"):
            return tree.ListOf(items=(), **self._span(start))
        if self._accept(":"):
            self._expect("}")
            return tree.MapOf(entries=(), **self._span(start))
        first = self._needed()
        if self._accept(":"):
            return self._map(first, start)
        items = [first]
        while self._accept(","):
            items.append(self._needed())
        self._expect("}")
        return tree.ListOf(items=tuple(items), **self._span(start))

    def _map(self, key: tree.Node, start: int) -> tree.Node:
        found = [(key, self._needed())]
        while self._accept(","):
            key = self._needed()
            self._expect(":")
            found.append((key, self._needed()))
        self._expect("}")
        return tree.MapOf(entries=tuple(found), **self._span(start))

    # -- types ----------------------------------------------------------------------------------------------------

    def _type(self) -> tree.Node:
        start = self._take().start
        self._expect("(")
        name = self._qualified()
        dimensions = 0
        while self._accept("["):
            self._expect("]")
            dimensions += 1
        self._expect(")")
        return tree.TypeOf(name=name, dimensions=dimensions, **self._span(start))

    def _new(self) -> tree.Node:
        start = self._take().start
        name = self._qualified()
        if self._next.is_symbol("("):
            return tree.New(name=name, arguments=self._arguments(), **self._span(start))
        if not self._next.is_symbol("["):
            raise _unexpected(self._next, "`(` after the type")
        sizes: list[tree.Node | None] = []
        while self._accept("["):
            sizes.append(None if self._next.is_symbol("]") else self._needed())
            self._expect("]")
        initial = self._braces() if self._next.is_symbol("{") else None
        return tree.NewArray(name=name, sizes=tuple(sizes), initial=initial, **self._span(start))

    def _qualified(self) -> str:
        """Spring joins all words by dots, and doesn't look where dots are: `java time..Instant` is `java.time.Instant`."""
        words = []
        while self._next.type is Type.NAME or self._next.is_symbol("."):
            token = self._take()
            if token.type is Type.NAME:
                words.append(token.word)
        if not words:
            raise _unexpected(self._next, "the name of a type")
        return ".".join(words)


def _unexpected(token: Token, wanted: str) -> ExpressionError:
    found = "the end of the expression" if token.type is Type.END else f"`{token.word}`"
    return ExpressionError(Kind.PARSE, f"Expected {wanted}, found {found}.", start=token.start, end=token.end)


def _limit(token: Token) -> ExpressionError:
    message = f"The expression is nested more than {MAX_DEPTH} levels deep."
    return ExpressionError(Kind.LIMIT, message, start=token.start, end=token.end)
