"""The static methods of java.lang.Math."""

import math
import struct
import sys
from collections.abc import Callable
from fractions import Fraction

from gennaker.expressions.failures import bad
from gennaker.expressions.methods import Table, statics
from gennaker.expressions.number_text import single
from gennaker.expressions.operators import real_power, wrap
from gennaker.expressions.values import Float, Long, Value


def _exact(result: int, bits: int) -> int:
    if wrap(result, bits) != result:
        raise bad("The number is too large.")
    return result


def _quotient(left: int, right: int) -> int:
    if right == 0:
        raise bad("A whole number can't be divided by zero.")
    return left // right


def _remainder(left: int, right: int) -> int:
    return left - right * _quotient(left, right)


def _typed(kind: str, number: int | float) -> Value:
    if kind == "long":
        return Long(number)
    return Float(single(number)) if kind == "float" else number


def _of_all_kinds(name: str, code: Callable[..., int | float]) -> dict[str, Callable[..., Value]]:
    return {
        f"{name}({kind},{kind})": (lambda left, right, kind=kind: _typed(kind, code(left, right)))
        for kind in ("int", "long", "float", "double")
    }


def _extreme(pick: Callable[..., int | float]) -> Callable[[int | float, int | float], int | float]:
    def chosen(left: int | float, right: int | float) -> int | float:
        if math.isnan(left) or math.isnan(right):
            return math.nan
        if left == right == 0 and isinstance(left, float):
            return math.copysign(0.0, pick(math.copysign(1, left), math.copysign(1, right)))
        return pick(left, right)

    return chosen


def _absolute(kind: str) -> Callable[[int | float], Value]:
    if kind in ("int", "long"):
        return lambda number: _typed(kind, wrap(abs(int(number)), 32 if kind == "int" else 64))
    return lambda number: _typed(kind, math.fabs(number))


def _round(number: float, bits: int) -> int:
    if math.isnan(number):
        return 0
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    if math.isinf(number):
        return high if number > 0 else low
    floor = math.floor(number)
    return max(min(floor + (number - floor >= 0.5), high), low)


def _real(code: Callable[[float], float]) -> Callable[[float], float]:
    """A function of real numbers that gives NaN or infinity where Python's would raise."""

    def total(number: float) -> float:
        try:
            return float(code(number))
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    return total


def _whole_part(code: Callable[[float], int]) -> Callable[[float], float]:
    return lambda number: math.copysign(float(code(number)), number) if math.isfinite(number) else number


def _logarithm(code: Callable[[float], float], zero: float = 0.0) -> Callable[[float], float]:
    return lambda number: -math.inf if number == zero else _real(code)(number)


def _sinh(number: float) -> float:
    return math.copysign(math.inf, number) if abs(number) >= 711 else math.sinh(number)


def _cube_root(number: float) -> float:
    """Of the numbers beside the library's the best: it may be one off, which Java's isn't."""
    found = math.cbrt(number)
    if not math.isfinite(found) or found == 0:
        return found
    near = (found, math.nextafter(found, math.inf), math.nextafter(found, -math.inf))
    return min(near, key=lambda each: abs(Fraction(each) ** 3 - Fraction(number)))


def _signum(number: float) -> float:
    return number if number == 0 or math.isnan(number) else math.copysign(1.0, number)


def _ieee_remainder(left: float, right: float) -> float:
    try:
        return math.remainder(left, right)
    except ValueError:
        return math.nan


def _exactly(name: str, code: Callable[[int, int], int]) -> dict[str, Callable[..., Value]]:
    return {
        f"{name}(int,int)": lambda left, right: _exact(code(left, right), 32),
        f"{name}(long,long)": lambda left, right: Long(_exact(code(left, right), 64)),
    }


def _exactly_one(name: str, code: Callable[[int], int]) -> dict[str, Callable[..., Value]]:
    return {
        f"{name}(int)": lambda number: _exact(code(number), 32),
        f"{name}(long)": lambda number: Long(_exact(code(number), 64)),
    }


def _scaled(number: float, power: int) -> float:
    try:
        return math.ldexp(number, max(min(power, 5000), -5000))
    except OverflowError:
        return math.copysign(math.inf, number)


def _exponent(number: float) -> int:
    if number == 0:
        return -1023
    return math.frexp(number)[1] - 1 if math.isfinite(number) else 1024


def _unit(number: float) -> float:
    return math.ulp(number) if math.isfinite(number) else abs(number)


def _single_after(number: float, goal: float) -> Float:
    """The 32-bit number next to a number, towards a goal."""
    if math.isnan(number) or math.isnan(goal) or number == goal:
        return Float(goal if number == goal else math.nan)
    if number == 0:
        return Float(math.copysign(2.0**-149, goal))
    if math.isinf(number):
        return Float(math.copysign((2 - 2.0**-23) * 2.0**127, number))
    (bits,) = struct.unpack("<i", struct.pack("<f", number))
    (moved,) = struct.unpack("<f", struct.pack("<i", bits + (1 if (goal > number) == (number > 0) else -1)))
    return Float(moved)


