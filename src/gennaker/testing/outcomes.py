"""Outcomes: what is declared about a simulated run: how stages end, who judges, who commands what when.

stages:
Deploy: {duration: 5m, outputs: {version: "1.2.3"}}
Canary: [{status: TERMINAL, message: the score is 40, duration: 1h}, {duration: 1h}]   # by attempt
judgments:
Approve: {judgment: continue, after: 30m, by: ada, roles: [ops]}
commands:
- {at: 2h, do: cancel, reason: wrong version}
pipelines: [{id: other, application: shop, name: other, stages: [...]}]
trigger: {parameters: {size: 3}}
"""

import re
from datetime import timedelta
from typing import Literal

import msgspec

from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status

_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
Length = str | float | int
"""Seconds, or text like `1h30m`."""


class Declared(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How a stage ends."""

    status: Status = Status.SUCCEEDED
    """RUNNING: never; its time limits decide."""
    duration: Length = 0
    outputs: JsonObject = {}
    context: JsonObject = {}
    message: str = ""
    """Of a failure."""


class Judgment(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Who answers a manual judgment, and how long after it has begun to wait."""

    judgment: Literal["continue", "stop"] = "continue"
    after: Length = 0
    by: str = "tester"
    roles: frozenset[str] = frozenset()
    input: str = ""
    comment: str = ""


class Command(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What someone does, so long after the submission."""

    at: Length
    do: str
    """cancel, pause, resume, skip, restart, ignore-failure"""
    stage: str = ""
    by: str = "tester"
    reason: str = ""


class Outcomes(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Everything that is declared; stages by refId or name."""

    stages: dict[str, Declared | tuple[Declared, ...]] = {}
    """Several: one an attempt; the last for all later ones."""
    default: Declared = Declared()
    """For stages that aren't named and that the simulation can't run for real."""
    judgments: dict[str, Judgment] = {}
    commands: tuple[Command, ...] = ()
    pipelines: tuple[JsonObject, ...] = ()
    """Definitions of children, by their `id`; a child that isn't here ends as its stage is declared."""
    trigger: JsonObject = {}


def read(value: Json) -> Outcomes:
    """Reads a file's JSON or YAML. Raises Refused."""
    try:
        return msgspec.convert(value or {}, Outcomes)
    except msgspec.ValidationError as error:
        raise Refused(
            Problem(
                code="outcomes.unreadable",
                message=f"The declared outcomes can't be read: {error}.",
                remedy=f"A status is one of {', '.join(Status)}; a judgment is continue or stop. "
                "See docs/guides/testing-pipelines.md.",
            )
        ) from error


def length(given: Length) -> timedelta:
    """A length of time. Raises Refused."""
    if not isinstance(given, str):
        return timedelta(seconds=given)
    parts = _PARTS.findall(given)
    if given and "".join(number + unit for number, unit in parts) == given:
        return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
    try:
        return timedelta(seconds=float(given))
    except ValueError as error:
        raise Refused(
            Problem(code="outcomes.length", message=f"{given!r} is no length of time.", remedy="Write it like 1h30m.")
        ) from error
