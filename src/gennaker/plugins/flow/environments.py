"""Environments: whether two of an application's are alike, for a precondition."""

import msgspec

from gennaker.interfaces import environments
from gennaker.interfaces.services import Services
from gennaker.model import comparison, records
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.problems import Problem, Refused

_TWO = 2


class Wanted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The precondition's `context`."""

    environments: tuple[str, ...] = ()
    """Two of them: accounts, stacks or clusters."""
    aspects: tuple[str, ...] = ()
    """Of `model.comparison`; empty: all."""


async def check(services: Services, application: str, given: JsonObject) -> Problem | None:
    """What differs, or is wrong with the question; None: they are alike."""
    wanted = records.read(given, Wanted)
    if isinstance(wanted, tuple):
        return _invalid("; ".join(f"`{one.name}` {one.said}" for one in wanted))
    if len(wanted.environments) != _TWO:
        return _invalid(f"{len(wanted.environments)} environments are named")
    found = await environments.groups(services, application)
    try:
        aspects = comparison.aspects(wanted.aspects)
        left, right = [await environments.side(services, application, one, found) for one in wanted.environments]
    except Refused as refusal:
        return refusal.problems[0]
    differing = [one for one in comparison.compare(left, right, aspects) if one.differs]
    if not differing:
        return None
    said = ", ".join(f"{one.aspect} {one.name}: {one.left or 'none'} / {one.right or 'none'}" for one in differing)
    lines: list[Json] = [to_json(one) for one in differing]
    return Problem(
        code="precondition.environments",
        message=f"{left.name} ({left.server_group}) and {right.name} ({right.server_group}) differ in {said}.",
        remedy="Make them alike, or name in `aspects` what must be alike.",
        details={"differences": lines},
    )


def _invalid(said: str) -> Problem:
    return Problem(
        code="precondition.invalid",
        message=f"Invalid configuration: {said}.",
        remedy="An environments precondition needs two `environments` (accounts, stacks or clusters), and may name `aspects`.",
    )
