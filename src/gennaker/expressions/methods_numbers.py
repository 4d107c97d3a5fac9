"""Methods of numbers, booleans and characters, their static ones too: Spring also finds those on values."""

import math
import struct
from collections.abc import Callable

from gennaker.expressions.conversions import as_double, java_text
from gennaker.expressions.failures import ExpressionError, Kind, bad
from gennaker.expressions.hashing import java_hash
from gennaker.expressions.methods import Table, merged, statics, table
from gennaker.expressions.methods_characters import CHARACTER
from gennaker.expressions.methods_collections import OBJECT
from gennaker.expressions.number_text import parse_real, parse_whole, single
from gennaker.expressions.operators import MAX_BITS, compare, wrap
from gennaker.expressions.values import Array, Byte, Float, Long, Short, Value

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def whole(text: str | None, bits: int, radix: int = 10) -> int:
    """A whole number from text, as Java's parse methods read it. Raises JAVA_EXCEPTION."""
    if not 2 <= radix <= 36:
        raise bad(f"There are no numbers to the base {radix}.")
    number = parse_whole(text or "", "parse", radix=radix)
    if wrap(number, bits) != number:
        raise bad(f"The number {(text or '')[:40]} is too large.")
    return number


def _unsigned_whole(text: str | None, bits: int, radix: int = 10) -> int:
    if (text or "").startswith("-") or not 2 <= radix <= 36:
        raise bad(f"{(text or '')[:40]!r} isn't an unsigned number.")
    number = parse_whole(text or "", "parse", radix=radix)
    if number >= 1 << bits:
        raise bad(f"The number {(text or '')[:40]} is too large.")
    return wrap(number, bits)


def real(text: str | None) -> float:
    """A real number from text, as Java's parse methods read it. Raises JAVA_EXCEPTION."""
    if text is None:
        raise bad("The text of the number is null.")
    return parse_real(text)


def to_base(number: int, radix: int) -> str:
    """Integer.toString(number, radix)."""
    base = radix if 2 <= radix <= 36 else 10
    digits = ""
    rest = abs(number)
    while rest:
        rest, digit = divmod(rest, base)
        digits = _DIGITS[digit] + digits
    return ("-" if number < 0 else "") + (digits or "0")


def _decoded(text: str | None, bits: int) -> int:
    given = text or ""
    sign, digits = ("-", given[1:]) if given.startswith("-") else ("", given.removeprefix("+"))
    radix = 8 if digits.startswith("0") and len(digits) > 1 else 10
    for prefix in ("0x", "0X", "#"):
        if digits.startswith(prefix):
            digits, radix = digits.removeprefix(prefix), 16
    if digits[:1] in ("+", "-"):
        raise bad(f"{given[:40]!r} isn't a whole number.")
    return whole(sign + digits, bits, radix)


def _quotient(left: int, right: int) -> int:
    if right == 0:
        raise bad("A whole number can't be divided by zero.")
    return left // right


def _remainder(left: int, right: int) -> int:
    return left - right * _quotient(left, right)


def _leading_zeros(number: int, bits: int) -> int:
    return bits - number.bit_length()


def _trailing_zeros(number: int, bits: int) -> int:
    return (number & -number).bit_length() - 1 if number else bits


