"""Texts of numbers as Java 17 reads and prints them: `1.0E10`, `5.0`, `2.14748365E9`.

Java before 19 doesn't always find the shortest digits that give the number back, and Spinnaker runs on 17. What it
finds is visible in texts and, of 32-bit numbers, in JSON, so its way is taken here: digits are developed one by one
from exact fractions and stop at half a unit in the last place (Steele and White's algorithm with Java's shortcuts).
"""

import math
import re
import struct

from gennaker.expressions.failures import ExpressionError, Kind

_DOUBLE_BITS, _FLOAT_BITS = 53, 24
BLANKS = "".join(map(chr, range(33)))
"""What Java's trim takes off."""


def single(value: float) -> float:
    """The nearest 32-bit float of a number, as a double; infinite where it is too large."""
    try:
        rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return rounded


def double_text(value: float) -> str:
    """Java's Double.toString."""
    return _real_text(value, _DOUBLE_BITS)


def float_text(value: float) -> str:
    """Java's Float.toString of a 32-bit number held as a double."""
    return _real_text(value, _FLOAT_BITS)


def parse_whole(given: str, what: str, kind: Kind = Kind.JAVA_EXCEPTION, radix: int = 10) -> int:
    """Java's reading of whole numbers: an optional sign and digits, no spaces, no underscores."""
    digits = given[1:] if given[:1] in ("+", "-") else given
    is_prefixed = digits[:2].lower() in ("0x", "0b", "0o")  # which Python reads where the radix is that of the prefix
    if not digits or len(digits) > 400 or is_prefixed or not digits.isalnum():
        raise ExpressionError(kind, f"{given[:60]!r} isn't a whole number ({what}).")
    try:
        return int(given, radix)
    except ValueError as cause:
        raise ExpressionError(kind, f"{given[:60]!r} isn't a whole number ({what}).") from cause


def parse_real(given: str, kind: Kind = Kind.JAVA_EXCEPTION) -> float:
    """Java's reading of real numbers: surrounding spaces and the suffixes d and f are allowed."""
    word = given.strip(BLANKS)
    if word in ("NaN", "+NaN", "-NaN"):
        return math.nan
    if word.lstrip("+-") == "Infinity" and len(word) <= 9:
        return -math.inf if word[0] == "-" else math.inf
    if word[-1:] in ("d", "D", "f", "F"):
        word = word[:-1]
    if re.fullmatch(r"[+-]?0[xX][0-9a-fA-F]*\.?[0-9a-fA-F]*[pP][+-]?[0-9]+", word):
        return _hexadecimal(word, given, kind)
    if (
        not word.isascii()
        or not word
        or len(word) > 400
        or "_" in word
        or not (word[-1].isdigit() or word[-1] == ".")
        or "n" in word.lower()
    ):
        raise ExpressionError(kind, f"{given[:60]!r} isn't a number.")
    try:
        return float(word)
    except ValueError as cause:
        raise ExpressionError(kind, f"{given[:60]!r} isn't a number.") from cause


def _hexadecimal(word: str, given: str, kind: Kind) -> float:
    try:
        return float.fromhex(word)
    except OverflowError:
        return -math.inf if word[0] == "-" else math.inf
    except ValueError as cause:
        raise ExpressionError(kind, f"{given[:60]!r} isn't a number.") from cause


def digits_of(value: float, *, is_single: bool = False) -> tuple[str, int]:
    """The decimal digits of a finite positive number and the position of its point: 0.00123 is ("123", -2)."""
    return _digits(value, _FLOAT_BITS if is_single else _DOUBLE_BITS)


def _real_text(value: float, bits: int) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    sign = "-" if math.copysign(1, value) < 0 else ""
    if value == 0:
        return f"{sign}0.0"
    digits, point = _digits(abs(value), bits)
    if 0 < point < 8:
        padded = digits.ljust(point, "0")
        return f"{sign}{padded[:point]}.{padded[point:] or '0'}"
    if -3 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{point - 1}"