def _single_exponent(number: float) -> int:
    return max(_exponent(number), -127) if math.isfinite(number) else 128


def _single_unit(number: float) -> Float:
    if not math.isfinite(number):
        return Float(abs(number))
    return Float(2.0 ** max(_single_exponent(number) - 23, -149))


def _multiplied_and_added(one: float, two: float, added: float) -> float:
    """Rounded once."""
    if not all(map(math.isfinite, (one, two, added))) or 0 in (one, two):
        return one * two + added
    exact = Fraction(one) * Fraction(two) + Fraction(added)
    if exact == 0:
        return one * two + added
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


_WHOLE: dict[str, Callable[..., Value]] = {
    "floorDiv(int,int)": lambda left, right: wrap(_quotient(left, right), 32),
    "floorDiv(long,int)": lambda left, right: Long(wrap(_quotient(left, right), 64)),
    "floorDiv(long,long)": lambda left, right: Long(wrap(_quotient(left, right), 64)),
    "floorMod(int,int)": _remainder,
    "floorMod(long,int)": _remainder,
    "floorMod(long,long)": lambda left, right: Long(_remainder(left, right)),
    "toIntExact(long)": lambda number: _exact(int(number), 32),
    **_exactly("addExact", lambda left, right: left + right),
    **_exactly("subtractExact", lambda left, right: left - right),
    **_exactly("multiplyExact", lambda left, right: left * right),
    "multiplyExact(long,int)": lambda left, right: Long(_exact(left * right, 64)),
    "multiplyFull(int,int)": lambda left, right: Long(left * right),
    "multiplyHigh(long,long)": lambda left, right: Long(left * right >> 64),
    **_exactly_one("negateExact", lambda number: -number),
    **_exactly_one("incrementExact", lambda number: number + 1),
    **_exactly_one("decrementExact", lambda number: number - 1),
    **_exactly_one("absExact", abs),
}
_REAL: dict[str, Callable[..., Value]] = {
    "round(float)": lambda number: _round(number, 32),
    "round(double)": lambda number: Long(_round(number, 64)),
    "floor(double)": _whole_part(math.floor),
    "ceil(double)": _whole_part(math.ceil),
    "rint(double)": _whole_part(round),
    "sqrt(double)": _real(math.sqrt),
    "cbrt(double)": _cube_root,
    "exp(double)": _real(math.exp),
    "expm1(double)": _real(math.expm1),
    "log(double)": _logarithm(math.log),
    "log10(double)": _logarithm(math.log10),
    "log1p(double)": _logarithm(math.log1p, -1.0),
    "sin(double)": _real(math.sin),
    "cos(double)": _real(math.cos),
    "tan(double)": _real(math.tan),
    "asin(double)": _real(math.asin),
    "acos(double)": _real(math.acos),
    "atan(double)": _real(math.atan),
    "sinh(double)": _sinh,
    "cosh(double)": _real(math.cosh),
    "tanh(double)": math.tanh,
    "atan2(double,double)": math.atan2,
    "hypot(double,double)": math.hypot,
    "toRadians(double)": lambda number: number * 0.017453292519943295,
    "toDegrees(double)": lambda number: number * 57.29577951308232,
    "pow(double,double)": real_power,
    "signum(double)": _signum,
    "signum(float)": lambda number: Float(_signum(number)),
    "copySign(double,double)": math.copysign,
    "copySign(float,float)": lambda number, sign: Float(math.copysign(number, sign)),
    "IEEEremainder(double,double)": _ieee_remainder,
    "scalb(double,int)": _scaled,
    "scalb(float,int)": lambda number, power: Float(single(_scaled(number, power))),
    "getExponent(double)": _exponent,
    "getExponent(float)": _single_exponent,
    "ulp(double)": _unit,
    "ulp(float)": _single_unit,
    "nextUp(double)": lambda number: math.nextafter(number, math.inf),
    "nextUp(float)": lambda number: _single_after(number, math.inf),
    "nextDown(double)": lambda number: math.nextafter(number, -math.inf),
    "nextDown(float)": lambda number: _single_after(number, -math.inf),
    "nextAfter(double,double)": math.nextafter,
    "nextAfter(float,double)": _single_after,
    "fma(double,double,double)": _multiplied_and_added,
    "fma(float,float,float)": lambda one, two, added: Float.of(_multiplied_and_added(one, two, added)),
}

MATH: Table = statics(
    {
        **_of_all_kinds("max", _extreme(max)),
        **_of_all_kinds("min", _extreme(min)),
        **{f"abs({kind})": _absolute(kind) for kind in ("int", "long", "float", "double")},
        **_WHOLE,
        **_REAL,
        "@random()": lambda world: (world.bits() >> 75) / (1 << sys.float_info.mant_dig),
    },
)
