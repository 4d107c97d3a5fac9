"""Character sets by the names that Java knows; of their many names, those that are in use."""

import re

from gennaker.expressions.failures import ExpressionError, Kind

_NAMED = {
    "utf8": "utf-8",
    "utf-8": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "ascii": "ascii",
    "us-ascii": "ascii",
    "iso646-us": "ascii",
    "latin1": "iso-8859-1",
    "l1": "iso-8859-1",
    "iso8859_1": "iso-8859-1",
    "utf-16be": "utf-16-be",
    "utf-16le": "utf-16-le",
    "utf-16": "utf-16",
    "utf16": "utf-16",
    "utf-32": "utf-32-be",
    "utf-32be": "utf-32-be",
    "utf-32le": "utf-32-le",
    "gbk": "gbk",
    "gb2312": "gb2312",
    "gb18030": "gb18030",
    "big5": "big5",
    "shift_jis": "shift_jis",
    "euc-jp": "euc_jp",
    "euc-kr": "euc_kr",
    "iso-2022-jp": "iso2022_jp",
    "koi8-r": "koi8_r",
    "koi8-u": "koi8_u",
}
_NUMBERED = re.compile(r"(iso-8859-(?:[1-9]|13|15|16)|windows-125[0-8]|cp125[0-8]|ibm(?:437|850|852|855|857|866))")


def codec(name: str | None) -> str:
    """Python's name of a character set. Raises JAVA_EXCEPTION."""
    if name is None:
        raise ExpressionError(Kind.JAVA_EXCEPTION, "The character set is null.")
    lower = name.lower()
    found = _NAMED.get(lower)
    if found is None and _NUMBERED.fullmatch(lower):
        found = lower.replace("ibm", "cp").replace("windows-", "cp")
    if found is None:
        raise ExpressionError(Kind.JAVA_EXCEPTION, f"The character set {name[:40]!r} isn't known. Use 'UTF-8'.")
    return found


def encoded(text: str, charset: str | None) -> bytes:
    """The bytes of a text; what the character set hasn't becomes a question mark."""
    name = codec(charset)
    if name == "utf-16":
        return b"\xfe\xff" + text.encode("utf-16-be", "replace") if text else b""
    return text.encode(name, "replace")


def decoded(raw: bytes, charset: str | None) -> str:
    """The text of bytes; what isn't a character becomes U+FFFD."""
    name = codec(charset)
    if name == "utf-16" and not raw.startswith((b"\xfe\xff", b"\xff\xfe")):
        name = "utf-16-be"
    return raw.decode(name, "replace")
