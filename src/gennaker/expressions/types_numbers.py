"""Static methods of Integer, Long and Math."""

import math
from collections.abc import Callable

from gennaker.expressions.conversions import parse_whole
from gennaker.expressions.methods import Table, table
from gennaker.expressions.methods_time import bad
from gennaker.expressions.operators import compare, real_power, wrap
from gennaker.expressions.values import INT_MAX, Long, Value


def _exact(result: int, bits: int) -> int:
    if wrap(result, bits) != result:
        raise bad("The number is too large.")
    return result


def whole(text: str | None, bits: int, radix: int = 10) -> int:
    """A whole number from text, as Java's parse methods read it. Raises JAVA_EXCEPTION."""
    if not 2 <= radix <= 36:
        raise bad(f"There are no numbers to the base {radix}.")
    number = parse_whole(text or "", "parse", radix=radix)
    if wrap(number, bits) != number:
        raise bad(f"The number {(text or '')[:40]} is too large.")
    return number


def _unsigned(base: str, bits: int) -> Callable[[int], str]:
    return lambda number: format(number & ((1 << bits) - 1), base)


def _to_base(number: int, radix: int) -> str:
    base = radix if 2 <= radix <= 36 else 10
    digits = ""
    rest = abs(number)
    while rest:
        rest, digit = divmod(rest, base)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return ("-" if number < 0 else "") + (digits or "0")


def _sign(number: int | float) -> int:
    return (number > 0) - (number < 0)


def whole_statics(kind: str, bits: int, of: Callable[[int], Value]) -> Table:
    """The static methods of Integer or Long."""
    box = {"int": "Integer", "long": "Long"}[kind]
    short = "Int" if kind == "int" else "Long"
    return table(
        {
            f"parse{short}(String)": lambda text: of(whole(text, bits)),
            f"parse{short}(String,int)": lambda text, radix: of(whole(text, bits, radix)),
            "valueOf(String)": lambda text: of(whole(text, bits)),
            "valueOf(String,int)": lambda text, radix: of(whole(text, bits, radix)),
            f"valueOf({kind})": of,
            f"toString({kind})": str,
            f"toString({kind},int)": _to_base,
            f"toHexString({kind})": _unsigned("x", bits),
            f"toOctalString({kind})": _unsigned("o", bits),
            f"toBinaryString({kind})": _unsigned("b", bits),
            f"compare({kind},{kind})": compare,
            f"max({kind},{kind})": lambda left, right: of(max(left, right)),
            f"min({kind},{kind})": lambda left, right: of(min(left, right)),
            f"sum({kind},{kind})": lambda left, right: of(wrap(left + right, bits)),
            f"signum({kind})": _sign,
            f"bitCount({kind})": lambda number: (number & ((1 << bits) - 1)).bit_count(),
            f"hashCode({kind})": lambda number: wrap(number ^ (number >> 32), 32) if bits == 64 else number,
            "decode(String)": lambda text: of(whole(*_decoded(text or "", bits))),
        },
        blocked=f"get{box}",
    )


def _decoded(text: str, bits: int) -> tuple[str, int, int]:
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text.removeprefix("+"))
    for prefix, radix in (("0x", 16), ("0X", 16), ("#", 16)):
        if digits.startswith(prefix):
            return sign + digits.removeprefix(prefix), bits, radix
    return sign + digits, bits, 8 if digits.startswith("0") and len(digits) > 1 else 10


def _number_kinds(name: str, code: Callable[[str, int | float, int | float], Value]) -> dict[str, Callable[..., Value]]:
    return {
        f"{name}({kind},{kind})": (lambda left, right, kind=kind: code(kind, left, right))
        for kind in ("int", "long", "float", "double")
    }


def _typed(kind: str, number: int | float) -> Value:
    return Long(number) if kind == "long" else number


def _extreme(kind: str, left: int | float, right: int | float, pick: Callable[..., int | float]) -> Value:
    if math.isnan(left) or math.isnan(right):
        return math.nan
    return _typed(kind, pick(left, right))


