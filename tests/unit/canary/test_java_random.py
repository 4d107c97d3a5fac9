"""Random numbers equal Java's, bit for bit. The expected ones were printed by OpenJDK 17."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennaker.canary.java_random import JavaRandom, strict_log

JAVA_GAUSSIANS_OF_42 = [
    1.1419053154730547,
    0.9194079489827879,
    -0.9498666368908959,
    -1.1069902863993377,
    0.2809776380727795,
    0.6846227956326554,
]
JAVA_DOUBLES_OF_MINUS_7 = [0.2691218093260761, 0.6731811902798038, 0.5214896372918163, 0.8518782305056931]
JAVA_LOGARITHMS = [
    (0.44339036056222936, -0.8133047218598086),
    (0.3352534577643591, -1.0928684428858895),
    (0.15670241626826587, -1.8534067100309022),
    (0.39607013191910034, -0.926163982602344),
    (0.8883378104369467, -0.1184031911715048),
    (0.669486393782621, -0.4012444370109399),
    (1.0, 0.0),
    (0.5, -0.6931471805599453),
    (1.4142135623730951, 0.3465735902799727),
    (1.0000001, 9.999999505838704e-08),
]


def test_gaussian_numbers_are_javas() -> None:
    chance = JavaRandom(42)

    assert [chance.next_gaussian() for _ in JAVA_GAUSSIANS_OF_42] == JAVA_GAUSSIANS_OF_42


def test_uniform_numbers_are_javas_also_for_a_negative_seed() -> None:
    chance = JavaRandom(-7)

    assert [chance.next_double() for _ in JAVA_DOUBLES_OF_MINUS_7] == JAVA_DOUBLES_OF_MINUS_7


# Chosen where the C library's logarithm differs from Java's, so that math.log would fail.
@pytest.mark.parametrize(("value", "logarithm"), JAVA_LOGARITHMS)
def test_the_logarithm_has_javas_last_bit(value: float, logarithm: float) -> None:
    assert strict_log(value) == logarithm


@given(value=st.floats(min_value=1e-300, max_value=1e300))
def test_the_logarithm_is_near_the_c_librarys(value: float) -> None:
    assert math.isclose(strict_log(value), math.log(value), rel_tol=4e-16, abs_tol=1e-300)
