"""Java's String.format: `%s %d %x %f %e %b %c %n %%` with flags, widths and precisions, and `%t` for dates in UTC."""

import math
import re
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal

from gennaker.expressions import clock_text
from gennaker.expressions.conversions import MAX_TEXT, java_text
from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.hashing import java_hash
from gennaker.expressions.number_text import digits_of
from gennaker.expressions.values import Char, Date, Instant, LocalDate, LocalDateTime, Value, is_number, type_name

MAX_WIDTH = 10_000
_DIRECTIVE = re.compile(r"%(?:(\d+)\$|(<))?([-#+ 0,(]*)(\d+)?(?:\.(\d+))?([tT]?)([a-zA-Z%])")


def java_format(pattern: str, arguments: list[Value]) -> str:
    """The pattern with its directives replaced. Raises JAVA_EXCEPTION for bad directives and arguments, UNSUPPORTED for `%a`."""
    made: list[str] = []
    position = next_argument = 0
    last: Value = None
    had_argument = False
    length = 0
    while (start := pattern.find("%", position)) >= 0:
        made.append(pattern[position:start])
        match = _DIRECTIVE.match(pattern, start)
        if match is None:
            raise _bad(f"the directive {pattern[start : start + 12]!r} isn't known")
        position = match.end()
        conversion = match[7]
        _check(match)
        if conversion in "%n" and not match[6]:
            if match[2]:
                raise _bad(f"the flags of {match[0]!r} don't suit it")
            made.append(_padded("%" if conversion == "%" else "\n", match))
            continue
        if match[2] is not None and not had_argument:
            raise _bad(f"there is no argument before {match[0]!r}")
        had_argument = True
        if match[2] is None:
            index = int(match[1]) - 1 if match[1] else next_argument
            next_argument += not match[1]
            if not 0 <= index < len(arguments):
                raise _bad(f"there is no argument for {match[0]!r}")
            last = arguments[index]
        made.append(_directive(match, last))
        length += len(made[-1])
        if length > MAX_TEXT:
            raise ExpressionError(Kind.LIMIT, f"The text would be longer than {MAX_TEXT:,} characters.")
    return "".join(made) + pattern[position:]


_ALLOWED_FLAGS = {
    "s": "-",
    "b": "-",
    "h": "-",
    "c": "-",
    "d": "-+ 0,(",
    "o": "-+ 0(#",
    "x": "-+ 0(#",
    "e": "-+ 0(#",
    "f": "-+ 0(#,",
    "g": "-+ 0(,",
    "a": "-+ 0#",
    "t": "-",
    "%": "-",
    "n": "",
}
_TIMES = frozenset("YyCmdejBbhAaHkIlMSLNpzZsQRTrDFc")


def _check(match: re.Match[str]) -> None:
    """Flags, width and precision must suit the conversion. Raises JAVA_EXCEPTION."""
    flags, width, precision, conversion = match[3], match[4], match[5], match[7]
    kind = "t" if match[6] else conversion.lower()
    is_known = conversion in _TIMES if match[6] else kind in _ALLOWED_FLAGS and conversion not in "DOFNT"
    if not is_known:
        raise _bad(f"the directive {match[0]!r} isn't known")
    allowed = _ALLOWED_FLAGS[kind]
    if any(flag not in allowed for flag in flags) or len(set(flags)) < len(flags):
        raise _bad(f"the flags of {match[0]!r} don't suit it")
    if ("-" in flags and "0" in flags) or ("+" in flags and " " in flags):
        raise _bad(f"the flags of {match[0]!r} exclude one another")
    if (("-" in flags or "0" in flags) and width is None) or (kind == "n" and width is not None):
        raise _bad(f"the width of {match[0]!r} is missing or too much")
    if precision is not None and kind not in "sbhefga":
        raise _bad(f"the directive {match[0]!r} takes no precision")


def _bad(what: str) -> ExpressionError:
    return ExpressionError(Kind.JAVA_EXCEPTION, f"The text can't be formatted: {what}.")


