"""What can be read and called on a value: the way from a name to a table's entry, for properties and for methods."""

from collections.abc import Sequence

from gennaker.expressions import (
    methods_calendar,
    methods_collections,
    methods_numbers,
    methods_random,
    methods_text,
    methods_time,
    types,
)
from gennaker.expressions.clock_text import STATUSES
from gennaker.expressions.conversions import java_text
from gennaker.expressions.failures import ExpressionError, Kind, bad, nearest
from gennaker.expressions.methods import Table, chosen, merged, missing, statics, table
from gennaker.expressions.values import (
    Array,
    Date,
    DateFormat,
    Entry,
    EnumValue,
    Group,
    Inheriting,
    Instant,
    LocalDate,
    LocalDateTime,
    LookupMap,
    Objects,
    RandomSource,
    Record,
    Status,
    Typed,
    Uuid,
    Value,
    equal,
    type_name,
)
from gennaker.model.statuses import Status as ModelStatus


def _ordinal(status: Status) -> int:
    return STATUSES.index(status.name) if status.name in STATUSES else 0


def _compared(status: Status, other: Value) -> int:
    if not isinstance(other, Status):
        raise bad("A status can only be compared with a status.")
    return _ordinal(status) - _ordinal(other)


def _status(name: str | None) -> Status:
    if name not in STATUSES:
        raise bad(f"There is no status {name!r}.")
    return Status(name)


def _is(what: str, status: Status) -> bool:
    known = ModelStatus.__members__.get(status.name)
    if known is None:
        return False
    return {
        "complete": known.is_complete,
        "halt": known.is_halt,
        "successful": known.is_successful,
        "failure": known.is_failure,
    }[what]


_STATUS = merged(
    table(
        {
            "name()": java_text,
            "ordinal()": _ordinal,
            "isComplete()": lambda status: _is("complete", status),
            "isHalt()": lambda status: _is("halt", status),
            "isSuccessful()": lambda status: _is("successful", status),
            "isFailure()": lambda status: _is("failure", status),
            "isSkipped()": lambda status: status.name == "SKIPPED",
            "length()": lambda status: len(status.name),
            "isEmpty()": lambda status: False,
            "charAt(int)": lambda status, index: methods_text.char_at(status.name, index),
            "compareTo(Enum)": _compared,
        },
        blocked="subSequence(int,int) getDeclaringClass() chars() codePoints() describeConstable()",
    ),
    statics(
        {
            "values()": lambda: Array("ExecutionStatus", [Status(name) for name in STATUSES]),
            "valueOf(String)": _status,
        }
    ),
    methods_collections.OBJECT,
)
_TABLES: dict[type, Table] = {
    str: methods_text.METHODS,
    list: methods_collections.LIST,
    Objects: methods_collections.LIST,
    dict: methods_collections.MAP,
    Group: methods_collections.GROUP,
    Entry: methods_collections.ENTRY,
    Status: _STATUS,
    LocalDate: methods_time.LOCAL_DATE,
    LocalDateTime: methods_time.LOCAL_DATE_TIME,
    Instant: methods_time.INSTANT,
    Date: methods_calendar.DATE,
    DateFormat: methods_calendar.DATE_FORMAT,
    Uuid: methods_calendar.UUID,
    RandomSource: methods_random.RANDOM,
}


def _table(value: Value) -> Table:
    found = _TABLES.get(type(value))
    if found is not None:
        return methods_collections.SET if isinstance(value, Group) and value.kind == "Set" else found
    if isinstance(value, LookupMap):
        return methods_collections.CONTEXT if isinstance(value.names, Inheriting) else methods_collections.MAP
    if isinstance(value, Array):
        return methods_collections.ARRAY
    if isinstance(value, EnumValue):
        return methods_calendar.DAY_OF_WEEK if value.type == "DayOfWeek" else methods_calendar.CHRONO_UNIT
    return methods_numbers.NUMBERS.get(type_name(value), methods_collections.OBJECT)


def property_of(world: types.World, target: Value, name: str) -> Value:
    """A property of anything but null and maps: a getter, or a method without arguments.

    Raises PROPERTY_MISSING or PROPERTY_BLOCKED.
    """
    if isinstance(target, Array) and name == "length":
        return len(target.items)
    if isinstance(target, Record):
        return _record_property(target, name)
    if isinstance(target, Typed):
        message = f"The type {target.name} has no readable {name}. Use valueOf or of instead of constants."
        raise ExpressionError(Kind.PROPERTY_MISSING, message)
    methods = _table(target)
    for getter in _getters(name):
        for method in methods.methods.get(getter, ()):
            if not method.parameters:
                return method.call(world, target, ())
    if any(getter in methods.blocked_getters for getter in _getters(name)):
        raise _blocked(target, name)
    readable = [
        each for each, overloads in methods.methods.items() if any(not method.parameters for method in overloads)
    ]
    message = f"A value of type {type_name(target)} has no property {name}."
    raise ExpressionError(Kind.PROPERTY_MISSING, message, nearest=nearest(name, readable))


def _getters(name: str) -> tuple[str, str, str]:
    capital = name[:1].upper() + name[1:]
    return f"get{capital}", f"is{capital}", name


def _blocked(target: Value, name: str) -> ExpressionError:
    return ExpressionError(
        Kind.PROPERTY_BLOCKED, f"The property {name} of {type_name(target)} isn't allowed in expressions."
    )


def _record_property(target: Record, name: str) -> Value:
    read = target.properties.get(name)
    if read is not None:
        return read()
    if name in target.blocked or name == "class":
        raise _blocked(target, name)
    if name == "toString":
        return java_text(target)
    getter = _bare(target, name)
    if getter:
        return target.properties[getter]()
    message = f"A {target.type_name} has no property {name}."
    raise ExpressionError(Kind.PROPERTY_MISSING, message, nearest=nearest(name, target.properties))


def _bare(target: Record, name: str) -> str:
    """The property that a getter without arguments reads, by its name `getX`, `isX` or `x`; empty: there is none."""
    for prefix in ("get", "is", ""):
        bare = name.removeprefix(prefix)
        bare = bare[:1].lower() + bare[1:] if prefix else bare
        if name.startswith(prefix) and bare in target.properties:
            return bare
    return ""


def call(world: types.World, target: Value, name: str, arguments: Sequence[Value]) -> Value:
    """Calls a method of anything but null."""
    if isinstance(target, Typed):
        return types.call_static(world, target, name, arguments)
    if isinstance(target, Record):
        return _record_call(target, name, arguments)
    method, made = chosen(_table(target), name, arguments, type_name(target))
    return method.call(world, target, made)


def _record_call(target: Record, name: str, arguments: Sequence[Value]) -> Value:
    if len(arguments) == 1 and name in target.methods:
        return target.methods[name](java_text(arguments[0]))
    if len(arguments) == 1 and name == "equals":
        return equal(target, arguments[0])
    if name.startswith("set") and len(arguments) == 1:
        raise ExpressionError(
            Kind.MUTATION, f"The method {name} would change the execution; expressions can only read."
        )
    if not arguments:
        getter = _bare(target, name)
        if getter:
            return target.properties[getter]()
        if name == "toString":
            return java_text(target)
        if name in target.blocked:
            raise _blocked(target, name)
    raise missing(table({}), name, arguments, target.type_name)
