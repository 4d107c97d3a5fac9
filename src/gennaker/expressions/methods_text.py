"""Methods of text (java.lang.String) and its static ones.

Positions count UTF-16 units, as in Java; only texts with characters beyond U+FFFF need the detour for that.
"""

from collections.abc import Callable
from typing import Any

from gennaker.expressions import charsets, formatting, text_blocks
from gennaker.expressions.conversions import MAX_TEXT, java_text
from gennaker.expressions.failures import ExpressionError, Kind, bad
from gennaker.expressions.hashing import java_hash
from gennaker.expressions.methods import Table, merged, statics, table
from gennaker.expressions.number_text import BLANKS
from gennaker.expressions.operators import compare_text, wrap
from gennaker.expressions.values import Array, Byte, Char, Value, equal, items_of
from gennaker.patterns import java
from gennaker.patterns.errors import PatternError

MAX_ELEMENTS = 200_000
_WHITESPACE = "\t\n\x0b\f\r\x1c\x1d\x1e\x1f \u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009\u200a\u2028\u2029\u205f\u3000"
"""Java's Character.isWhitespace: not the spaces that don't break."""


def units(text: str) -> str:
    """The text with one character for each UTF-16 unit."""
    if text.isascii() or max(text) <= "\uffff":
        return text
    return "".join(map(chr, memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")))


def joined(text: str) -> str:
    """The text of UTF-16 units; a lone half of a pair stays until the result is written."""
    if text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _bad_index(start: int, end: int, length: int) -> ExpressionError:
    return ExpressionError(
        Kind.JAVA_EXCEPTION, f"The range {start} to {end} lies outside a text of {length} characters."
    )


def _substring(text: str, start: int, end: int | None = None) -> str:
    each = units(text)
    stop = len(each) if end is None else end
    if not 0 <= start <= stop <= len(each):
        raise _bad_index(start, stop, len(each))
    return joined(each[start:stop])


def char_at(text: str, index: int) -> Char:
    """String.charAt."""
    each = units(text)
    if not 0 <= index < len(each):
        raise _bad_index(index, index + 1, len(each))
    return Char(each[index])


def _code_point_at(text: str, index: int) -> int:
    char_at(text, index)
    return ord(joined(units(text)[index : index + 2])[0])


def _length(text: str) -> int:
    return len(units(text))


def _given(value: str | None, what: str) -> str:
    """An argument that mustn't be null."""
    if value is None:
        raise ExpressionError(Kind.JAVA_EXCEPTION, f"The {what} is null.")
    return value


def _index_of(text: str, wanted: str | None, start: int = 0) -> int:
    each = units(text)
    return each.find(units(_given(wanted, "text to look for")), min(max(start, 0), len(each)))


def _starts_at(text: str, beginning: str | None, at: int) -> bool:
    each, wanted = units(text), units(_given(beginning, "beginning"))
    return 0 <= at <= len(each) and each[at:].startswith(wanted)


def _last_index_of(text: str, wanted: str | None, start: int | None = None) -> int:
    each, looked_for = units(text), units(_given(wanted, "text to look for"))
    if start is not None and start < 0:
        return -1
    return each.rfind(looked_for, 0, len(each) if start is None else start + len(looked_for))


def _character(code: int) -> str:
    return chr(code) if 0 <= code <= 0x10FFFF else "\uffff\uffff"


def _room(length: int) -> None:
    if length > MAX_TEXT:
        raise ExpressionError(Kind.LIMIT, f"The text would be longer than {MAX_TEXT:,} characters.")


def _replace(text: str, old: str | None, new: str | None) -> str:
    old, new = _given(old, "text to replace"), _given(new, "replacement")
    _room(len(text) + text.count(old) * max(len(new) - len(old), 0))
    return text.replace(old, new)


def _repeat(text: str, count: int) -> str:
    if count < 0:
        raise ExpressionError(Kind.JAVA_EXCEPTION, f"Text can't be repeated {count} times.")
    _room(len(text) * count)
    return text * count


def _pattern(pattern: str | None) -> java.Pattern:
    """The compiled pattern of a method; a bad one is an exception of Java's here, unlike with `matches`."""
    try:
        return java.compiled(_given(pattern, "pattern"))
    except PatternError as error:
        if error.is_limit:
            raise
        raise bad(error.message) from error


def _replace_pattern(text: str, pattern: str | None, new: str | None, *, is_first_only: bool = False) -> str:
    compiled = _pattern(pattern)
    if is_first_only:
        _given(new, "replacement")
    expand: Callable[[str, java.Spans], str] | None = None
    pieces: list[str] = []
    position = length = 0
    for spans in compiled.finds(text):
        expand = expand or _replacement(_given(new, "replacement"), compiled)
        piece = text[position : spans[0][0]] + expand(text, spans)
        length += len(piece)
        _room(length)
        pieces.append(piece)
        position = spans[0][1]
        if is_first_only:
            break
    return "".join(pieces) + text[position:]


def _replacement(new: str, pattern: java.Pattern) -> Callable[[str, java.Spans], str]:
    r"""What `$1`, `${name}` and `\$` in a replacement stand for."""
    parts: list[str | int] = []
    index = 0
    while index < len(new):
        character = new[index]
        if character not in "\\$":
            parts.append(character)
        elif index + 1 >= len(new):
            raise ExpressionError(Kind.JAVA_EXCEPTION, f"The replacement ends with a single {character}.")
        elif character == "\\":
            index += 1
            parts.append(new[index])
        else:
            group, index = _group(new, index + 1, pattern)
            parts.append(group)
        index += 1

    def expand(text: str, spans: java.Spans) -> str:
        return "".join(
            part if isinstance(part, str) else text[slice(*spans[part])] if spans[part][0] >= 0 else ""
            for part in parts
        )

    return expand


def _group(new: str, index: int, pattern: java.Pattern) -> tuple[int, int]:
    """The number of the group named after a `$`, and the index of its last character."""
    if new[index] == "{":
        end = new.find("}", index)
        name = new[index + 1 : end]
        if end < 0 or name not in pattern.names:
            raise ExpressionError(Kind.JAVA_EXCEPTION, f"The pattern has no group named {name[:40]!r}.")
        return pattern.names[name], end
    if not ("0" <= new[index] <= "9"):
        raise ExpressionError(
            Kind.JAVA_EXCEPTION,
            "A $ in a replacement must be followed by the number of a group. Write \\$ for the sign.",
        )
    group = int(new[index])
    if group > pattern.groups:
        raise ExpressionError(Kind.JAVA_EXCEPTION, f"The pattern has no group {group}.")
    while index + 1 < len(new) and "0" <= new[index + 1] <= "9" and group * 10 + int(new[index + 1]) <= pattern.groups:
        index += 1
        group = group * 10 + int(new[index])
    return group, index


def _split(text: str, pattern: str | None, limit: int = 0) -> Array:
    compiled = _pattern(pattern)
    pieces: list[Value] = []
    position = 0
    for spans in compiled.finds(text):
        start, end = spans[0]
        if end == 0:  # an empty match at the beginning makes no empty piece
            continue
        if 0 < limit <= len(pieces) + 1:
            break
        pieces.append(text[position:start])
        position = end
    if not pieces and position == 0:
        return Array("String", [text])
    pieces.append(text[position:])
    while limit == 0 and pieces and pieces[-1] == "":
        pieces.pop()
    return Array("String", pieces)


def _bytes(text: str, charset: str | None = "UTF-8") -> Array:
    _few(text)
    return Array("byte", [Byte(wrap(number, 8)) for number in charsets.encoded(text, charset)])


def _characters(text: str) -> Array:
    _few(text)
    return Array("char", [Char(unit) for unit in units(text)])


def _few(text: str) -> None:
    """An element a character costs fifty times the text."""
    if len(text) > MAX_ELEMENTS:
        raise ExpressionError(Kind.LIMIT, f"Only texts of up to {MAX_ELEMENTS:,} characters can be taken apart.")


def _trim(text: str) -> str:
    return text.strip(BLANKS)


def _region_equals(text: str, at: int, other: str | None, *rest: int) -> bool:
    pair = _regions(text, at, other, *rest)
    return pair is not None and pair[0] == pair[1]


def _region_matches(text: str, *given: Any) -> bool:  # noqa: ANN401 - Java's order of arguments
    ignores_case, *region = given
    pair = _regions(text, *region)
    return pair is not None and (pair[0] == pair[1] or (bool(ignores_case) and _folded(pair[0]) == _folded(pair[1])))


def _regions(text: str, at: int, other: str | None, *rest: int) -> tuple[str, str] | None:
    """The two parts to compare; None where one lies outside its text."""
    other_at, length = rest
    mine, theirs = units(text), units(_given(other, "other text"))
    if at < 0 or other_at < 0 or at + length > len(mine) or other_at + length > len(theirs):
        return None
    return mine[at : at + max(length, 0)], theirs[other_at : other_at + max(length, 0)]


def _indent(text: str, count: int) -> str:
    if not text:
        return ""
    _room(len(text) + (text.count("\n") + text.count("\r") + 1) * max(count, 0))
    lines = text_blocks.lines(text)
    if count > 0:
        lines = [" " * count + line for line in lines]
    elif count < 0:
        lines = [line[min(-count, len(line) - len(line.lstrip(_WHITESPACE))) :] for line in lines]
    return "\n".join(lines) + "\n"


def _code_point_before(text: str, index: int) -> int:
    each = units(text)
    if not 1 <= index <= len(each):
        raise _bad_index(index - 1, index, len(each))
    return ord(joined(each[max(index - 2, 0) : index])[-1])


def _inner(text: str, start: int, end: int) -> str:
    each = units(text)
    if not 0 <= start <= end <= len(each):
        raise _bad_index(start, end, len(each))
    return joined(each[start:end])


def _offset(text: str, index: int, count: int) -> int:
    each = units(text)
    if not 0 <= index <= len(each):
        raise _bad_index(index, index, len(each))
    near = joined(each[index:]) if count >= 0 else joined(each[:index])
    if abs(count) > len(near):
        raise _bad_index(index, index + count, len(each))
    passed = near[:count] if count >= 0 else near[len(near) + count :]
    return index + len(units(passed)) if count >= 0 else index - len(units(passed))


def _folded(text: str) -> str:
    """What Java compares where case doesn't matter: each character alone, first in capitals."""
    if text.isascii():
        return text.lower()
    return "".join(character.upper().lower() if len(character.upper()) == 1 else character for character in text)


def _lower(text: str) -> str:
    return text.lower()


def _replace_unit(text: str, old: str, new: str) -> str:
    return joined(units(text).replace(old, new))


_INSTANCE = table(
    {
        "length()": _length,
        "isEmpty()": lambda text: not text,
        "isBlank()": lambda text: not text.strip(_WHITESPACE),
        "charAt(int)": char_at,
        "codePointAt(int)": _code_point_at,
        "codePointBefore(int)": _code_point_before,
        "codePointCount(int,int)": lambda text, start, end: len(_inner(text, start, end)),
        "offsetByCodePoints(int,int)": _offset,
        "compareTo(String)": lambda text, other: compare_text(text, _given(other, "other text")),
        "compareToIgnoreCase(String)": lambda text, other: compare_text(
            _folded(text), _folded(_given(other, "other text"))
        ),
        "concat(String)": lambda text, other: text + _given(other, "text to add"),
        "contains(CharSequence)": lambda text, other: _given(other, "text to look for") in text,
        "contentEquals(CharSequence)": lambda text, other: text == _given(other, "other text"),
        "contentEquals(StringBuffer)": lambda text, other: text == _given(other, "other text"),
        "endsWith(String)": lambda text, other: text.endswith(_given(other, "ending")),
        "startsWith(String)": lambda text, other: text.startswith(_given(other, "beginning")),
        "startsWith(String,int)": _starts_at,
        "equals(Object)": equal,
        "equalsIgnoreCase(String)": lambda text, other: other is not None and _folded(text) == _folded(other),
        "getBytes()": _bytes,
        "getBytes(String)": _bytes,
        "getBytes(Charset)": _bytes,
        "hashCode()": java_hash,
        "indent(int)": _indent,
        "indexOf(String)": _index_of,
        "indexOf(String,int)": _index_of,
        "indexOf(int)": lambda text, code: _index_of(text, _character(code)),
        "indexOf(int,int)": lambda text, code, start: _index_of(text, _character(code), start),
        "lastIndexOf(String)": _last_index_of,
        "lastIndexOf(String,int)": _last_index_of,
        "lastIndexOf(int)": lambda text, code: _last_index_of(text, _character(code)),
        "lastIndexOf(int,int)": lambda text, code, start: _last_index_of(text, _character(code), start),
        "intern()": lambda text: text,
        "matches(String)": lambda text, pattern: _pattern(pattern).match(text, is_whole=True) is not None,
        "regionMatches(int,String,int,int)": _region_equals,
        "regionMatches(boolean,int,String,int,int)": _region_matches,
        "repeat(int)": _repeat,
        "replace(char,char)": _replace_unit,
        "replace(CharSequence,CharSequence)": _replace,
        "replaceAll(String,String)": _replace_pattern,
        "replaceFirst(String,String)": lambda text, pattern, new: _replace_pattern(
            text, pattern, new, is_first_only=True
        ),
        "split(String)": _split,
        "split(String,int)": _split,
        "strip()": lambda text: text.strip(_WHITESPACE),
        "stripLeading()": lambda text: text.lstrip(_WHITESPACE),
        "stripTrailing()": lambda text: text.rstrip(_WHITESPACE),
        "stripIndent()": text_blocks.stripped_indent,
        "substring(int)": _substring,
        "substring(int,int)": _substring,
        "toCharArray()": _characters,
        "toLowerCase()": _lower,
        "toLowerCase(Locale)": lambda text, locale: _lower(text) if _given(locale, "locale") else text,
        "toUpperCase()": str.upper,
        "toUpperCase(Locale)": lambda text, locale: text.upper() if _given(locale, "locale") else text,
        "toString()": lambda text: text,
        "translateEscapes()": text_blocks.translated,
        "trim()": _trim,
        "formatted(Object...)": formatting.java_format,
    },
    blocked="chars() codePoints() lines() subSequence(int,int) describeConstable() transform(Function)",
    others="getChars(int,int,char[],int) getBytes(int,int,byte[],int) resolveConstantDesc(Lookup)",
)


def _join(separator: str | None, parts: Value) -> str:
    items = items_of(parts)
    if items is None:
        raise ExpressionError(Kind.JAVA_EXCEPTION, "The texts to join are null.")
    texts: list[str] = []
    for part in items:
        if part is not None and not isinstance(part, str):
            raise ExpressionError(Kind.JAVA_EXCEPTION, "String.join takes only texts. Use .![toString()] on the list.")
        texts.append(java_text(part))
    made = _given(separator, "separator")
    _room(sum(map(len, texts)) + len(made) * len(texts))
    return made.join(texts)


def of_characters(value: Value, start: int = 0, count: int | None = None) -> str:
    """The text of an array of characters, or of a part of it. Raises JAVA_EXCEPTION."""
    if value is None:
        raise ExpressionError(Kind.JAVA_EXCEPTION, "String.valueOf can't take null.")
    return joined("".join(java_text(item) for item in part_of(items_of(value) or [], start, count)))


def part_of(items: list[Value], start: int, count: int | None) -> list[Value]:
    """So many of the items. Raises JAVA_EXCEPTION where there are fewer."""
    end = len(items) if count is None else start + count
    if not 0 <= start <= end <= len(items):
        raise bad(f"The range {start} to {end} lies outside an array of {len(items)} elements.")
    return items[start:end]


STATIC: Table = statics(
    {
        "format(String,Object...)": lambda pattern, arguments: formatting.java_format(
            _given(pattern, "format"), arguments
        ),
        "format(Locale,String,Object...)": lambda locale, pattern, arguments: formatting.java_format(
            _given(pattern, "format"), arguments
        ),
        "join(CharSequence,Iterable)": _join,
        "join(CharSequence,CharSequence...)": _join,
        "valueOf(char[])": of_characters,
        "valueOf(Object)": java_text,
        "valueOf(boolean)": java_text,
        "valueOf(char)": java_text,
        "valueOf(int)": java_text,
        "valueOf(long)": java_text,
        "valueOf(float)": java_text,
        "valueOf(double)": java_text,
        "valueOf(char[],int,int)": of_characters,
        "copyValueOf(char[])": of_characters,
        "copyValueOf(char[],int,int)": of_characters,
    },
)
METHODS: Table = merged(_INSTANCE, STATIC)