def _absolute(kind: str) -> Callable[[int | float], Value]:
    if kind in ("int", "long"):
        return lambda number: _typed(kind, wrap(abs(int(number)), 32 if kind == "int" else 64))
    return math.fabs


def _round(number: float) -> Long:
    if math.isnan(number):
        return Long(0)
    if math.isinf(number):
        return Long(2**63 - 1 if number > 0 else -(2**63))
    return Long(max(min(math.floor(number + 0.5), 2**63 - 1), -(2**63)))


def _real(code: Callable[[float], float]) -> Callable[[float], float]:
    """A function of real numbers that gives NaN or infinity where Python's would raise."""

    def total(number: float) -> float:
        try:
            return float(code(number)) if math.isfinite(number) else _limit(code, number)
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    return total


def _limit(code: Callable[[float], float], number: float) -> float:
    return number if math.isnan(number) or code in (math.floor, math.ceil, round) else float(code(number))


def _logarithm(code: Callable[[float], float]) -> Callable[[float], float]:
    return lambda number: -math.inf if number == 0 else _real(code)(number)


def _floor_quotient(left: int, right: int) -> int:
    if right == 0:
        raise bad("A whole number can't be divided by zero.")
    return left // right


def _exactly(name: str, code: Callable[[int, int], int]) -> dict[str, Callable[..., Value]]:
    return {
        f"{name}(int,int)": lambda left, right: _exact(code(left, right), 32),
        f"{name}(long,long)": lambda left, right: Long(_exact(code(left, right), 64)),
    }


MATH: Table = table(
    {
        **_number_kinds("max", lambda kind, left, right: _extreme(kind, left, right, max)),
        **_number_kinds("min", lambda kind, left, right: _extreme(kind, left, right, min)),
        **{f"abs({kind})": _absolute(kind) for kind in ("int", "long", "float", "double")},
        "round(float)": lambda number: _round(number) if abs(number) > INT_MAX else int(_round(number)),
        "round(double)": _round,
        "floor(double)": _real(math.floor),
        "ceil(double)": _real(lambda number: math.copysign(math.ceil(number), number)),
        "rint(double)": _real(round),
        "sqrt(double)": _real(math.sqrt),
        "cbrt(double)": _real(math.cbrt),
        "exp(double)": _real(math.exp),
        "log(double)": _logarithm(math.log),
        "log10(double)": _logarithm(math.log10),
        "sin(double)": _real(math.sin),
        "cos(double)": _real(math.cos),
        "tan(double)": _real(math.tan),
        "asin(double)": _real(math.asin),
        "acos(double)": _real(math.acos),
        "atan(double)": _real(math.atan),
        "atan2(double,double)": math.atan2,
        "hypot(double,double)": math.hypot,
        "toRadians(double)": math.radians,
        "toDegrees(double)": math.degrees,
        "pow(double,double)": real_power,
        "signum(double)": lambda number: number if number == 0 or math.isnan(number) else math.copysign(1.0, number),
        "floorDiv(int,int)": lambda left, right: wrap(_floor_quotient(left, right), 32),
        "floorDiv(long,long)": lambda left, right: Long(wrap(_floor_quotient(left, right), 64)),
        "floorMod(int,int)": lambda left, right: left - right * _floor_quotient(left, right),
        "floorMod(long,long)": lambda left, right: Long(left - right * _floor_quotient(left, right)),
        "toIntExact(long)": lambda number: _exact(int(number), 32),
        **_exactly("addExact", lambda left, right: left + right),
        **_exactly("subtractExact", lambda left, right: left - right),
        **_exactly("multiplyExact", lambda left, right: left * right),
        "negateExact(int)": lambda number: _exact(-number, 32),
        "incrementExact(int)": lambda number: _exact(number + 1, 32),
        "decrementExact(int)": lambda number: _exact(number - 1, 32),
        "random()": lambda world: world.bits() / 2**128,
    }
)
