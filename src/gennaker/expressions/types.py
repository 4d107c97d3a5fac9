"""The types that expressions may name: `T(…)`, `new …(…)`, static methods, arrays.

Only the types of Spinnaker's list exist here; every other name fails as blocked or as not found. What would need a
clock or chance takes both from `World`, which the caller of the evaluation fills: the same inputs give the same result.
"""

import hashlib
import math
from collections.abc import Sequence
from urllib.parse import quote_plus

from gennaker.expressions import date_format, methods_text, methods_time, types_numbers
from gennaker.expressions.clock_text import DAYS, constant, local
from gennaker.expressions.conversions import as_double, convert, java_text, parse_real, suits
from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.methods import Table, chosen, merged, table
from gennaker.expressions.methods_collections import OBJECT
from gennaker.expressions.methods_time import bad
from gennaker.expressions.operators import compare, wrap
from gennaker.expressions.values import (
    Array,
    Byte,
    Date,
    DateFormat,
    EnumValue,
    Instant,
    LocalDate,
    Long,
    RandomSource,
    Typed,
    Uuid,
    Value,
)

PRIMITIVES = frozenset({"int", "long", "double", "float", "boolean", "char", "byte", "short"})
_SHORT = frozenset({"String", "Integer", "Long", "Double", "Byte", "Boolean", "Math"})
_QUALIFIED = {
    **{f"java.lang.{name}": name for name in _SHORT},
    "java.util.Date": "Date",
    "java.util.Random": "Random",
    "java.util.UUID": "UUID",
    "java.text.SimpleDateFormat": "SimpleDateFormat",
    "java.time.LocalDate": "LocalDate",
    "java.time.LocalDateTime": "LocalDateTime",
    "java.time.DayOfWeek": "DayOfWeek",
    "java.time.Instant": "Instant",
    "java.time.temporal.ChronoUnit": "ChronoUnit",
    "java.time.temporal.TemporalAdjusters": "TemporalAdjusters",
    "java.net.URLEncoder": "URLEncoder",
}
# Names that Java has in java.lang: blocked rather than unknown.
_JAVA_LANG = frozenset(
    [
        "Appendable",
        "AutoCloseable",
        "CharSequence",
        "Character",
        "Class",
        "ClassLoader",
        "Cloneable",
        "Comparable",
        "Compiler",
        "Deprecated",
        "Enum",
        "Error",
        "Exception",
        "Float",
        "FunctionalInterface",
        "IllegalArgumentException",
        "IllegalStateException",
        "InheritableThreadLocal",
        "InterruptedException",
        "Iterable",
        "Module",
        "ModuleLayer",
        "NullPointerException",
        "Number",
        "Object",
        "Override",
        "Package",
        "Process",
        "ProcessBuilder",
        "ProcessHandle",
        "Readable",
        "Record",
        "Runnable",
        "Runtime",
        "RuntimeException",
        "RuntimePermission",
        "SecurityManager",
        "Short",
        "StackTraceElement",
        "StackWalker",
        "StrictMath",
        "StringBuffer",
        "StringBuilder",
        "System",
        "Thread",
        "ThreadGroup",
        "ThreadLocal",
        "Throwable",
        "Void",
        "Iterable",
        "Math",
    ]
)
_KNOWN_PACKAGES = (
    "java.",
    "javax.",
    "jdk.",
    "sun.",
    "groovy.",
    "org.codehaus.groovy.",
    "org.springframework.",
    "com.netflix.spinnaker.",
    "com.fasterxml.jackson.",
    "com.google.common.",
    "org.apache.",
    "org.yaml.snakeyaml.",
    "kotlin.",
)


class World:
    """What an evaluation may know of the time, and its source of chance."""

    __slots__ = ("_count", "_seed", "at_ms")

    def __init__(self, at_ms: int, seed: str = "") -> None:
        """`at_ms` is the time as epoch milliseconds; the seed makes chance the same at every repetition."""
        self.at_ms = at_ms
        self._seed = seed
        self._count = 0

    def bits(self) -> int:
        """The next 128 bits that nobody could guess from outside, but that come again for the same seed and time."""
        self._count += 1
        text = f"{self._seed}\0{self.at_ms}\0{self._count}"
        return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16])


def resolve(name: str, dimensions: int = 0) -> Typed:
    """The type of a name. Raises TYPE_BLOCKED or TYPE_NOT_FOUND."""
    if name in PRIMITIVES or name in _SHORT:
        return Typed(name, dimensions)
    if name in _QUALIFIED:
        return Typed(_QUALIFIED[name], dimensions)
    package, _, simple = name.rpartition(".")
    is_known = name in _JAVA_LANG or (package == "java.lang" and simple in _JAVA_LANG)
    if package and package != "java.lang":
        is_known = name.startswith(_KNOWN_PACKAGES) and simple[:1].isupper()
    if is_known:
        raise ExpressionError(Kind.TYPE_BLOCKED, f"The type {name} isn't allowed in expressions.")
    full = next((qualified for qualified, short in _QUALIFIED.items() if short == simple), "")
    hint = f" Write {full}." if full else ""
    raise ExpressionError(Kind.TYPE_NOT_FOUND, f"There is no type {name}.{hint}", nearest=full)


