"""Brent's root finder with the tolerance and the bookkeeping of R's `zeroin`, as Kayenta ports it.

The tolerance is *absolute*, 1e-4: the answer lies within about 5e-5 of the root (of the step, for the step function
that it is used on), and for samples whose whole range is below that an end point comes back at once. A finer or a
relative tolerance would be better mathematics and another judge. Arithmetic follows IEEE 754 all the way: division by
zero gives an infinity or NaN, never an exception.
"""

import math
from collections.abc import Callable

_TOLERANCE = 1e-4
_EPSILON = 2.220446049250313e-16
_SMALLEST = 5e-324
_ROUNDS = 1001


def root(function: Callable[[float], float], *, start: float, end: float, at_start: float, at_end: float) -> float:
    """A point between start and end where the function crosses zero; `at_…` are its values at the ends.

    Never signals that there is no crossing: whatever point was reached last is the answer.
    """
    previous, best, opposite = start, end, start
    at_previous, at_best, at_opposite = at_start, at_end, at_start
    if _is_zero(at_previous):
        return previous
    if _is_zero(at_best):
        return best
    for _ in range(_ROUNDS):
        last_step = best - previous
        if abs(at_opposite) < abs(at_best):
            previous, best, opposite = best, opposite, best
            at_previous, at_best, at_opposite = at_best, at_opposite, at_best
        tolerance = 2 * _EPSILON * abs(best) + _TOLERANCE / 2
        step = (opposite - best) / 2
        if abs(step) <= tolerance or _is_zero(at_best):
            return best
        if abs(last_step) >= tolerance and abs(at_previous) > abs(at_best):
            points = (previous, best, opposite, at_previous, at_best, at_opposite)
            step = _interpolated(*points, last_step=last_step, tolerance=tolerance, bisection=step)
        if abs(step) < tolerance:
            step = tolerance if step > 0 else -tolerance
        previous, at_previous = best, at_best
        best += step
        at_best = function(best)
        if (at_best > 0 and at_opposite > 0) or (at_best < 0 and at_opposite < 0):
            opposite, at_opposite = previous, at_previous
    return best


def _interpolated(
    a: float,
    b: float,
    c: float,
    fa: float,
    fb: float,
    fc: float,
    *,
    last_step: float,
    tolerance: float,
    bisection: float,
) -> float:
    width = c - b
    if a == c:
        ratio = _quotient(fb, fa)
        p = width * ratio
        q = 1 - ratio
    else:
        q = _quotient(fa, fc)
        first, second = _quotient(fb, fc), _quotient(fb, fa)
        p = second * (width * q * (q - first) - (b - a) * (first - 1))
        q = (q - 1) * (first - 1) * (second - 1)
    if p > 0:
        q = -q
    else:
        p = -p
    if p < 0.75 * width * q - abs(tolerance * q) / 2 and p < abs(last_step * q / 2):
        return _quotient(p, q)
    return bisection


def _is_zero(value: float) -> bool:
    return abs(value) <= _SMALLEST


def _quotient(dividend: float, divisor: float) -> float:
    if divisor != 0:
        return dividend / divisor
    if dividend == 0 or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1.0, divisor)