def _digits(value: float, bits: int) -> tuple[str, int]:
    short = _few_digits(value)
    if short is not None:
        return short
    fraction, exponent = math.frexp(value)  # value = fraction * 2^exponent, fraction in [0.5, 1)
    binary = exponent - 1
    mantissa = int(fraction * (1 << 53))
    smallest = -1022 if bits == _DOUBLE_BITS else -126
    significant = bits if binary >= smallest else bits - (smallest - binary)
    width = mantissa.bit_length() - _trailing_zeros(mantissa)
    mantissa >>= _trailing_zeros(mantissa)
    tiny = max(0, width - binary - 1)
    if tiny == 0 and -21 <= binary <= 62:
        return _whole_digits(int(value), binary - significant - 1 if binary > significant else 0)
    return _developed(mantissa, width, binary, significant)


def _few_digits(value: float) -> tuple[str, int] | None:
    """Of a number with few digits, which all ways agree on, and which is most numbers."""
    if not 1e-3 <= value < 1e7:
        return None
    shown = repr(value)
    if len(shown) > 8 or "e" in shown:
        return None
    whole, _, rest = shown.partition(".")
    digits = (whole + rest).lstrip("0")
    point = len(whole) - (len(whole + rest) - len(digits))
    return digits.rstrip("0") or "0", point


def _trailing_zeros(number: int) -> int:
    return (number & -number).bit_length() - 1


def _whole_digits(number: int, insignificant_bits: int) -> tuple[str, int]:
    """Of a whole number; digits beyond the precision are rounded away."""
    dropped = int((insignificant_bits) * math.log10(2)) if insignificant_bits > 1 else 0
    if dropped:
        number, rest = divmod(number, 10**dropped)
        number += rest >= 10**dropped >> 1
    digits = str(number)
    return digits.rstrip("0"), len(digits) + dropped


def _developed(mantissa: int, width: int, binary: int, significant: int) -> tuple[str, int]:
    """Digit by digit: the number is B/S * 10^decimal; it stops where the rest is within half a unit (M/S)."""
    decimal = _estimate(mantissa, width, binary)
    tiny = max(0, width - binary - 1)
    fives = max(0, -decimal)
    twos = fives + tiny + binary - (width - 1)
    divisor_twos = max(0, decimal) + tiny
    margin_twos = fives + tiny + binary - significant
    common = min(twos, divisor_twos)
    twos, divisor_twos, margin_twos = twos - common, divisor_twos - common, margin_twos - common
    margin_twos -= width == 1
    if margin_twos < 0:
        twos, divisor_twos, margin_twos = twos - margin_twos, divisor_twos - margin_twos, 0
    number = (mantissa * 5**fives) << twos
    divisor = 5 ** max(0, decimal) << divisor_twos
    margin = 5**fives << margin_twos
    return _stepped(number, divisor, margin, decimal)


def _stepped(number: int, divisor: int, margin: int, decimal: int) -> tuple[str, int]:
    digits: list[int] = []
    ten = divisor * 10
    quotient, rest = divmod(number, divisor)
    rest, margin = rest * 10, margin * 10
    low, high = rest < margin, rest + margin > ten
    if quotient == 0 and not high:
        decimal -= 1
    else:
        digits.append(quotient)
    if decimal < -3 or decimal >= 8:
        low = high = False  # the form with an exponent always has a digit after its point
    while not low and not high:
        quotient, rest = divmod(rest, divisor)
        rest, margin = rest * 10, margin * 10
        low, high = rest < margin, rest + margin > ten
        digits.append(quotient)
    if high and (not low or 2 * rest > ten or (2 * rest == ten and digits[-1] % 2 == 1)):
        decimal += _round_up(digits)
    return "".join(map(str, digits)).rstrip("0") or "0", decimal + 1


def _round_up(digits: list[int]) -> int:
    """Adds one to the last digit; 1 where that made a digit more."""
    index = len(digits) - 1
    while digits[index] == 9:
        digits[index] = 0
        if index == 0:
            digits[0] = 1
            return 1
        index -= 1
    digits[index] += 1
    return 0


def _estimate(mantissa: int, width: int, binary: int) -> int:
    """The power of ten, or one more."""
    fraction = math.ldexp(mantissa, 1 - width)  # in [1, 2)
    return math.floor((fraction - 1.5) * 0.289529654 + 0.176091259 + binary * 0.301029995663981)
