"""Tokens of an expression, and the lexer that makes them.

The lexical rules are SpEL's: no escapes in text (quotes are doubled), `.5` and `1.` aren't numbers, the words
`div eq ge gt le lt mod ne not` are operators in any case, or names where only a name can stand; all other words are
identifiers.
"""

import re
from enum import StrEnum

from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.values import Float, Long, Value


class Type(StrEnum):
    """What a token is; of symbols the value is the symbol itself."""

    TEXT = "text"
    NUMBER = "number"
    NAME = "name"
    END = "end"
    SYMBOL = "symbol"


class Token:
    """One token: its type, its symbol or word, its literal value and its place."""

    __slots__ = ("end", "name", "start", "type", "value", "word")

    def __init__(self, kind: Type, word: str, value: Value, span: tuple[int, int], *, name: str = "") -> None:
        """`word` is the symbol, or the word as it was written; `value` that of a literal; `name` what it is as a name."""
        self.type = kind
        self.word = word
        self.value = value
        self.start, self.end = span
        self.name = name

    def is_symbol(self, *symbols: str) -> bool:
        """It is one of these operators or brackets."""
        return self.type is Type.SYMBOL and self.word in symbols

    def is_word(self, word: str) -> bool:
        """It is this word, in any case."""
        return self.type is Type.NAME and self.word.lower() == word


INT_MAX = 2**31 - 1
LONG_MAX = 2**63 - 1

_WORD_OPERATORS = {
    "div": "/",
    "eq": "==",
    "ge": ">=",
    "gt": ">",
    "le": "<=",
    "lt": "<",
    "mod": "%",
    "ne": "!=",
    "not": "!",
}
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<hex>0[xX][0-9a-fA-F]*[lL]?)
    |(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]*)?[fFdDlL]?)
    |(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
    |(?P<symbol>\$\[|\?\[|\?\.|\?:|\^\[|!\[|!=|==|<=|>=|&&|\|\||\+\+|--|[-+*/%^!=<>?:.,()\[\]{}\#@&])
    |(?P<name>(?:[^\W\d]|\$)(?:\w|\$)*)
    """,
    re.VERBOSE,
)


def tokens(text: str) -> list[Token]:
    """Splits an expression into tokens, ending with one of type END.

    Raises `ExpressionError` of kind PARSE.
    """
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _bad_character(text, position)
        token = _token(match)
        if token is not None:
            found.append(token)
        position = match.end()
    found.append(Token(Type.END, "", None, (len(text), len(text))))
    return found


def _token(match: re.Match[str]) -> Token | None:
    word = match.group()
    group = match.lastgroup
    if group == "space":
        return None
    if group == "name":
        operator = _WORD_OPERATORS.get(word.lower())
        if operator is not None:
            return Token(Type.SYMBOL, operator, None, match.span(), name=word)
        return Token(Type.NAME, word, None, match.span(), name=word)
    if group == "symbol":
        return Token(Type.SYMBOL, word, None, match.span())
    if group == "text":
        quote = word[0]
        return Token(Type.TEXT, word, word[1:-1].replace(quote * 2, quote), match.span())
    value = _hexadecimal(word, match.span()) if group == "hex" else _decimal(word, match.span())
    return Token(Type.NUMBER, word, value, match.span())


def _hexadecimal(word: str, span: tuple[int, int]) -> Value:
    is_long = word[-1] in "lL"
    digits = word[2:-1] if is_long else word[2:]
    if not digits:
        raise ExpressionError(Kind.PARSE, f"The number {word} has no digits.", start=span[0], end=span[1])
    return _whole(int(digits, 16), word, span)


def _decimal(word: str, span: tuple[int, int]) -> Value:
    suffix = word[-1].lower()
    is_real = "." in word or "e" in word.lower() or suffix in "fd"
    if not is_real:
        is_long = suffix == "l"
        digits = word[:-1] if is_long else word
        if len(digits) > 30:  # beyond any type; also bounds the time int() takes
            raise ExpressionError(Kind.PARSE, f"The number {word[:30]}… is too large.", start=span[0], end=span[1])
        return _whole(int(digits), word, span)
    if suffix == "l":
        raise ExpressionError(Kind.PARSE, f"A real number can't be a long: {word}.", start=span[0], end=span[1])
    digits = word[:-1] if suffix in "fd" else word
    if digits[-1] in "eE+-":
        raise ExpressionError(Kind.PARSE, f"The number {word} has no digits after its e.", start=span[0], end=span[1])
    value = float(digits)
    return Float.of(value) if suffix == "f" else value


def _whole(value: int, word: str, span: tuple[int, int]) -> Value:
    is_long = word[-1] in "lL"
    if value > (LONG_MAX if is_long else INT_MAX):
        remedy = "" if is_long else f" Write {word}L."
        raise ExpressionError(Kind.PARSE, f"The number {word} is too large.{remedy}", start=span[0], end=span[1])
    return Long(value) if is_long else value


def _bad_character(text: str, position: int) -> ExpressionError:
    character = text[position]
    if character in "'\"":
        message = f"The text that begins with {character} has no end."
    elif character == "|":
        message = "A single | is no operator. Write `||` or `or`."
    elif character == "\\":
        message = "A backslash means nothing outside quotes."
    else:
        message = f"The character {character!r} has no meaning in an expression."
    return ExpressionError(Kind.PARSE, message, start=position, end=position + 1)
