"""Operators on values: arithmetic with Java's number types, comparison and equality as SpEL has them."""

import math
from collections.abc import Callable
from operator import eq, ge, gt, le, lt, ne

from gennaker.expressions.conversions import as_double, has_text, java_text, text
from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.number_text import single
from gennaker.expressions.values import (
    INT_MAX,
    Array,
    BigInteger,
    Char,
    Date,
    Entry,
    EnumValue,
    Float,
    Group,
    Instant,
    LocalDate,
    LocalDateTime,
    Long,
    Status,
    Uuid,
    Value,
    equal,
    is_number,
    type_name,
)

MAX_CONCATENATION = 100_000
MAX_REPEATED = 256
MAX_BITS = 14_000
"""Of whole numbers of any size; more is refused: time grows with it, and Python writes at most 4,300 digits."""

Number = int | float


def wrap(value: int, bits: int) -> int:
    """The value in two's complement of a number of bits."""
    half = 1 << (bits - 1)
    return (value + half) % (1 << bits) - half


def binary(operator: str, left: Value, right: Value) -> Value:
    """`left operator right` for + - * / % ^."""
    if is_number(left) and is_number(right):
        assert isinstance(left, (int, float))
        assert isinstance(right, (int, float))
        return power(left, right) if operator == "^" else _numbers(operator, left, right)
    if operator == "+" and (isinstance(left, str) or isinstance(right, str)):
        return _concatenated(left, right)
    if isinstance(left, str) and type_name(right) == "Integer":
        assert isinstance(right, int)
        if operator == "-" and len(left) == 1:
            return chr((ord(left) - right) & 0xFFFF)
        if operator == "*":
            return _repeated(left, right)
    raise _unsupported(operator, left, right)


def _unsupported(operator: str, left: Value, right: Value) -> ExpressionError:
    message = f"The operator {operator} can't be used between {type_name(left)} and {type_name(right)}."
    if isinstance(left, str) or isinstance(right, str):
        message += " Make the text a number with #toInt or #toFloat."
    return ExpressionError(Kind.OPERATOR_UNSUPPORTED, message)


def _concatenated(left: Value, right: Value) -> str:
    made = _operand_text(left) + _operand_text(right)
    if len(made) > MAX_CONCATENATION:
        message = f"The joined text has {len(made):,} characters; {MAX_CONCATENATION:,} are allowed."
        raise ExpressionError(Kind.LIMIT, message)
    return made


def _operand_text(value: Value) -> str:
    kind = type(value)
    if kind is str or kind is int:
        return str(value)
    converted = text(value) if has_text(value) and not _is_of_entries(value) else None
    return java_text(value) if converted is None else converted


def _is_of_entries(value: Value) -> bool:
    """A set of a map's entries: its type says so, and entries can't be converted."""
    return isinstance(value, Group) and all(isinstance(item, Entry) for item in value.items) and bool(value.items)


def _repeated(value: str, count: int) -> str:
    if count < 0 or len(value) * count > MAX_REPEATED:
        raise ExpressionError(Kind.LIMIT, f"Text may be repeated by * up to {MAX_REPEATED} characters. Use .repeat(n).")
    return value * count


def _widest(left: Number, right: Number) -> str:
    kinds = {type_name(left), type_name(right)}
    for kind in ("Double", "Float", "BigInteger", "Long"):
        if kind in kinds:
            return kind
    return "Integer"


def _numbers(operator: str, left: Number, right: Number) -> Value:
    kind = _widest(left, right)
    if kind == "Double":
        return _reals(operator, as_double(left), as_double(right))
    if kind == "Float":
        return Float.of(_reals(operator, single(as_double(left)), single(as_double(right))))
    result = _WHOLE[operator](int(left), int(right))
    if kind == "Integer":
        return wrap(result, 32)
    if kind == "Long":
        return Long(wrap(result, 64))
    return _big(result)


def _big(value: int) -> BigInteger:
    if value.bit_length() > MAX_BITS:
        raise ExpressionError(Kind.LIMIT, f"The number has more than {MAX_BITS:,} bits.")
    return BigInteger(value)


def _quotient(left: int, right: int) -> int:
    if right == 0:
        raise ExpressionError(Kind.JAVA_EXCEPTION, "A whole number can't be divided by zero.")
    found = abs(left) // abs(right)
    return found if (left < 0) == (right < 0) else -found