def call_static(world: World, owner: Typed, name: str, arguments: Sequence[Value]) -> Value:
    """Calls a static method of a type."""
    among = _STATICS.get(owner.name, _NOTHING) if not owner.dimensions else _NOTHING
    code, made = chosen(among, name, arguments, f"type {owner.name}")
    needs_world = (owner.name, name) in _WORLDLY
    return code(world, *made) if needs_world else code(*made)


def construct(world: World, owner: Typed, arguments: Sequence[Value]) -> Value:
    """Makes a value of a type."""
    among = _CONSTRUCTORS.get(owner.name, _NOTHING)
    code, made = chosen(among, "new", arguments, f"type {owner.name}")
    return code(world, *made)


MAX_ARRAY = 100_000
"""Elements of an array made by `new`."""


def new_array(owner: Typed, sizes: Sequence[int | None], initial: Sequence[Value] | None) -> Array:
    """An array of given sizes, or with given elements. Raises PARSE, CONVERSION or LIMIT."""
    if initial is not None:
        if len(sizes) != 1 or (sizes[0] is not None and sizes[0] != len(initial)):
            raise ExpressionError(Kind.PARSE, "Only an array of one dimension can be given its elements.")
        for item in initial:
            if suits(owner.name, item) is None:
                raise ExpressionError(Kind.CONVERSION, f"An element can't be made {owner.name}.")
        return Array(owner.name, [convert(owner.name, item) for item in initial])
    known = [size for size in sizes if size is not None]
    if len(known) != len(sizes):
        raise ExpressionError(Kind.PARSE, "Every dimension of the array needs a size.")
    if any(size < 0 for size in known):
        raise bad("The size of an array can't be negative.")
    if math.prod(max(size, 1) for size in known) > MAX_ARRAY:
        raise ExpressionError(Kind.LIMIT, f"An array may have {MAX_ARRAY:,} elements.")
    return _filled(owner.name, known)


def _filled(component: str, sizes: list[int]) -> Array:
    if len(sizes) > 1:
        inner = component + "[]" * (len(sizes) - 1)
        return Array(inner, [_filled(component, sizes[1:]) for _ in range(sizes[0])])
    empty: Value = {"boolean": False, "double": 0.0, "float": 0.0}.get(
        component, 0 if component in PRIMITIVES else None
    )
    return Array(component, [empty] * sizes[0])


def is_instance(value: Value, owner: Typed, name: str) -> bool:
    """`value instanceof T(owner)`; `name` is the type name of the value."""
    shown = owner.name + "[]" * owner.dimensions
    return value is not None and name == shown


def _encoded(text: str | None, charset: str | None) -> str:
    if (charset or "").upper() not in ("UTF-8", "UTF8"):
        raise bad(f"The character set {(charset or '')[:40]!r} isn't known here. Use 'UTF-8'.")
    return quote_plus((text or "").encode("utf-8", "replace"), safe="*-._").replace("~", "%7E")


def _name(name: str | None) -> str:
    if name is None:
        raise bad("The name is null.")
    return name


def _day(number: int) -> EnumValue:
    if not 1 <= number <= 7:
        raise bad(f"There is no day of the week {number}.")
    return constant("DayOfWeek", DAYS[number - 1])