def _directive(match: re.Match[str], value: Value) -> str:
    conversion = match[7]
    if match[6]:
        shown = "null" if value is None else _time(conversion, value)
        return _padded(shown.upper() if match[6] == "T" else shown, match)
    lower = conversion.lower()
    if lower == "s":
        shown = _cut(java_text(value), match)
    elif lower == "b":
        shown = _cut("false" if value is None else java_text(value) if isinstance(value, bool) else "true", match)
    elif value is None:
        shown = _cut("null", match) if lower in "fegha" else "null"
    elif lower == "h":
        shown = _cut(format(java_hash(value) & 0xFFFFFFFF, "x"), match)
    elif lower == "c":
        shown = _character(value)
    elif lower in "dxo":
        return _padded(_whole(lower, value, match), match, is_number=True, is_upper=conversion == "X")
    elif lower in "feg":
        return _padded(_real(lower, value, match), match, is_number=True, is_upper=conversion in "EG")
    else:
        raise ExpressionError(Kind.UNSUPPORTED, f"The directive {match[0]!r} of a format isn't offered.")
    return _padded(shown, match, is_upper=conversion.isupper())


def _cut(text: str, match: re.Match[str]) -> str:
    return text if match[5] is None else text[: int(match[5])]


def _padded(text: str, match: re.Match[str], *, is_number: bool = False, is_upper: bool = False) -> str:
    width = int(match[4] or 0)
    if width > MAX_WIDTH:
        raise ExpressionError(Kind.LIMIT, f"The width {width} in a format is too large.")
    text = text.upper() if is_upper else text
    if "-" in match[3]:
        return text.ljust(width)
    if is_number and "0" in match[3] and text.lstrip("+-( ") not in ("NaN", "Infinity", "INFINITY", "NAN"):
        sign = text[:1] if text[:1] in "+- (" else ""
        return sign + text[len(sign) :].rjust(width - len(sign), "0")
    return text.rjust(width)


def _character(value: Value) -> str:
    if isinstance(value, Char):
        return value.text
    if type_name(value) in ("Integer", "Byte") and isinstance(value, int) and 0 <= value <= 0x10FFFF:
        return chr(value)
    raise _bad(f"%c can't take a value of type {type_name(value)}")


def _signed(text: str, flags: str, *, is_negative: bool) -> str:
    if is_negative:
        return f"({text})" if "(" in flags else f"-{text}"
    return f"+{text}" if "+" in flags else f" {text}" if " " in flags else text


def _whole(conversion: str, value: Value, match: re.Match[str]) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _bad(f"%{conversion} needs a whole number, not a value of type {type_name(value)}")
    number, flags = int(value), match[3]
    if conversion != "d" and any(flag in "+ (" for flag in flags) and type_name(value) != "BigInteger":
        raise _bad(f"the flags of %{flags}{conversion} don't suit it")
    if conversion == "d":
        digits = f"{abs(number):,}" if "," in flags else str(abs(number))
        return _signed(digits, flags, is_negative=number < 0)
    if type_name(value) == "BigInteger":
        return _signed(_based(abs(number), conversion, flags), flags, is_negative=number < 0)
    if number < 0:
        number += 1 << {"Integer": 32, "Byte": 8}.get(type_name(value), 64)
    return _based(number, conversion, flags)


def _based(number: int, conversion: str, flags: str) -> str:
    prefix = ("0x" if conversion == "x" else "0") if "#" in flags else ""
    return prefix + format(number, conversion)


def _real(conversion: str, value: Value, match: re.Match[str]) -> str:
    if not isinstance(value, float):
        raise _bad(f"%{conversion} needs a real number, not a value of type {type_name(value)}. Write * 1.0 after it")
    number, flags = float(value), match[3]
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return _signed("Infinity", flags, is_negative=number < 0)
    precision = min(int(match[5] or 6), 400)
    negative = math.copysign(1, number) < 0
    shown = _half_up(abs(number), precision) if conversion == "f" else _scientific(conversion, abs(number), precision)
    if "#" in flags and "." not in shown:
        mantissa, mark, exponent = shown.partition("e")
        shown = f"{mantissa}.{mark}{exponent}"
    if "," in flags and "e" not in shown:
        whole, point, rest = shown.partition(".")
        shown = f"{int(whole):,}{point}{rest}"
    return _signed(shown, flags, is_negative=negative)


def _half_up(number: float, precision: int) -> str:
    """Java rounds the shortest decimal form half up; Python would round the binary value half to even."""
    context = Context(prec=800, rounding=ROUND_HALF_UP)
    digits, point = digits_of(number) if number else ("0", 1)
    return format(Decimal(f"0.{digits}").scaleb(point).quantize(Decimal(1).scaleb(-precision), context=context), "f")