_WHOLE: dict[str, Callable[[int, int], int]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": _quotient,
    "%": lambda left, right: left - _quotient(left, right) * right,
}


def _reals(operator: str, left: float, right: float) -> float:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return _real_quotient(left, right)
    if math.isinf(left) or right == 0 or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.fmod(left, right)


def _real_quotient(left: float, right: float) -> float:
    if right != 0:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1, right)


def power(left: Number, right: Number) -> Value:
    """`left ^ right`: real where one is, else cut to int or long by the size of the result."""
    kind = _widest(left, right)
    if type_name(left) == "BigInteger":
        exponent = wrap(int(right), 32) if isinstance(right, int) else cut(right, 32)
        if exponent < 0:
            raise ExpressionError(Kind.JAVA_EXCEPTION, "A large whole number can't have a negative exponent.")
        if int(left).bit_length() * exponent > MAX_BITS and abs(left) > 1:
            raise ExpressionError(Kind.LIMIT, f"The number would have more than {MAX_BITS:,} bits.")
        return _big(int(left) ** exponent)
    result = real_power(as_double(left), as_double(right))
    if kind == "Float":
        return real_power(single(as_double(left)), single(as_double(right)))
    if kind in ("Double", "Float"):
        return result
    whole = cut(result, 64)
    if result > INT_MAX or kind == "Long":
        return Long(whole)
    return max(whole, -(2**31))


def cut(value: float, bits: int) -> int:
    """A real number cut to a whole one that stays in range; NaN is 0."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    if math.isnan(value):
        return 0
    if math.isinf(value):
        return high if value > 0 else low
    return max(min(int(value), high), low)


def real_power(left: float, right: float) -> float:
    """Java's Math.pow: never fails."""
    if math.isnan(right) or (abs(left) == 1 and math.isinf(right)):
        return math.nan
    try:
        return math.pow(left, right)
    except OverflowError:
        is_negative = left < 0 and right == math.floor(right) and right % 2 == 1
        return -math.inf if is_negative else math.inf
    except ValueError:
        if left == 0:
            is_odd = right == math.floor(right) and right % 2 == 1
            return -math.inf if math.copysign(1, left) < 0 and is_odd else math.inf
        return math.nan


def negative(value: Value) -> Value:
    """`-value`."""
    match value:
        case bool():
            pass
        case Float():
            return Float(0.0 - value)  # not -value: Spring takes it from zero, so that there is no -0.0
        case float():
            return 0.0 - value
        case BigInteger():
            return BigInteger(-value)
        case int():
            kind = type_name(value)
            return (
                Long(wrap(-value, 64)) if kind == "Long" else _big(-value) if kind == "BigInteger" else wrap(-value, 32)
            )
    raise ExpressionError(
        Kind.OPERATOR_UNSUPPORTED, f"The sign - can't stand before a value of type {type_name(value)}."
    )


def positive(value: Value) -> Value:
    """`+value`."""
    if is_number(value):
        return value
    raise ExpressionError(
        Kind.OPERATOR_UNSUPPORTED, f"The sign + can't stand before a value of type {type_name(value)}."
    )


def is_equal(left: Value, right: Value) -> bool:
    """`left == right`: numbers by value, text-like by text, all else as Java's equals."""
    if type(left) is str and type(right) is str:
        return left == right
    if is_number(left) and is_number(right):
        return _order_numbers(left, right) == 0
    if isinstance(left, (str, Status)) and isinstance(right, (str, Status)):
        return java_text(left) == java_text(right)
    if isinstance(left, (EnumValue, Status)) and isinstance(right, (EnumValue, Status)):
        return compare(left, right) == 0
    return equal(left, right) or _equal_arrays(left, right)


def _equal_arrays(left: Value, right: Value) -> bool:
    return isinstance(left, Array) and isinstance(right, Array) and equal(left.items, right.items)


def _order_numbers(left: Value, right: Value) -> int | None:
    """-1, 0 or 1; None where one isn't a number at all (NaN)."""
    assert isinstance(left, (int, float))
    assert isinstance(right, (int, float))
    kind = _widest(left, right)
    if kind == "Float":
        left, right = Float.of(as_double(left)), Float.of(as_double(right))
    elif kind == "Double":
        left, right = as_double(left), as_double(right)
    if left == right:
        return 0
    return -1 if left < right else 1 if left > right else None


