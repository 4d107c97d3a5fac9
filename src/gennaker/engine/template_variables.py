"""Template variables: the values with which a template is used, checked against what it declares (Orca's rules)."""

from collections.abc import Sequence

from gennaker.model import foreign, pointers
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem

_CLASSES = {
    "string": "String",
    "bool": "Boolean",
    "int": "Integer",
    "long": "Long",
    "number": "BigInteger",
    "float": "Double",
    "list": "ArrayList",
    "map": "LinkedHashMap",
}
"""Words for types, and Java's classes, whose names count as well."""


def assigned(declared: Sequence[JsonObject], given: JsonObject) -> tuple[JsonObject, tuple[Problem, ...]]:
    """The values of all declared variables, defaults filled in, and what is wrong; undeclared ones are dropped."""
    names = [str(one.get("name")) for one in declared]
    values: JsonObject = {name: given[name] for name in names if name in given}
    for one, name in zip(declared, names, strict=True):
        if name not in values and one.get("defaultValue") is not None:
            values[name] = one["defaultValue"]
    missing = [
        name
        for one, name in zip(declared, names, strict=True)
        if name not in values and one.get("nullable") is not True
    ]
    problems = [_missing(missing)] if missing else []
    for one, name in zip(declared, names, strict=True):
        if name in values:
            problems += _wrong(one, name, values[name])
    return values, tuple(problems)


def _wrong(declared: JsonObject, name: str, value: Json) -> list[Problem]:
    if value is None:
        if foreign.flag(declared.get("nullable")):
            return []
        message = f"Variable {name!r}: the supplied value is null but the variable is not nullable."
        return [Problem(code="template.variable_null", message=message, pointer=f"/variables/{pointers.escaped(name)}")]
    wanted = str(declared.get("type") or "object").lower()
    if _fits(wanted, value):
        return []
    return [
        Problem(
            code="template.variable_type",
            message=f"Incorrectly defined variable(s): {name} (expected type '{declared.get('type')}' found type "
            f"'{_type_of(value)}').",
            remedy="Give it a value of that type.",
            pointer=f"/variables/{pointers.escaped(name)}",
        )
    ]


def _fits(wanted: str, value: Json) -> bool:
    if wanted == "int" and isinstance(value, float):
        return value.is_integer()
    found = _type_of(value)
    return wanted in ("object", found, _CLASSES[found].lower())


def _type_of(value: Json) -> str:
    match value:
        case bool():
            return "bool"
        case int():
            return "int" if -(2**31) <= value < 2**31 else "long" if -(2**63) <= value < 2**63 else "number"
        case float():
            return "float"
        case str():
            return "string"
        case list():
            return "list"
        case _:
            return "map"


def _missing(names: list[str]) -> Problem:
    return Problem(
        code="template.variable_missing",
        message=f"Missing variable values for: {', '.join(names)}.",
        remedy="Give them in `variables`; they have no default.",
        pointer="/variables",
        details={"names": list[Json](names)},
    )
