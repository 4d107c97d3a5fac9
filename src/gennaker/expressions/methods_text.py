"""Methods of text (java.lang.String) and its static ones.

Positions count UTF-16 units, as in Java; only texts with characters beyond U+FFFF need the detour for that.
"""

import textwrap
from collections.abc import Callable

from gennaker.expressions import formatting, regex
from gennaker.expressions.conversions import MAX_TEXT, java_text
from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.methods import Table, java_hash, table
from gennaker.expressions.operators import compare_text
from gennaker.expressions.values import Array, Byte, Char, Value, equal, items_of

MAX_ELEMENTS = 200_000


def units(text: str) -> str:
    """The text with one character for each UTF-16 unit."""
    if text.isascii() or max(text) <= "\uffff":
        return text
    return "".join(map(chr, memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")))


def joined(text: str) -> str:
    """The text of UTF-16 units; a lone half of a pair becomes a question mark, as when Java writes it."""
    if text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\ufffd", "?")


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


def _char_at(text: str, index: int) -> Char:
    each = units(text)
    if not 0 <= index < len(each):
        raise _bad_index(index, index + 1, len(each))
    return Char(each[index])


def _code_point_at(text: str, index: int) -> int:
    _char_at(text, index)
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


def _replace_pattern(text: str, pattern: str | None, new: str | None, *, is_first_only: bool = False) -> str:
    compiled = regex.compiled(_given(pattern, "pattern"))
    expand = _replacement(_given(new, "replacement"), compiled)
    pieces: list[str] = []
    position = length = 0
    for spans in compiled.finds(text):
        piece = text[position : spans[0][0]] + expand(text, spans)
        length += len(piece)
        _room(length)
        pieces.append(piece)
        position = spans[0][1]
        if is_first_only:
            break
    return "".join(pieces) + text[position:]


def _replacement(new: str, pattern: regex.Pattern) -> Callable[[str, regex.Spans], str]:
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

    def expand(text: str, spans: regex.Spans) -> str:
        return "".join(
            part if isinstance(part, str) else text[slice(*spans[part])] if spans[part][0] >= 0 else ""
            for part in parts
        )

    return expand


def _group(new: str, index: int, pattern: regex.Pattern) -> tuple[int, int]:
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
    compiled = regex.compiled(_given(pattern, "pattern"))
    pieces: list[Value] = []
    position = 0
    for spans in compiled.finds(text):
        start, end = spans[0]
        if end == 0:  # an empty match at the beginning makes no empty piece
            continue
        if 0 < limit <= len(pieces) + 1:
            break
        if start == end == len(text):
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
    name = _given(charset, "character set").lower()
    if name not in ("utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1", "utf-16", "utf-16be", "utf-16le"):
        raise ExpressionError(Kind.JAVA_EXCEPTION, f"The character set {name[:40]!r} isn't known.")
    _few(text)
    codec = "utf-16" if name == "utf-16" else name
    encoded = text.encode(codec, "replace")
    if name == "utf-16":
        encoded = b"\xfe\xff" + text.encode("utf-16-be", "replace")
    return Array("byte", [Byte(number - 256 if number > 127 else number) for number in encoded])


def _characters(text: str) -> Array:
    _few(text)
    return Array("char", [Char(unit) for unit in units(text)])


def _few(text: str) -> None:
    """An element a character costs fifty times the text."""
    if len(text) > MAX_ELEMENTS:
        raise ExpressionError(Kind.LIMIT, f"Only texts of up to {MAX_ELEMENTS:,} characters can be taken apart.")


def _is_whitespace_only(text: str) -> bool:
    return not text.strip()


def _trim(text: str) -> str:
    return text.strip("".join(map(chr, range(33))))


def _region_matches(text: str, at: int, other: str | None, *rest: int) -> bool:
    other_at, length = rest
    mine, theirs = units(text), units(_given(other, "other text"))
    if at < 0 or other_at < 0 or at + length > len(mine) or other_at + length > len(theirs):
        return False
    return mine[at : at + length] == theirs[other_at : other_at + length] or length <= 0


def _indent(text: str, count: int) -> str:
    if not text:
        return ""
    _room(len(text) + (text.count("\n") + 1) * max(count, 0))
    lines = [
        " " * count + line if count > 0 else line[min(-count, len(line) - len(line.lstrip())) :]
        for line in text.splitlines()
    ]
    return "\n".join(lines) + "\n"


def _formatted(text: str, arguments: list[Value]) -> str:
    return formatting.java_format(text, arguments)


METHODS: Table = table(
    {
        "length()": _length,
        "isEmpty()": lambda text: not text,
        "isBlank()": _is_whitespace_only,
        "charAt(int)": _char_at,
        "codePointAt(int)": _code_point_at,
        "compareTo(String)": lambda text, other: compare_text(text, _given(other, "other text")),
        "compareToIgnoreCase(String)": lambda text, other: compare_text(
            text.lower(), _given(other, "other text").lower()
        ),
        "concat(String)": lambda text, other: text + _given(other, "text to add"),
        "contains(CharSequence)": lambda text, other: _given(other, "text to look for") in text,
        "contentEquals(CharSequence)": lambda text, other: text == _given(other, "other text"),
        "endsWith(String)": lambda text, other: text.endswith(_given(other, "ending")),
        "startsWith(String)": lambda text, other: text.startswith(_given(other, "beginning")),
        "startsWith(String,int)": lambda text, other, at: (
            at >= 0 and units(text)[at:].startswith(units(_given(other, "beginning")))
        ),
        "equals(Object)": equal,
        "equalsIgnoreCase(String)": lambda text, other: other is not None and text.lower() == other.lower(),
        "getBytes()": _bytes,
        "getBytes(String)": _bytes,
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
        "matches(String)": lambda text, pattern: (
            regex.compiled(_given(pattern, "pattern")).match(text, is_whole=True) is not None
        ),
        "regionMatches(int,String,int,int)": _region_matches,
        "repeat(int)": _repeat,
        "replace(char,char)": _replace,
        "replace(CharSequence,CharSequence)": _replace,
        "replaceAll(String,String)": _replace_pattern,
        "replaceFirst(String,String)": lambda text, pattern, new: _replace_pattern(
            text, pattern, new, is_first_only=True
        ),
        "split(String)": _split,
        "split(String,int)": _split,
        "strip()": str.strip,
        "stripLeading()": str.lstrip,
        "stripTrailing()": str.rstrip,
        "stripIndent()": textwrap.dedent,
        "substring(int)": _substring,
        "substring(int,int)": _substring,
        "toCharArray()": _characters,
        "toLowerCase()": str.lower,
        "toUpperCase()": str.upper,
        "toString()": lambda text: text,
        "trim()": _trim,
        "formatted(Object...)": _formatted,
    },
    blocked="chars codePoints lines subSequence describeConstable resolveConstantDesc transform",
)


def _join(separator: str | None, parts: Value) -> str:
    texts: list[str] = []
    for part in items_of(parts) or ():
        if part is not None and not isinstance(part, str):
            raise ExpressionError(Kind.JAVA_EXCEPTION, "String.join takes only texts. Use .![toString()] on the list.")
        texts.append(java_text(part))
    made = _given(separator, "separator")
    _room(sum(map(len, texts)) + len(made) * len(texts))
    return made.join(texts)


def _value_of_characters(value: Value) -> str:
    if value is None:
        raise ExpressionError(Kind.JAVA_EXCEPTION, "String.valueOf can't take null.")
    return "".join(java_text(item) for item in items_of(value) or [value])


STATIC: Table = table(
    {
        "format(String,Object...)": lambda pattern, arguments: formatting.java_format(
            _given(pattern, "format"), arguments
        ),
        "join(CharSequence,Iterable)": _join,
        "join(CharSequence,CharSequence...)": _join,
        "valueOf(char[])": _value_of_characters,
        "valueOf(Object)": java_text,
        "valueOf(boolean)": java_text,
        "valueOf(char)": java_text,
        "valueOf(int)": java_text,
        "valueOf(long)": java_text,
        "valueOf(double)": java_text,
        "copyValueOf(char[])": _value_of_characters,
    }
)