def compare(left: Value, right: Value) -> int:
    """Negative, 0 or positive. Null comes first. Raises NOT_COMPARABLE."""
    if left is None or right is None:
        return (left is not None) - (right is not None)
    if is_number(left) and is_number(right):
        order = _order_numbers(left, right)
        return int(left != left) - int(right != right) if order is None else order  # noqa: PLR0124 - NaN is the largest
    if isinstance(left, (str, Status)) and isinstance(right, (str, Status)):
        return compare_text(java_text(left), java_text(right))
    ours, theirs = _sortable(left), _sortable(right)
    if ours is None or type_name(left) != type_name(right):
        message = f"Values of type {type_name(left)} and {type_name(right)} can't be compared."
        if {type_name(left), type_name(right)} & {"String"}:
            message += " Make the text a number with #toInt or #toFloat."
        raise ExpressionError(Kind.NOT_COMPARABLE, message)
    assert theirs is not None
    return (ours > theirs) - (ours < theirs)


def compare_text(left: str, right: str) -> int:
    """Java's String.compareTo, by UTF-16 units."""
    if left == right:
        return 0
    ours, theirs = left.encode("utf-16-be", "surrogatepass"), right.encode("utf-16-be", "surrogatepass")
    index = _common(ours, theirs) // 2 * 2
    if index >= min(len(ours), len(theirs)):
        return (len(ours) - len(theirs)) // 2
    return int.from_bytes(ours[index : index + 2]) - int.from_bytes(theirs[index : index + 2])


def _common(left: bytes, right: bytes) -> int:
    """The length of what both begin with."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if left[low:middle] == right[low:middle] else (low, middle - 1)
    return low


def _sortable(value: Value) -> tuple[float, ...] | None:
    match value:
        case bool():
            return (int(value),)
        case LocalDate():
            return (value.day.toordinal(),)
        case LocalDateTime():
            at = value.at
            return (at.toordinal(), at.hour, at.minute, at.second, value.nanosecond)
        case Instant():
            return (value.second, value.nanosecond)
        case Date():
            return (value.milliseconds,)
        case EnumValue():
            return (value.ordinal,)
        case Char():
            return (ord(value.text),)
        case Uuid():
            return (wrap(value.number >> 64, 64), wrap(value.number, 64))
    return None


_PLAIN = frozenset({int, Long})
TESTS: dict[str, Callable[..., bool]] = {
    "==": eq,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}
"""Whole numbers of one type compare as they are; most comparisons are of such, or of texts for being equal."""


def holds(operator: str, left: Value, right: Value) -> bool:
    """`left operator right` for == != < <= > >=."""
    if type(left) is type(right) and type(left) in _PLAIN:
        return TESTS[operator](left, right)
    if operator == "==":
        return is_equal(left, right)
    if operator == "!=":
        return not is_equal(left, right)
    if operator in ("<=", ">="):
        _check_status(left, right)
    if is_number(left) and is_number(right) and _order_numbers(left, right) is None:
        return False
    order = compare(left, right)
    match operator:
        case "<":
            return order < 0
        case "<=":
            return order <= 0
        case ">":
            return order > 0
    return order >= 0


def _check_status(left: Value, right: Value) -> None:
    """Unlike < and >, <= and >= don't take a status for text; they compare two by their order."""
    if isinstance(left, Status) != isinstance(right, Status) and left is not None and right is not None:
        message = f"A value of type {type_name(left)} can't be compared with one of type {type_name(right)} here."
        raise ExpressionError(Kind.NOT_COMPARABLE, message)


def is_between(value: Value, limits: Value) -> bool:
    """`value between {low, high}`, both included."""
    if not isinstance(limits, list) or len(limits) != 2:
        raise ExpressionError(Kind.BETWEEN_OPERAND, "`between` needs a list of two elements, e.g. {1, 5}.")
    low, high = limits
    _check_status(value, low)
    if compare(value, low) < 0:
        return False
    _check_status(value, high)
    return compare(value, high) <= 0