def _rotated(number: int, distance: int, bits: int) -> int:
    shift = distance % bits
    return (number << shift | number >> (bits - shift)) & ((1 << bits) - 1)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def _bit_statics(kind: str, bits: int, of: Callable[[int], Value]) -> dict[str, Callable[..., Value]]:
    """Those that look at the number's bits."""
    mask = (1 << bits) - 1

    def signed(number: int) -> Value:
        return of(wrap(number, bits))

    return {
        f"toHexString({kind})": lambda number: format(number & mask, "x"),
        f"toOctalString({kind})": lambda number: format(number & mask, "o"),
        f"toBinaryString({kind})": lambda number: format(number & mask, "b"),
        f"toUnsignedString({kind})": lambda number: str(number & mask),
        f"toUnsignedString({kind},int)": lambda number, radix: to_base(number & mask, radix),
        f"compareUnsigned({kind},{kind})": lambda left, right: _sign((left & mask) - (right & mask)),
        f"divideUnsigned({kind},{kind})": lambda left, right: signed(_quotient(left & mask, right & mask)),
        f"remainderUnsigned({kind},{kind})": lambda left, right: signed(_remainder(left & mask, right & mask)),
        f"bitCount({kind})": lambda number: (number & mask).bit_count(),
        f"highestOneBit({kind})": lambda number: signed(1 << (number & mask).bit_length() - 1) if number else of(0),
        f"lowestOneBit({kind})": lambda number: signed(number & -number),
        f"numberOfLeadingZeros({kind})": lambda number: _leading_zeros(number & mask, bits),
        f"numberOfTrailingZeros({kind})": lambda number: _trailing_zeros(number & mask, bits),
        f"reverse({kind})": lambda number: signed(int(format(number & mask, f"0{bits}b")[::-1], 2)),
        f"reverseBytes({kind})": lambda number: signed(int.from_bytes((number & mask).to_bytes(bits // 8)[::-1])),
        f"rotateLeft({kind},int)": lambda number, count: signed(_rotated(number & mask, count, bits)),
        f"rotateRight({kind},int)": lambda number, count: signed(_rotated(number & mask, -count, bits)),
    }


def _whole_statics(kind: str, bits: int, of: Callable[[int], Value]) -> Table:
    """The static methods of Integer or Long."""
    box = {"int": "Integer", "long": "Long"}[kind]
    short = "Int" if kind == "int" else "Long"
    return statics(
        {
            f"parse{short}(String)": lambda text: of(whole(text, bits)),
            f"parse{short}(String,int)": lambda text, radix: of(whole(text, bits, radix)),
            f"parseUnsigned{short}(String)": lambda text: of(_unsigned_whole(text, bits)),
            f"parseUnsigned{short}(String,int)": lambda text, radix: of(_unsigned_whole(text, bits, radix)),
            "valueOf(String)": lambda text: of(whole(text, bits)),
            "valueOf(String,int)": lambda text, radix: of(whole(text, bits, radix)),
            f"valueOf({kind})": of,
            f"toString({kind})": str,
            f"toString({kind},int)": to_base,
            f"compare({kind},{kind})": compare,
            f"max({kind},{kind})": lambda left, right: of(max(left, right)),
            f"min({kind},{kind})": lambda left, right: of(min(left, right)),
            f"sum({kind},{kind})": lambda left, right: of(wrap(left + right, bits)),
            f"signum({kind})": _sign,
            f"hashCode({kind})": java_hash,
            "decode(String)": lambda text: of(_decoded(text, bits)),
            **_bit_statics(kind, bits, of),
            **({"toUnsignedLong(int)": lambda number: Long(number & 0xFFFFFFFF)} if kind == "int" else {}),
        },
        blocked=f"get{box}(String) get{box}(String,{kind}) get{box}(String,{box}) describeConstable()",
        others=f"parse{short}(CharSequence,int,int,int) parseUnsigned{short}(CharSequence,int,int,int)",
    )


def _small_statics(kind: str, bits: int, of: Callable[[int], Value]) -> Table:
    """The static methods of Byte and Short; a Short can't be returned, so those that make one are missing."""
    box = kind.title()
    makers: dict[str, Callable[..., Value]] = {
        "valueOf(String)": lambda text: of(whole(text, bits)),
        f"valueOf({kind})": of,
        "valueOf(String,int)": lambda text, radix: of(whole(text, bits, radix)),
        "decode(String)": lambda text: of(_decoded(text, bits)),
    }
    mask = (1 << bits) - 1
    return statics(
        {
            f"parse{box}(String)": lambda text: of(whole(text, bits)),
            f"parse{box}(String,int)": lambda text, radix: of(whole(text, bits, radix)),
            f"toString({kind})": lambda number: str(int(number)),
            f"compare({kind},{kind})": lambda left, right: int(left) - int(right),
            f"compareUnsigned({kind},{kind})": lambda left, right: (left & mask) - (right & mask),
            f"toUnsignedInt({kind})": lambda number: number & mask,
            f"toUnsignedLong({kind})": lambda number: Long(number & mask),
            f"hashCode({kind})": java_hash,
            **(makers if kind == "byte" else {}),
        },
        blocked="describeConstable()",
    )


def _extreme(left: float, right: float, pick: Callable[..., float]) -> float:
    if math.isnan(left) or math.isnan(right):
        return math.nan
    return float(pick(left, right))


def _order(left: float, right: float) -> int:
    """Double.compare: NaN is the largest, -0.0 is less than 0.0."""
    if left == right:
        return _sign(int(math.copysign(1, left)) - int(math.copysign(1, right)))
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) - math.isnan(right)
    return 1 if left > right else -1


def _real_statics(kind: str, of: Callable[[float], Value]) -> Table:
    """The static methods of Double or Float."""
    box = kind.title()
    makers: dict[str, Callable[..., Value]] = {"valueOf(String)": real, "valueOf(double)": lambda number: number}
    return statics(
        {
            f"parse{box}(String)": lambda text: of(real(text)),
            f"toString({kind})": lambda number: java_text(of(number)),
            f"isNaN({kind})": math.isnan,
            f"isInfinite({kind})": math.isinf,
            f"isFinite({kind})": math.isfinite,
            f"compare({kind},{kind})": _order,
            f"max({kind},{kind})": lambda left, right: of(_extreme(left, right, max)),
            f"min({kind},{kind})": lambda left, right: of(_extreme(left, right, min)),
            f"sum({kind},{kind})": lambda left, right: of(left + right),
            f"toHexString({kind})": lambda number: _hexadecimal(number, is_single=kind == "float"),
            f"hashCode({kind})": lambda number: java_hash(of(number)),
            **(makers if kind == "double" else {}),
            **(_DOUBLE_BITS if kind == "double" else _FLOAT_BITS),
        },
        blocked="describeConstable()",
    )


def _hexadecimal(number: float, *, is_single: bool) -> str:
    """Double.toHexString: `0x1.8p1`; numbers too small for the usual form begin with `0x0.`."""
    if not math.isfinite(number):
        return java_text(number)
    sign, shown = ("-", float.hex(number)[1:]) if math.copysign(1, number) < 0 else ("", float.hex(number))
    mantissa, _, power = shown.removeprefix("0x").partition("p")
    exponent, smallest = int(power), -126 if is_single else -1022
    if number and (exponent < smallest or mantissa.startswith("0")):
        bits = 24 if is_single else 52
        scaled = int(math.ldexp(abs(number), bits - smallest))
        digits = format(scaled, f"0{bits // 4}x").rstrip("0")
        return f"{sign}0x0.{digits}p{smallest}"
    whole_part, _, rest = mantissa.partition(".")
    return f"{sign}0x{whole_part}.{rest.rstrip('0') or '0'}p{exponent}"


def _double_bits(number: float) -> Long:
    return Long(struct.unpack("<q", struct.pack("<d", number))[0])


def _float_bits(number: float) -> int:
    return int(struct.unpack("<i", struct.pack("<f", number))[0])


_DOUBLE_BITS: dict[str, Callable[..., Value]] = {
    "doubleToLongBits(double)": _double_bits,
    "doubleToRawLongBits(double)": _double_bits,
    "longBitsToDouble(long)": lambda number: struct.unpack("<d", struct.pack("<q", number))[0],
}
_FLOAT_BITS: dict[str, Callable[..., Value]] = {
    "floatToIntBits(float)": _float_bits,
    "floatToRawIntBits(float)": _float_bits,
    "intBitsToFloat(int)": lambda number: Float(struct.unpack("<f", struct.pack("<i", number))[0]),
}


def _cut(value: int | float, bits: int) -> int:
    """A real number cut to a whole one that stays in range; a whole one wrapped."""
    if not isinstance(value, float):
        return wrap(int(value), bits)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    if math.isnan(value):
        return 0
    return int(max(min(value, high), low)) if math.isfinite(value) else (high if value > 0 else low)


def _narrow(value: int | float, bits: int) -> int:
    return wrap(_cut(value, 32), bits)


def _compared(value: Value, other: Value) -> int:
    if other is None:
        raise bad("A value can't be compared with null.")
    if isinstance(value, float) and isinstance(other, float):
        return _order(value, other)
    if isinstance(value, (Byte, Short)) and isinstance(other, int):
        return int(value) - int(other)
    order = compare(value, other)
    return (order > 0) - (order < 0)


_ANY = merged(
    table(
        {
            "intValue()": lambda value: _cut(value, 32),
            "longValue()": lambda value: Long(_cut(value, 64)),
            "shortValue()": lambda value: Short(_narrow(value, 16)),
            "byteValue()": lambda value: Byte(_narrow(value, 8)),
            "doubleValue()": as_double,
            "floatValue()": lambda value: Float.of(as_double(value)),
        },
        blocked="describeConstable()",
    ),
    OBJECT,
)
_REAL = table({"isNaN()": math.isnan, "isInfinite()": math.isinf})


def _exact(value: int, bits: int) -> int:
    if wrap(int(value), bits) != int(value):
        raise bad("The number is too large.")
    return int(value)


def _bit(value: int, index: int) -> bool:
    if index < 0:
        raise bad("A bit can't have a negative number.")
    return bool(int(value) >> min(index, MAX_BITS) & 1)


def _big_bytes(value: int) -> Array:
    number = int(value)
    length = (number if number >= 0 else ~number).bit_length() // 8 + 1
    return Array("byte", [Byte(wrap(byte, 8)) for byte in number.to_bytes(length, signed=True)])


_WITNESSES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
"""Enough for numbers below 3.3 * 10^24; of larger ones a mistake is as unlikely as in Java."""
_MAX_TESTED = 2_000
"""Bits of a number whose being prime is found out."""


def _is_probably_prime(value: int, certainty: int) -> bool:
    number = abs(int(value))
    if certainty <= 0 or number == 2:
        return True
    if number.bit_length() > _MAX_TESTED:
        raise ExpressionError(Kind.LIMIT, f"Only numbers of up to {_MAX_TESTED:,} bits are tested for being prime.")
    if number < 2 or any(number % prime == 0 for prime in _WITNESSES):
        return number in _WITNESSES
    twos = _trailing_zeros(number - 1, 0)
    return all(_passes(number, witness, twos) for witness in _WITNESSES)


def _passes(number: int, witness: int, twos: int) -> bool:
    """Miller and Rabin's test."""
    found = pow(witness, (number - 1) >> twos, number)
    if found in (1, number - 1):
        return True
    for _ in range(twos - 1):
        found = found * found % number
        if found == number - 1:
            return True
    return False


_BIG = table(
    {
        "bitLength()": lambda value: (int(value) if value >= 0 else ~int(value)).bit_length(),
        "bitCount()": lambda value: (int(value) if value >= 0 else ~int(value)).bit_count(),
        "signum()": _sign,
        "compareTo(BigInteger)": _compared,
        "toString(int)": lambda value, radix: to_base(int(value), radix),
        "intValueExact()": lambda value: _exact(value, 32),
        "longValueExact()": lambda value: Long(_exact(value, 64)),
        "shortValueExact()": lambda value: Short(_exact(value, 16)),
        "byteValueExact()": lambda value: Byte(_exact(value, 8)),
        "testBit(int)": _bit,
        "toByteArray()": _big_bytes,
        "isProbablePrime(int)": _is_probably_prime,
        "getLowestSetBit()": lambda value: _trailing_zeros(int(value), -1),
    },
    blocked="abs() negate() not() sqrt() nextProbablePrime() add(BigInteger) subtract(BigInteger) multiply(BigInteger)"
    " divide(BigInteger) remainder(BigInteger) mod(BigInteger) pow(int) min(BigInteger) max(BigInteger) gcd(BigInteger)",
)
_BOOLEAN = merged(
    table({"booleanValue()": lambda value: value, "compareTo(Boolean)": _compared}, blocked="describeConstable()"),
    OBJECT,
)
_BOOLEAN_STATICS = statics(
    {
        "parseBoolean(String)": lambda text: (text or "").lower() == "true",
        "valueOf(String)": lambda text: (text or "").lower() == "true",
        "valueOf(boolean)": lambda value: value,
        "toString(boolean)": java_text,
        "logicalAnd(boolean,boolean)": lambda left, right: left and right,
        "logicalOr(boolean,boolean)": lambda left, right: left or right,
        "logicalXor(boolean,boolean)": lambda left, right: left != right,
        "compare(boolean,boolean)": lambda left, right: left - right,
        "hashCode(boolean)": java_hash,
    },
    blocked="getBoolean(String)",
)


STATICS: dict[str, Table] = {
    "Integer": _whole_statics("int", 32, int),
    "Long": _whole_statics("long", 64, Long),
    "Byte": _small_statics("byte", 8, Byte),
    "Short": _small_statics("short", 16, Short),
    "Double": _real_statics("double", float),
    "Float": _real_statics("float", lambda number: Float(single(number))),
    "Boolean": _BOOLEAN_STATICS,
}
NUMBERS: dict[str, Table] = {
    **{
        name: merged(table({f"compareTo({name})": _compared}), STATICS[name], _ANY)
        for name in ("Integer", "Long", "Byte", "Short")
    },
    **{
        name: merged(table({f"compareTo({name})": _compared}), _REAL, STATICS[name], _ANY)
        for name in ("Double", "Float")
    },
    "BigInteger": merged(_BIG, _ANY),
    "Boolean": merged(_BOOLEAN, STATICS["Boolean"]),
    "Character": CHARACTER,
}
