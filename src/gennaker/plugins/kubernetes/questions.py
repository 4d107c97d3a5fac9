"""Questions that rules ask of an object: a JSONPath (it begins with `$`) finds something, a CEL expression over `object` is true. Pure.

CEL comes with an extra: it is imported where a rule is written in it.
"""

from functools import lru_cache
from typing import Protocol

import jsonpath
import msgspec

from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused

_ROOT = "$"
_OBJECT = "object"
_KEPT = 100
_NO_VALUES = ("ERROR", "UNKNOWN")
_TRUTHS = ("BOOL", "DYN")
"""Types of expressions that may be rules: what is dynamic shows only with an object what it is."""


class _Type(Protocol):
    def name(self) -> str: ...


class _Value(Protocol):
    def type(self) -> _Type: ...

    def value(self) -> object: ...


class _Expression(Protocol):
    """CEL's own; the package has stubs, but no marker that says so."""

    def return_type(self) -> _Type: ...

    def eval(self, *, data: JsonObject) -> _Value: ...


class _Environment(Protocol):
    def compile(self, expression: str) -> _Expression: ...


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What an object answers."""

    holds: bool
    said: str
    """Of the question, for people: `$.status.ready finds something`."""


def check(question: str, where: str) -> None:
    """Raises Refused for a question that is none; `where`: the setting."""
    try:
        if question.startswith(_ROOT):
            _json_path(question)
        elif (kind := _cel(question).return_type().name()) not in _TRUTHS:
            raise Refused(_no_question(where, f"it gives {kind}, and must be true or false"))
    except jsonpath.JSONPathError as error:
        raise Refused(_no_question(where, str(error))) from error
    except RuntimeError as error:
        raise Refused(_no_question(where, str(error))) from error
    except ModuleNotFoundError as error:
        raise Refused(
            Problem(
                code="kubernetes.no_cel",
                message=f"The setting {where} is written in CEL, and the package for it is not installed.",
                remedy="Install it: pip install 'gennaker[cel]'. Or write a JSONPath, which begins with $.",
            )
        ) from error


def ask(question: str, live: JsonObject) -> Answer:
    """Of a question that was checked. Raises Refused where it gives something else than true or false."""
    if question.startswith(_ROOT):
        return Answer(holds=bool(_json_path(question).findall(live)), said=f"{question} to find something")
    value = _cel(question).eval(data={_OBJECT: live})
    kind = value.type().name()
    if kind in _NO_VALUES:
        return Answer(holds=False, said=f"{question} to be true ({value.value()})")
    if kind != "BOOL":
        raise Refused(_no_question(repr(question), f"it gives {kind}, and must be true or false"))
    return Answer(holds=value.value() is True, said=f"{question} to be true")


@lru_cache(maxsize=_KEPT)
def _json_path(question: str) -> jsonpath.JSONPath | jsonpath.CompoundJSONPath:
    return jsonpath.compile(question)


@lru_cache(maxsize=_KEPT)
def _cel(question: str) -> _Expression:
    from cel_expr_python import (  # type: ignore[import-untyped]  # stubs, but no marker  # noqa: PLC0415 - an extra
        cel,
    )

    environment: _Environment = cel.NewEnv(variables={_OBJECT: cel.Type.DYN})
    return environment.compile(question)


def _no_question(where: str, why: str) -> Problem:
    return Problem(
        code="kubernetes.rule",
        message=f"The setting {where} is no rule: {why}.",
        remedy='Write a JSONPath like $.status.conditions[?@.type=="Ready" && @.status=="True"], or CEL over `object` like '
        "object.status.readyReplicas == object.spec.replicas.",
    )
