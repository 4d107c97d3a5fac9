"""Methods of characters, the static ones too: Spring also finds those on values.

Most exist twice, for a character and for a code point; which of them is meant decides whether a call is ambiguous.
"""

import unicodedata
from collections.abc import Callable

from gennaker.expressions.failures import bad
from gennaker.expressions.hashing import java_hash
from gennaker.expressions.methods import Table, merged, statics, table
from gennaker.expressions.methods_collections import OBJECT
from gennaker.expressions.operators import wrap
from gennaker.expressions.values import Array, Byte, Char, Value

_MOST = 0x10FFFF
_LETTERS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo"})
_NUMBERED = [
    "Cn",
    "Lu",
    "Ll",
    "Lt",
    "Lm",
    "Lo",
    "Mn",
    "Me",
    "Mc",
    "Nd",
    "Nl",
    "No",
    "Zs",
    "Zl",
    "Zp",
    "Cc",
    "Cf",
    "?",
    "Co",
    "Cs",
    "Pd",
    "Ps",
    "Pe",
    "Pc",
    "Po",
    "Sm",
    "Sc",
    "Sk",
    "So",
    "Pi",
    "Pf",
]
"""Categories by the number that Java gives them."""
_DIRECTIONS = [
    "L",
    "R",
    "AL",
    "EN",
    "ES",
    "ET",
    "AN",
    "CS",
    "NSM",
    "BN",
    "B",
    "S",
    "WS",
    "ON",
    "LRE",
    "LRO",
    "RLE",
    "RLO",
    "PDF",
    "LRI",
    "RLI",
    "FSI",
    "PDI",
]
_IDEOGRAPHS = ("CJK UNIFIED IDEOGRAPH", "CJK COMPATIBILITY IDEOGRAPH", "TANGUT IDEOGRAPH", "NUSHU CHARACTER")
_NOT_WHITESPACE = "\xa0\u2007\u202f\x85"
"""Spaces to Python, not to Java: they don't break, or are controls."""


def _is_letter(text: str) -> bool:
    return unicodedata.category(text) in _LETTERS


def _is_ignorable(text: str) -> bool:
    return text <= "\x08" or "\x0e" <= text <= "\x1b" or "\x7f" <= text <= "\x9f" or unicodedata.category(text) == "Cf"


def _begins(*categories: str) -> Callable[[str], bool]:
    """What an identifier may begin with: letters, and what is in further categories."""
    wanted = _LETTERS | {"Nl", *categories}
    return lambda text: unicodedata.category(text) in wanted


def _continues(*categories: str) -> Callable[[str], bool]:
    begins = _begins("Pc", "Nd", "Mc", "Mn", *categories)
    return lambda text: begins(text) or _is_ignorable(text)


def _is_ideograph(text: str) -> bool:
    return text in "\u3006\u3007" or unicodedata.name(text, "").startswith(_IDEOGRAPHS)


def _type(text: str) -> int:
    return _NUMBERED.index(unicodedata.category(text))


def _direction(text: str) -> Byte:
    name = unicodedata.bidirectional(text)
    return Byte(_DIRECTIONS.index(name) if name else -1)


def _digit(text: str, radix: int) -> int:
    if not 2 <= radix <= 36:
        return -1
    value = unicodedata.decimal(text, -1)
    if value < 0:
        value = _letter_value(text)
    return value if value < radix else -1


def _letter_value(text: str) -> int:
    """10 to 35 for Latin letters, the wide ones too; else -1."""
    plain = chr(ord(text) - 0xFEE0) if "\uff21" <= text <= "\uff5a" else text
    return ord(plain.lower()) - ord("a") + 10 if plain.isascii() and plain.isalpha() else -1


def _numeric(text: str) -> int:
    letter = _letter_value(text)
    if letter >= 0:
        return letter
    value = unicodedata.numeric(text, -1)
    return int(value) if value == int(value) else -2


def _for_digit(digit: int, radix: int) -> Char:
    is_digit = 2 <= radix <= 36 and 0 <= digit < radix
    return Char("0123456789abcdefghijklmnopqrstuvwxyz"[digit] if is_digit else "\0")


def _changed(change: Callable[[str], str]) -> Callable[[str], str]:
    """The change where it gives one character; Java knows no others here."""

    def one(text: str) -> str:
        made = change(text)
        return made if len(made) == 1 else text

    return one


def _point(code: int) -> str:
    """The character of a code point. Raises JAVA_EXCEPTION."""
    if not 0 <= code <= _MOST:
        raise bad(f"There is no character with the number {code}.")
    return chr(code)


def _units(code: int) -> Array:
    text = _point(code).encode("utf-16-le", "surrogatepass")
    return Array("char", [Char(chr(unit)) for unit in memoryview(text).cast("H")])


def _tests(name: str, test: Callable[[str], bool]) -> dict[str, Callable[..., Value]]:
    return {f"{name}(char)": test, f"{name}(int)": lambda code: 0 <= code <= _MOST and test(chr(code))}


