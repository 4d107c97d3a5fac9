"""Comparison: what differs between two deployments of an application, fact by fact, side by side."""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum

import msgspec

from gennaker.model.problems import Problem, Refused


class Aspect(StrEnum):
    """What facts are about."""

    IMAGE = "image"
    CONFIGURATION = "configuration"
    REPLICAS = "replicas"
    RESOURCES = "resources"
    ROUTES = "routes"
    SECRETS = "secrets"


Facts = Mapping[tuple[Aspect, str], str]
"""By what they are about and their name."""
ALL = tuple(Aspect)


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """A server group that stands for an environment."""

    name: str
    """Of the environment, as it was asked for."""
    server_group: str
    cloud_provider: str
    account: str
    region: str
    unknown: str = ""
    """Why configuration, resources and secrets can't be told; empty: they can."""
    facts: dict[tuple[Aspect, str], str] = {}


class Line(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One fact on both sides; None: that side hasn't got it."""

    aspect: Aspect
    name: str
    left: str | None
    right: str | None
    differs: bool


_WRITTEN = (Aspect.CONFIGURATION, Aspect.RESOURCES, Aspect.SECRETS)
"""What only the stage that has deployed knows."""


def aspects(names: Iterable[str]) -> tuple[Aspect, ...]:
    """Those named, all where none is. Raises Refused (400)."""
    named = [one for one in names if one]
    wrong = sorted(set(named) - set(ALL))
    if wrong:
        raise Refused(
            Problem(
                code="compare.unknown_aspect",
                message=f"There is nothing called {', '.join(wrong)} to compare.",
                remedy=f"Use some of {', '.join(ALL)}.",
            ),
            status=400,
        )
    return tuple(one for one in ALL if one in named) if named else ALL


def compare(left: Side, right: Side, wanted: Collection[Aspect]) -> tuple[Line, ...]:
    """All facts of the wanted aspects. What can't be told on one side differs: nobody knows that it doesn't."""
    names = sorted(left.facts.keys() | right.facts.keys(), key=lambda one: (ALL.index(one[0]), one[1]))
    lines = [_line(left, right, aspect, name) for aspect, name in names if aspect in wanted]
    if left.unknown or right.unknown:
        lines += [_untold(left, right, aspect) for aspect in _WRITTEN if aspect in wanted]
    return tuple(sorted(lines, key=lambda one: ALL.index(one.aspect)))


def _line(left: Side, right: Side, aspect: Aspect, name: str) -> Line:
    here, there = left.facts.get((aspect, name)), right.facts.get((aspect, name))
    return Line(aspect=aspect, name=name, left=here, right=there, differs=here != there)


def _untold(left: Side, right: Side, aspect: Aspect) -> Line:
    return Line(aspect=aspect, name="known", left=left.unknown or "yes", right=right.unknown or "yes", differs=True)
