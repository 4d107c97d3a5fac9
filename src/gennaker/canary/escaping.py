r"""Escaping: a canary config as a stage's context may hold it, with its `${` written `$\{`, as Kayenta does.

They are for the metric source's templates and not for the pipeline's expressions.
"""

from collections.abc import Callable

from gennaker.model.codec import Json, JsonObject


def escaped(config: JsonObject) -> JsonObject:
    """The config as a stage's context may hold it: no text in it is an expression."""
    return _object(config, lambda text: text.replace("${", "$\\{"))


def unescaped(config: JsonObject) -> JsonObject:
    """The config as it was before `escaped`."""
    return _object(config, lambda text: text.replace("$\\{", "${"))


def _object(value: JsonObject, change: Callable[[str], str]) -> JsonObject:
    return {change(key): _changed(item, change) for key, item in value.items()}


def _changed(value: Json, change: Callable[[str], str]) -> Json:
    match value:
        case str():
            return change(value)
        case list():
            return [_changed(item, change) for item in value]
        case dict():
            return _object(value, change)
        case _:
            return value
