"""An application's own notifications, in Front50's form: lists by type, which all its pipelines send besides their own."""

from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused

KIND = "notifications"
"""Of definitions; the id is the application's name in lower case."""
_NO_LISTS = frozenset({"application", "lastModified", "lastModifiedBy"})


def listed(body: JsonObject) -> list[JsonObject]:
    """All of them, whatever their types."""
    return [one for key, value in body.items() if key not in _NO_LISTS for one in foreign.mappings(value)]


def checked(body: JsonObject) -> JsonObject:
    """The body as it may be kept. Raises Refused with everything that is wrong."""
    problems = [problem for key, value in body.items() if key not in _NO_LISTS for problem in _of_list(key, value)]
    if problems:
        raise Refused(*problems)
    return body


def _of_list(key: str, value: object) -> list[Problem]:
    if not isinstance(value, list):
        return [_problem(f"/{key}", f"`{key}` must be a list of notifications.", "Send a list, by their type.")]
    return [problem for place, one in enumerate(value) for problem in _of_one(f"/{key}/{place}", one)]


def _of_one(pointer: str, one: object) -> list[Problem]:
    if not isinstance(one, dict):
        return [_problem(pointer, "A notification must be an object.", "Give its `type`, `address` and `when`.")]
    if not isinstance(one.get("type"), str) or not one["type"]:
        return [_problem(f"{pointer}/type", "A notification has no `type`.", "Give one, such as `email`.")]
    return []


def _problem(pointer: str, message: str, remedy: str) -> Problem:
    return Problem(code="notification.invalid", message=message, remedy=remedy, pointer=pointer)
