"""Label selectors of stages, as the API server wants them. Pure."""

from collections.abc import Callable, Mapping, Sequence

from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused

_FORMS: dict[str, Callable[[str, list[str]], str]] = {
    "EQUALS": lambda key, values: f"{key} = {values[0]}",
    "NOT_EQUALS": lambda key, values: f"{key} != {values[0]}",
    "CONTAINS": lambda key, values: f"{key} in ({', '.join(values)})",
    "NOT_CONTAINS": lambda key, values: f"{key} notin ({', '.join(values)})",
    "EXISTS": lambda key, values: key,
    "NOT_EXISTS": lambda key, values: f"!{key}",
}
_WITHOUT_VALUES = frozenset({"EXISTS", "NOT_EXISTS"})
_ANY = "ANY"


def rendered(selectors: Sequence[JsonObject]) -> str:
    """All of them in one, empty where everything is meant. Raises Refused."""
    return ",".join(one for one in map(_rendered, selectors) if one)


def fit(selectors: Sequence[JsonObject], labels: Mapping[str, str]) -> bool:
    """Whether an object with these labels is meant by all of them."""
    return all(_fits(one, labels) for one in selectors)


def _fits(selector: JsonObject, labels: Mapping[str, str]) -> bool:
    kind = foreign.text_at(selector, "kind").upper()
    value = labels.get(foreign.text_at(selector, "key"))
    values = [foreign.written(one) for one in foreign.items(selector.get("values"))]
    match kind:
        case "EQUALS":
            return value == values[0]
        case "NOT_EQUALS":
            return value != values[0]
        case "CONTAINS":
            return value in values
        case "NOT_CONTAINS":
            return value not in values
        case "EXISTS":
            return value is not None
        case "NOT_EXISTS":
            return value is None
        case _:
            return True


def _rendered(selector: JsonObject) -> str:
    kind = foreign.text_at(selector, "kind").upper()
    key = foreign.text_at(selector, "key")
    values = [foreign.written(one) for one in foreign.items(selector.get("values"))]
    if kind == _ANY:
        return ""
    form = _FORMS.get(kind)
    if form is None:
        raise Refused(_wrong(f"There is no label selector {kind!r}.", f"Use one of {', '.join((*_FORMS, _ANY))}."))
    if not key:
        raise Refused(_wrong(f"A label selector {kind} names no label.", "Give its `key`."))
    if not values and kind not in _WITHOUT_VALUES:
        raise Refused(_wrong(f"The label selector {kind} of {key!r} has no values.", "Give its `values`."))
    return form(key, values)


def _wrong(message: str, remedy: str) -> Problem:
    return Problem(code="manifest.selector", message=message, remedy=remedy, pointer="/labelSelectors")
