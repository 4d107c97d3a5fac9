"""Java's random numbers: `java.util.Random` with its `nextGaussian`, so that seeded noise equals Kayenta's.

The generator is the 48-bit linear congruential one that Java's documentation fixes bit by bit; Gaussian numbers come
in pairs by Marsaglia's polar method. Java takes the logarithm from StrictMath, which is fdlibm's by contract and can
differ from the C library's in the last bit; so it is computed here as fdlibm does.
"""

import math

_MULTIPLIER = 0x5DEECE66D
_MASK = (1 << 48) - 1

# fdlibm e_log.c: ln 2 split in two, and the coefficients of its minimax polynomial for log(1+f) in s = f/(2+f).
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_EVEN = (3.999999999940941908e-01, 2.222219843214978396e-01, 1.531383769920937332e-01)
_ODD = (6.666666666666735130e-01, 2.857142874366239149e-01, 1.818357216161805012e-01, 1.479819860511658591e-01)


class JavaRandom:
    """A generator of the numbers that `new java.util.Random(seed)` gives, in their order."""

    def __init__(self, seed: int) -> None:
        """Any integer; as in Java only its lowest 48 bits count."""
        self._state = (seed ^ _MULTIPLIER) & _MASK
        self._spare: float | None = None

    def next_double(self) -> float:
        """The next number in [0, 1), uniform."""
        return ((self._bits(26) << 27) + self._bits(27)) * 2.0**-53

    def next_gaussian(self) -> float:
        """The next number of mean 0 and standard deviation 1, normal."""
        if self._spare is not None:
            spare, self._spare = self._spare, None
            return spare
        while True:
            first = 2 * self.next_double() - 1
            second = 2 * self.next_double() - 1
            square = first * first + second * second
            if 0 < square < 1:
                multiplier = math.sqrt(-2 * strict_log(square) / square)
                self._spare = second * multiplier
                return first * multiplier

    def _bits(self, count: int) -> int:
        self._state = (self._state * _MULTIPLIER + 0xB) & _MASK
        return self._state >> (48 - count)


def strict_log(value: float) -> float:
    """The natural logarithm of a positive, finite, normal double, with fdlibm's last bit."""
    fraction, exponent = math.frexp(value)
    # fdlibm brings the mantissa into [sqrt(1/2), sqrt(2)) by its upper 20 bits; frexp gives [1/2, 1).
    mantissa = int(fraction * 2**53)
    upper = (mantissa >> 32) & 0xFFFFF
    exponent -= 1
    raised = (upper + 0x95F64) & 0x100000
    exponent += raised >> 20
    f = math.ldexp(fraction, 0 if raised else 1) - 1.0
    return _log_near_one(f, exponent, upper)


def _log_near_one(f: float, exponent: int, upper: int) -> float:
    k = float(exponent)
    if (0xFFFFF & (2 + upper)) < 3:  # |f| below 2**-20: the short series is exact enough
        if f == 0.0:
            return k * _LN2_HIGH + k * _LN2_LOW
        rest = f * f * (0.5 - 0.33333333333333333 * f)
        return f - rest if exponent == 0 else k * _LN2_HIGH - ((rest - k * _LN2_LOW) - f)
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    rest = z * (_ODD[0] + w * (_ODD[1] + w * (_ODD[2] + w * _ODD[3]))) + w * (_EVEN[0] + w * (_EVEN[1] + w * _EVEN[2]))
    if ((upper - 0x6147A) | (0x6B851 - upper)) > 0:
        half_square = 0.5 * f * f
        if exponent == 0:
            return f - (half_square - s * (half_square + rest))
        return k * _LN2_HIGH - ((half_square - (s * (half_square + rest) + k * _LN2_LOW)) - f)
    if exponent == 0:
        return f - s * (f - rest)
    return k * _LN2_HIGH - ((s * (f - rest) - k * _LN2_LOW) - f)