_STATICS: dict[str, Table] = {
    "String": methods_text.STATIC,
    "Integer": types_numbers.whole_statics("int", 32, int),
    "Long": types_numbers.whole_statics("long", 64, Long),
    "Byte": table(
        {
            "parseByte(String)": lambda text: Byte(types_numbers.whole(text, 8)),
            "valueOf(String)": lambda text: Byte(types_numbers.whole(text, 8)),
            "valueOf(byte)": Byte,
        }
    ),
    "Double": table(
        {
            "parseDouble(String)": lambda text: parse_real(_name(text)),
            "valueOf(String)": lambda text: parse_real(_name(text)),
            "valueOf(double)": lambda number: number,
            "toString(double)": java_text,
            "isNaN(double)": math.isnan,
            "isInfinite(double)": math.isinf,
            "isFinite(double)": math.isfinite,
            "compare(double,double)": compare,
            "max(double,double)": max,
            "min(double,double)": min,
            "sum(double,double)": lambda left, right: left + right,
        }
    ),
    "Boolean": table(
        {
            "parseBoolean(String)": lambda text: (text or "").lower() == "true",
            "valueOf(String)": lambda text: (text or "").lower() == "true",
            "valueOf(boolean)": lambda value: value,
            "toString(boolean)": java_text,
            "logicalAnd(boolean,boolean)": lambda left, right: left and right,
            "logicalOr(boolean,boolean)": lambda left, right: left or right,
            "logicalXor(boolean,boolean)": lambda left, right: left != right,
            "compare(boolean,boolean)": lambda left, right: left - right,
        },
        blocked="getBoolean",
    ),
    "Math": types_numbers.MATH,
    "UUID": table(
        {
            "fromString(String)": methods_time.uuid_of,
            "randomUUID()": lambda world: Uuid(world.bits() & ~(0xF << 76) & ~(3 << 62) | 4 << 76 | 2 << 62),
        }
    ),
    "LocalDate": table(
        {
            "parse(CharSequence)": methods_time.parse_day,
            "of(int,int,int)": lambda year, month, day: LocalDate(methods_time.day_of(year, month, day)),
            "ofEpochDay(long)": lambda day: LocalDate(local(day * 86_400).at.date()),
            "ofYearDay(int,int)": lambda year, day: LocalDate(local(_year_day(year, day) * 86_400).at.date()),
            "now()": lambda world: LocalDate(local(world.at_ms // 1000).at.date()),
        },
        blocked="ofInstant from",
    ),
    "LocalDateTime": table(
        {
            "parse(CharSequence)": methods_time.parse_local,
            **{
                f"of({','.join(['int'] * count)})": lambda year, month, day, *time: methods_time.at_time(
                    LocalDate(methods_time.day_of(year, month, day)), *time
                )
                for count in (5, 6, 7)
            },
            "now()": lambda world: local(world.at_ms // 1000, world.at_ms % 1000 * 1_000_000),
        }
    ),
    "Instant": table(
        {
            "parse(CharSequence)": methods_time.parse_instant,
            "ofEpochSecond(long)": Instant,
            "ofEpochSecond(long,long)": lambda second, nanos: Instant(
                second + nanos // 1_000_000_000, nanos % 1_000_000_000
            ),
            "ofEpochMilli(long)": lambda number: Instant(number // 1000, number % 1000 * 1_000_000),
            "now()": lambda world: Instant(world.at_ms // 1000, world.at_ms % 1000 * 1_000_000),
        }
    ),
    "DayOfWeek": table(
        {
            "of(int)": _day,
            "valueOf(String)": lambda name: constant("DayOfWeek", _name(name)),
            "values()": lambda: methods_time.every("DayOfWeek"),
        }
    ),
    "ChronoUnit": table(
        {
            "valueOf(String)": lambda name: constant("ChronoUnit", _name(name)),
            "values()": lambda: methods_time.every("ChronoUnit"),
        }
    ),
    "URLEncoder": table({"encode(String,String)": _encoded}),
}
_WORLDLY = {
    ("Math", "random"),
    ("UUID", "randomUUID"),
    ("LocalDate", "now"),
    ("LocalDateTime", "now"),
    ("Instant", "now"),
}
_NOTHING = table({})


def _year_day(year: int, day: int) -> int:
    first = methods_time.day_of(year, 1, 1)
    last = methods_time.day_of(year, 12, 31)
    if not 1 <= day <= (last - first).days + 1:
        raise bad(f"There is no day {day} in the year {year}.")
    return first.toordinal() - methods_time.day_of(1970, 1, 1).toordinal() + day - 1


def _text_of(value: Value) -> str:
    return java_text(value)


_CONSTRUCTORS: dict[str, Table] = {
    "String": table({"new()": lambda world: "", "new(String)": lambda world, text: _name(text)}),
    "Integer": table(
        {"new(int)": lambda world, number: number, "new(String)": lambda world, text: types_numbers.whole(text, 32)}
    ),
    "Long": table(
        {"new(long)": lambda world, n: Long(n), "new(String)": lambda world, text: Long(types_numbers.whole(text, 64))}
    ),
    "Byte": table(
        {"new(byte)": lambda world, n: Byte(n), "new(String)": lambda world, text: Byte(types_numbers.whole(text, 8))}
    ),
    "Double": table(
        {"new(double)": lambda world, number: number, "new(String)": lambda world, text: parse_real(_name(text))}
    ),
    "Boolean": table(
        {"new(boolean)": lambda world, value: value, "new(String)": lambda world, text: (text or "").lower() == "true"}
    ),
    "Date": table({"new()": lambda world: Date(world.at_ms), "new(long)": lambda world, number: Date(number)}),
    "Random": table(
        {"new()": lambda world: RandomSource(world.bits()), "new(long)": lambda world, seed: RandomSource(seed)}
    ),
    "UUID": table({"new(long,long)": lambda world, high, low: Uuid((high & (2**64 - 1)) << 64 | (low & (2**64 - 1)))}),
    "SimpleDateFormat": table(
        {
            "new(String)": lambda world, pattern: DateFormat(date_format.check(_name(pattern))),
            "new()": lambda world: DateFormat("M/d/yy h:mm a"),
        }
    ),
}

RANDOM: Table = merged(
    table(
        {
            "nextInt()": lambda world, source: wrap(world.bits(), 32),
            "nextInt(int)": lambda world, source, bound: _below(world, bound),
            "nextLong()": lambda world, source: Long(wrap(world.bits(), 64)),
            "nextBoolean()": lambda world, source: bool(world.bits() & 1),
            "nextDouble()": lambda world, source: as_double(world.bits()) / 2**128,
        },
        blocked="ints longs doubles",
        mutating="setSeed nextBytes",
    ),
    OBJECT,
)


def _below(world: World, bound: int) -> int:
    if bound <= 0:
        raise bad("The bound must be positive.")
    return world.bits() % bound
