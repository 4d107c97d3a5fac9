"""The types that expressions may name: `T(…)`, `new …(…)`, static methods, arrays.

Only the types of Spinnaker's list exist here; every other name fails as blocked or as not found. What would need a
clock or chance takes both from `World`, which the caller of the evaluation fills: the same inputs give the same result.
"""

import hashlib
import math
import re
from collections.abc import Sequence

from gennaker.expressions import (
    charsets,
    date_format,
    methods_calendar,
    methods_math,
    methods_numbers,
    methods_text,
    methods_time,
)
from gennaker.expressions.arguments import convert, suits
from gennaker.expressions.failures import ExpressionError, Kind, bad
from gennaker.expressions.methods import Table, chosen, constructor, statics, table
from gennaker.expressions.methods_numbers import real, whole
from gennaker.expressions.values import (
    Array,
    Byte,
    Char,
    Date,
    DateFormat,
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
    among = STATICS.get(owner.name, _NOTHING) if not owner.dimensions else _NOTHING
    method, made = chosen(among, name, arguments, f"type {owner.name}")
    return method.call(world, owner, made)


def construct(world: World, owner: Typed, arguments: Sequence[Value]) -> Value:
    """Makes a value of a type."""
    among = _CONSTRUCTORS.get(owner.name, _NOTHING)
    method, made = constructor(among, arguments, f"type {owner.name}")
    return method.call(world, owner, made)


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
    empty: Value = {"boolean": False, "double": 0.0, "float": 0.0, "char": Char("\0")}.get(
        component, 0 if component in PRIMITIVES else None
    )
    return Array(component, [empty] * sizes[0])


def is_instance(value: Value, owner: Typed, name: str) -> bool:
    """`value instanceof T(owner)`; `name` is the type name of the value."""
    shown = owner.name + "[]" * owner.dimensions
    return value is not None and name == shown


def _encoded(text: str | None, charset: str | None) -> str:
    if text is None:
        raise bad("The text to encode is null.")
    charsets.codec(charset)
    return _UNSAFE.sub(lambda found: _percents(found[0], charset), text).replace(" ", "+")


_UNSAFE = re.compile(r"[^a-zA-Z0-9.*_ -]+")


def _percents(text: str, charset: str | None) -> str:
    return "".join(f"%{byte:02X}" for byte in charsets.encoded(text, charset))


def _name(name: str | None) -> str:
    if name is None:
        raise bad("The name is null.")
    return name


STATICS: dict[str, Table] = {
    **methods_numbers.STATICS,
    **methods_time.STATICS,
    **methods_calendar.STATICS,
    "String": methods_text.STATIC,
    "Math": methods_math.MATH,
    "URLEncoder": statics(
        {
            "encode(String)": lambda text: _encoded(text, "UTF-8"),
            "encode(String,String)": _encoded,
            "encode(String,Charset)": _encoded,
        }
    ),
}
_NOTHING = table({})


def _bytes_text(given: Array | None, *rest: str | int | None) -> str:
    """`rest` are the place of the first byte and the number of bytes, and the character set; all may be missing."""
    if given is None:
        raise bad("The bytes are null.")
    place = [item for item in rest if isinstance(item, int)]
    start, count = place or (0, None)
    charset = next((item for item in rest if not isinstance(item, int)), "UTF-8") if len(rest) % 2 else "UTF-8"
    raw = bytes(int(item) & 0xFF for item in methods_text.part_of(given.items, start, count) if isinstance(item, int))
    return charsets.decoded(raw, charset)


def _high_bytes_text(given: Array | None, high: int, start: int = 0, count: int | None = None) -> str:
    """Each byte is the lower half of a character, `high` the upper one."""
    if given is None:
        raise bad("The bytes are null.")
    part = methods_text.part_of(given.items, start, count)
    return methods_text.joined(
        "".join(chr((high & 0xFF) << 8 | int(item) & 0xFF) for item in part if isinstance(item, int))
    )


def _points_text(given: Array | None, start: int, count: int) -> str:
    """The text of code points."""
    if given is None:
        raise bad("The code points are null.")
    points = [item for item in methods_text.part_of(given.items, start, count) if isinstance(item, int)]
    if any(not 0 <= point <= 0x10FFFF for point in points):
        raise bad("There is no such character.")
    return "".join(map(chr, points))


def _date_in_words(_text: str | None) -> Date:
    message = "new java.util.Date(text) isn't offered here. Use new java.text.SimpleDateFormat(pattern).parse(text)."
    raise ExpressionError(Kind.UNSUPPORTED, message)


_CONSTRUCTORS: dict[str, Table] = {
    # In Java's order: of several that can be made to fit the last is taken.
    "String": statics(
        {
            "new()": lambda: "",
            "new(StringBuffer)": _name,
            "new(StringBuilder)": _name,
            "new(byte[])": _bytes_text,
            "new(char[])": methods_text.of_characters,
            "new(String)": _name,
            "new(byte[],String)": _bytes_text,
            "new(byte[],Charset)": _bytes_text,
            "new(byte[],int)": _high_bytes_text,
            "new(byte[],int,int)": _bytes_text,
            "new(char[],int,int)": methods_text.of_characters,
            "new(int[],int,int)": _points_text,
            "new(byte[],int,int,Charset)": _bytes_text,
            "new(byte[],int,int,String)": _bytes_text,
            "new(byte[],int,int,int)": _high_bytes_text,
        },
    ),
    "Integer": statics({"new(String)": lambda text: whole(text, 32), "new(int)": lambda number: number}),
    "Long": statics({"new(String)": lambda text: Long(whole(text, 64)), "new(long)": Long}),
    "Byte": statics({"new(byte)": Byte, "new(String)": lambda text: Byte(whole(text, 8))}),
    "Double": statics({"new(double)": lambda number: number, "new(String)": real}),
    "Boolean": statics(
        {"new(boolean)": lambda value: value, "new(String)": lambda text: (text or "").lower() == "true"}
    ),
    "Date": statics(
        {
            "@new()": lambda world: Date(world.at_ms),
            "new(String)": _date_in_words,
            "new(long)": lambda number: Date(int(number)),
            "new(int,int,int)": lambda *fields: Date(methods_calendar.milliseconds_of(*fields)),
            "new(int,int,int,int,int)": lambda *fields: Date(methods_calendar.milliseconds_of(*fields)),
            "new(int,int,int,int,int,int)": lambda *fields: Date(methods_calendar.milliseconds_of(*fields)),
        }
    ),
    "Random": statics({"@new()": lambda world: RandomSource(world.bits()), "new(long)": RandomSource}),
    "UUID": statics({"new(long,long)": lambda high, low: Uuid((high & (2**64 - 1)) << 64 | (low & (2**64 - 1)))}),
    "SimpleDateFormat": statics(
        {
            "new(String)": lambda pattern: DateFormat(date_format.check(_name(pattern))),
            "new(String,Locale)": lambda pattern, _locale: DateFormat(date_format.check(_name(pattern))),
            "new()": lambda: DateFormat("M/d/yy, h:mm a"),
        },
        others="new(String,DateFormatSymbols)",
    ),
}
