"""The methods of java.util.Random: the same seed gives the same numbers as there."""

import math
from collections.abc import Callable

from gennaker.expressions.failures import bad
from gennaker.expressions.methods import Table, merged, table
from gennaker.expressions.methods_collections import OBJECT
from gennaker.expressions.number_text import single
from gennaker.expressions.operators import wrap
from gennaker.expressions.values import Float, Long, RandomSource

_MULTIPLIER, _STATE = 0x5DEECE66D, 2**48 - 1


def _next(source: RandomSource, bits: int) -> int:
    source.state = (source.state * _MULTIPLIER + 0xB) & _STATE
    return wrap(source.state >> (48 - bits), 32)


def _int(source: RandomSource) -> int:
    return _next(source, 32)


def _long(source: RandomSource) -> int:
    high = _next(source, 32)
    return wrap((high << 32) + _next(source, 32), 64)


def _double(source: RandomSource) -> float:
    high = _next(source, 26)
    return ((high << 27) + _next(source, 27)) / 2**53


def _float(source: RandomSource) -> float:
    return _next(source, 24) / 2**24


def _above_zero(bound: float) -> None:
    if not (bound > 0 and math.isfinite(bound)):
        raise bad("The bound must be positive.")


def _int_below(source: RandomSource, bound: int) -> int:
    _above_zero(bound)
    drawn = _next(source, 31)
    if bound & (bound - 1) == 0:
        return bound * drawn >> 31
    return _even(drawn, bound, 2**31, lambda: _next(source, 31))


def _even(drawn: int, bound: int, end: int, again: Callable[[], int]) -> int:
    """A number below the bound, all of them equally likely; `drawn` is one below `end`, a power of two."""
    while drawn - drawn % bound + bound > end:
        drawn = again()
    return drawn % bound


def _between(source: RandomSource, low: int, high: int, bits: int) -> int:
    if low >= high:
        raise bad("The bound must be above the origin.")
    draw = _int if bits == 32 else _long
    drawn, span = draw(source), high - low
    if span & (span - 1) == 0:
        return (drawn & (span - 1)) + low
    if span < 2 ** (bits - 1):
        return low + _even((drawn % 2**bits) >> 1, span, 2 ** (bits - 1), lambda: (draw(source) % 2**bits) >> 1)
    while not low <= drawn < high:
        drawn = draw(source)
    return drawn


def _long_below(source: RandomSource, bound: int) -> int:
    _above_zero(bound)
    return _between(source, 0, bound, 64)


def _real_between(source: RandomSource, low: float, high: float) -> float:
    if not (low < high and math.isfinite(high - low)):
        raise bad("The bound must be above the origin.")
    drawn = _double(source) * (high - low) + low
    return drawn if drawn < high else math.nextafter(high, -math.inf)


def _single_between(source: RandomSource, low: float, high: float) -> float:
    if not (low < high and math.isfinite(single(high - low))):
        raise bad("The bound must be above the origin.")
    drawn = single(single(_float(source) * single(high - low)) + low)
    return drawn if drawn < high else single(high - math.ulp(math.nextafter(high, -math.inf)) * 2**29)


def _normal(source: RandomSource) -> float:
    if source.spare is not None:
        given, source.spare = source.spare, None
        return given
    while True:
        first, second = 2 * _double(source) - 1, 2 * _double(source) - 1
        square = first * first + second * second
        if 0 < square < 1:
            break
    factor = math.sqrt(-2 * math.log(square) / square)
    source.spare = second * factor
    return first * factor


RANDOM: Table = merged(
    table(
        {
            "nextInt()": _int,
            "nextInt(int)": _int_below,
            "nextInt(int,int)": lambda source, low, high: _between(source, low, high, 32),
            "nextLong()": lambda source: Long(_long(source)),
            "nextLong(long)": lambda source, bound: Long(_long_below(source, bound)),
            "nextLong(long,long)": lambda source, low, high: Long(_between(source, low, high, 64)),
            "nextBoolean()": lambda source: _next(source, 1) != 0,
            "nextDouble()": _double,
            "nextDouble(double)": lambda source, bound: _real_between(source, 0.0, bound),
            "nextDouble(double,double)": _real_between,
            "nextFloat()": lambda source: Float(_float(source)),
            "nextFloat(float)": lambda source, bound: Float(_single_between(source, 0.0, bound)),
            "nextFloat(float,float)": lambda source, low, high: Float(_single_between(source, low, high)),
            "nextGaussian()": _normal,
        },
        blocked="ints() longs() doubles()",
        mutating="setSeed(long) nextBytes(byte[])",
        others="nextGaussian(double,double) nextExponential()",
    ),
    OBJECT,
)
