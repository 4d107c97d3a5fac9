r"""Classes of characters by Unicode's categories, scripts and Java's predicates, for `\p{…}`."""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

_CATEGORY = re.compile(
    r"(?:Is|general_category=|gc=)?(L[ultmo&C]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[cfson]?)$"
)
_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC", "HEBREW", "ARABIC", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "DEVANAGARI")
_PROPERTIES: dict[str, Callable[[str], bool]] = {
    "alphabetic": str.isalpha,
    "letter": str.isalpha,
    "digit": lambda character: unicodedata.category(character) == "Nd",
    "lowercase": str.islower,
    "uppercase": str.isupper,
    "white_space": lambda character: character.isspace() and not "\x1c" <= character <= "\x1f",
    "whitespace": lambda character: character.isspace() and character not in "\xa0\u2007\u202f\x85",
    "punctuation": lambda character: unicodedata.category(character).startswith("P"),
    "letterordigit": lambda character: character.isalpha() or unicodedata.category(character) == "Nd",
    "ideographic": lambda character: unicodedata.name(character, "").startswith("CJK UNIFIED"),
}
_ALL = range(0x30000)


def named(name: str) -> str:
    r"""Python's syntax of the class `\p{name}`; empty where it isn't offered."""
    return _built(name)


@lru_cache(maxsize=64)
def _built(name: str) -> str:
    test = _test(name)
    if test is None:
        return ""
    ranges: list[str] = []
    start = -1
    for code in _ALL:
        fits = not 0xD800 <= code <= 0xDFFF and test(chr(code))
        if fits and start < 0:
            start = code
        elif not fits and start >= 0:
            ranges.append(_range(start, code - 1))
            start = -1
    return f"[{''.join(ranges)}]" if ranges else "(?!)"


def _range(first: int, last: int) -> str:
    if first == last:
        return re.escape(chr(first))
    return f"{re.escape(chr(first))}-{re.escape(chr(last))}"


def _test(name: str) -> Callable[[str], bool] | None:
    category = _CATEGORY.match(name)
    if category:
        wanted = {"L&": ("Lu", "Ll", "Lt"), "LC": ("Lu", "Ll", "Lt")}.get(category[1], (category[1],))
        return lambda character: unicodedata.category(character).startswith(wanted)
    bare = re.sub("^(?:Is|java|script=|sc=)", "", name)
    if bare.upper() in _SCRIPTS and bare != name:
        start = f"{bare.upper()} "
        return lambda character: unicodedata.name(character, "").startswith(start)
    return _PROPERTIES.get(bare.lower()) if bare != name else None
