"""Routes: requests that a server group behind a load balancer gets whatever the weights are, and what can be wrong with them."""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

from gennaker.model.problems import Problem

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_VALUE = re.compile(r"[A-Za-z0-9_.:/=+@~-]{1,200}")
"""What no program's configuration takes for anything but text."""
_MOST = 10
_BY_THE_PROGRAMS = frozenset({"host", "connection", "upgrade", "content-length", "transfer-encoding", "cookie"})


class Routing(StrEnum):
    """What a traffic provider can route by, beside weights."""

    HEADER = "header"
    COOKIE = "cookie"
    MIRROR = "mirror"


class Routes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What one server group gets."""

    headers: dict[str, str] = {}
    """By name: a request that has one of these headers with just this value."""
    cookies: dict[str, str] = {}
    """Likewise."""
    mirror_percent: int = 0
    """Of the requests that are split by weight, this part is sent to it too, and its answers are thrown away."""

    @property
    def needs(self) -> frozenset[Routing]:
        """What the provider must be able to do; empty: there is nothing to route."""
        wanted = {Routing.HEADER: self.headers, Routing.COOKIE: self.cookies, Routing.MIRROR: self.mirror_percent}
        return frozenset(kind for kind, given in wanted.items() if given)

    @property
    def has_matches(self) -> bool:
        """Whether any request goes to it by header or cookie."""
        return bool(self.headers or self.cookies)

    def matches(self) -> Iterator[tuple[Routing, str, str]]:
        """Kind, name and value of each, in order. Names of headers are in small letters: they count as the same anyhow."""
        for name, value in sorted(self.headers.items()):
            yield Routing.HEADER, name.lower(), value
        for name, value in sorted(self.cookies.items()):
            yield Routing.COOKIE, name, value

    def sayings(self) -> list[str]:
        """Each, for people."""
        said = [f"{name}: {value}" for name, value in self.headers.items()]
        said += [f"the cookie {name}={value}" for name, value in self.cookies.items()]
        if self.mirror_percent:
            said.append(f"copies of {self.mirror_percent} %")
        return said

    def __str__(self) -> str:
        return ", ".join(self.sayings())


def wrong(routes: Routes) -> str:
    """What is wrong with them, as the rest of a sentence; nothing if they will do."""
    if not 0 <= routes.mirror_percent <= 100:
        return f"`mirrorPercent` is {routes.mirror_percent}, which is no whole percentage from 1 to 100"
    if len(routes.headers) + len(routes.cookies) > _MOST:
        return f"it has more than {_MOST} headers and cookies"
    for kind, given in (("header", routes.headers), ("cookie", routes.cookies)):
        for name, value in given.items():
            if not _NAME.fullmatch(name):
                return f"{name!r} is no name of a {kind} that can be routed by (letters, digits, `-` and `_`)"
            if not _VALUE.fullmatch(value):
                return f"the {kind} {name} has a value that can't be routed by (letters, digits and any of `_.:/=+@~-`)"
    taken = _BY_THE_PROGRAMS & {name.lower() for name in routes.headers}
    if taken:
        return f"the header {min(taken)} belongs to the connection"
    return ""


def unable(load_balancer: str, provider: str, lacking: Iterable[Routing]) -> Problem:
    """The provider can't do what is asked."""
    what = {Routing.HEADER: "route by header", Routing.COOKIE: "route by cookie", Routing.MIRROR: "copy requests"}
    missing = " or ".join(what[kind] for kind in sorted(lacking))
    return Problem(
        code="traffic.cannot_route",
        message=f"The load balancer {load_balancer} is served by {provider}, which can't {missing}.",
        remedy="Take that out of `routes`, or use a load balancer of a provider that can (docs/guides/traffic.md has a table).",
        pointer="/routes",
    )