def _scientific(conversion: str, number: float, precision: int) -> str:
    if conversion == "g":
        precision = max(precision, 1)
        exponent = int(_exponential(number, precision - 1).partition("e")[2]) if number else 0
        if -4 <= exponent < precision:
            return _half_up(number, precision - exponent - 1)
        precision -= 1
    return _exponential(number, precision)


def _exponential(number: float, precision: int) -> str:
    """As `_half_up`, with one digit before the point and an exponent of at least two digits."""
    if number == 0:
        return f"{0:.{precision}e}"
    digits, point = digits_of(number)
    rounded = (
        Decimal(f"0.{digits}")
        .scaleb(1)
        .quantize(Decimal(1).scaleb(-precision), context=Context(prec=800, rounding=ROUND_HALF_UP))
    )
    if rounded >= 10:
        rounded, point = rounded / 10, point + 1
        rounded = rounded.quantize(Decimal(1).scaleb(-precision), context=Context(prec=800))
    return f"{rounded:f}e{'-' if point < 1 else '+'}{abs(point - 1):02d}"


def _moment(value: Value) -> tuple[datetime, int]:
    """(UTC time, nanoseconds of the second)."""
    match value:
        case Date():
            return clock_text.moment(value.milliseconds // 1000), value.milliseconds % 1000 * 1_000_000
        case int() if is_number(value) and type_name(value) == "Long":
            return clock_text.moment(value // 1000), value % 1000 * 1_000_000
        case Instant():
            return clock_text.moment(value.second), value.nanosecond
        case LocalDateTime():
            return value.at, value.nanosecond
        case LocalDate():
            return datetime(value.day.year, value.day.month, value.day.day), 0  # noqa: DTZ001 - a day has no zone
    raise _bad(f"%t can't take a value of type {type_name(value)}")


_FIELDS: dict[type, frozenset[str]] = {
    LocalDate: frozenset("YyCmdejBbhAaDF"),
    LocalDateTime: _TIMES - frozenset("zZsQc"),
    Instant: frozenset("LNsQ"),
}


def _time(conversion: str, value: Value) -> str:
    if conversion not in _FIELDS.get(type(value), _TIMES):
        raise _bad(f"%t{conversion} can't take a value of type {type_name(value)}")
    at, nanosecond = _moment(value)
    millisecond = nanosecond // 1_000_000
    day, month = clock_text.DAYS[at.weekday()].title(), clock_text.MONTHS[at.month - 1]
    clock = f"{at.hour:02d}:{at.minute:02d}"
    half = "am" if at.hour < 12 else "pm"
    twelve = at.hour % 12 or 12
    second = clock_text.epoch_second(at.replace(tzinfo=None))
    forms = {
        "Y": f"{at.year:04d}",
        "y": f"{at.year % 100:02d}",
        "C": f"{at.year // 100:02d}",
        "m": f"{at.month:02d}",
        "d": f"{at.day:02d}",
        "e": str(at.day),
        "j": f"{at.timetuple().tm_yday:03d}",
        "B": month,
        "b": month[:3],
        "h": month[:3],
        "A": day,
        "a": day[:3],
        "H": f"{at.hour:02d}",
        "k": str(at.hour),
        "I": f"{twelve:02d}",
        "l": str(twelve),
        "M": f"{at.minute:02d}",
        "S": f"{at.second:02d}",
        "L": f"{millisecond:03d}",
        "N": f"{nanosecond:09d}",
        "p": half,
        "z": "+0000",
        "Z": "UTC",
        "s": str(second + (second < 0 and millisecond > 0)),
        "Q": str(second * 1000 + millisecond),
        "R": clock,
        "T": f"{clock}:{at.second:02d}",
        "r": f"{twelve:02d}:{at.minute:02d}:{at.second:02d} {half.upper()}",
        "D": f"{at.month:02d}/{at.day:02d}/{at.year % 100:02d}",
        "F": f"{at.year:04d}-{at.month:02d}-{at.day:02d}",
        "c": f"{day[:3]} {month[:3]} {at.day:02d} {clock}:{at.second:02d} UTC {at.year:04d}",
    }
    return forms[conversion]
