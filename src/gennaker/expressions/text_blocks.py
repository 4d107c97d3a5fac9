"""Lines of text as Java's text-block methods see them: stripIndent, translateEscapes."""

import re

from gennaker.expressions.failures import ExpressionError, Kind

_LINE_END = re.compile(r"\r\n|\n|\r")
_ESCAPES = {
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "s": " ",
    "t": "\t",
    "'": "'",
    '"': '"',
    "\\": "\\",
    "\n": "",
    "\r": "",
}
_ESCAPE = re.compile(r"\\(?:([0-3][0-7]{0,2}|[4-7][0-7]?)|(\r\n)|(.)|$)", re.DOTALL)


def lines(text: str) -> list[str]:
    """The lines without their ends; no empty one after the last end."""
    found = _LINE_END.split(text)
    return found[:-1] if found and not found[-1] else found


def stripped_indent(text: str) -> str:
    """String.stripIndent: the smallest indentation and all trailing blanks go; a last line counts even if blank."""
    if not text:
        return ""
    is_ended = text[-1] in "\n\r"
    each = lines(text)
    indents = [len(line) - len(line.lstrip()) for line in each if line.strip()]
    if not is_ended and each and not each[-1].strip():
        indents.append(len(each[-1]))
    if is_ended:
        indents.append(0)
    least = min(indents, default=0)
    stripped = [line[least:].rstrip() if line.strip() else "" for line in each]
    return "\n".join(stripped) + ("\n" if is_ended else "")


def translated(text: str) -> str:
    """String.translateEscapes. Raises JAVA_EXCEPTION for an unknown escape."""

    def replaced(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 8))
        if match[2]:
            return ""
        if match[3] is None or match[3] not in _ESCAPES:
            raise ExpressionError(Kind.JAVA_EXCEPTION, f"The escape \\{match[3] or ''} isn't known.")
        return _ESCAPES[match[3]]

    return _ESCAPE.sub(replaced, text)