def _reads(name: str, read: Callable[[str], Value], absent: Value) -> dict[str, Callable[..., Value]]:
    return {f"{name}(char)": read, f"{name}(int)": lambda code: read(chr(code)) if 0 <= code <= _MOST else absent}


def _changes(name: str, change: Callable[[str], str]) -> dict[str, Callable[..., Value]]:
    one = _changed(change)
    return {
        f"{name}(char)": lambda text: Char(one(text)),
        f"{name}(int)": lambda code: ord(one(chr(code))) if 0 <= code <= _MOST else code,
    }


def _compared(value: Char, other: Char | None) -> int:
    if other is None:
        raise bad("The other character is null.")
    return ord(value.text) - ord(other.text)


_SINGLE: dict[str, Callable[..., Value]] = {
    "isAlphabetic(int)": lambda code: 0 <= code <= _MOST and _begins()(chr(code)),
    "isIdeographic(int)": lambda code: 0 <= code <= _MOST and _is_ideograph(chr(code)),
    "isJavaLetter(char)": _begins("Sc", "Pc"),
    "isJavaLetterOrDigit(char)": _continues("Sc"),
    "isSpace(char)": lambda text: text in "\t\n\f\r ",
    "isBmpCodePoint(int)": lambda code: 0 <= code <= 0xFFFF,
    "isSupplementaryCodePoint(int)": lambda code: 0xFFFF < code <= _MOST,
    "isValidCodePoint(int)": lambda code: 0 <= code <= _MOST,
    "isHighSurrogate(char)": lambda text: "\ud800" <= text <= "\udbff",
    "isLowSurrogate(char)": lambda text: "\udc00" <= text <= "\udfff",
    "isSurrogate(char)": lambda text: "\ud800" <= text <= "\udfff",
    "isSurrogatePair(char,char)": lambda high, low: "\ud800" <= high <= "\udbff" and "\udc00" <= low <= "\udfff",
    "highSurrogate(int)": lambda code: Char(chr((code >> 10) + 0xD7C0 & 0xFFFF)),
    "lowSurrogate(int)": lambda code: Char(chr(0xDC00 | code & 0x3FF)),
    "toCodePoint(char,char)": lambda high, low: wrap((ord(high) << 10) + ord(low) - 0x35FDC00, 32),
    "charCount(int)": lambda code: 1 + (code > 0xFFFF),
    "toChars(int)": _units,
    "toString(char)": lambda text: text,
    "toString(int)": _point,
    "reverseBytes(char)": lambda text: Char(chr((ord(text) & 0xFF) << 8 | ord(text) >> 8)),
    "compare(char,char)": lambda left, right: ord(left) - ord(right),
    "hashCode(char)": lambda text: java_hash(Char(text)),
    "forDigit(int,int)": _for_digit,
    "digit(char,int)": _digit,
    "digit(int,int)": lambda code, radix: _digit(chr(code), radix) if 0 <= code <= _MOST else -1,
}

CHARACTER: Table = merged(
    table(
        {"charValue()": lambda value: value, "compareTo(Character)": _compared},
        blocked="describeConstable() valueOf(char)",
    ),
    statics(
        {
            **_tests("isDigit", str.isdecimal),
            **_tests("isLetter", _is_letter),
            **_tests("isLetterOrDigit", lambda text: _is_letter(text) or text.isdecimal()),
            **_tests("isUpperCase", str.isupper),
            **_tests("isLowerCase", str.islower),
            **_tests("isTitleCase", lambda text: unicodedata.category(text) == "Lt"),
            **_tests("isWhitespace", lambda text: text.isspace() and text not in _NOT_WHITESPACE),
            **_tests("isSpaceChar", lambda text: unicodedata.category(text).startswith("Z")),
            **_tests("isDefined", lambda text: unicodedata.category(text) != "Cn"),
            **_tests("isISOControl", lambda text: unicodedata.category(text) == "Cc"),
            **_tests("isMirrored", lambda text: unicodedata.mirrored(text) == 1),
            **_tests("isIdentifierIgnorable", _is_ignorable),
            **_tests("isJavaIdentifierStart", _begins("Sc", "Pc")),
            **_tests("isJavaIdentifierPart", _continues("Sc")),
            **_tests("isUnicodeIdentifierStart", _begins()),
            **_tests("isUnicodeIdentifierPart", _continues()),
            **_reads("getType", _type, 0),
            **_reads("getDirectionality", _direction, Byte(-1)),
            **_reads("getNumericValue", _numeric, -1),
            **_changes("toUpperCase", str.upper),
            **_changes("toLowerCase", str.lower),
            **_changes("toTitleCase", str.title),
            **_SINGLE,
        },
        others="getName(int) codePointOf(String) codePointAt(CharSequence,int) codePointAt(char[],int)"
        " codePointAt(char[],int,int) codePointBefore(CharSequence,int) codePointBefore(char[],int)"
        " codePointBefore(char[],int,int) codePointCount(CharSequence,int,int) codePointCount(char[],int,int)"
        " offsetByCodePoints(CharSequence,int,int) offsetByCodePoints(char[],int,int,int,int) toChars(int,char[],int)",
    ),
    OBJECT,
)
