"""Build info: what a trigger that names a build of a CI system gets to know about it, as Orca asks Igor."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from gennaker.interfaces.ci import CiFailure, CiSystem, CiUnavailable
from gennaker.interfaces.services import Services
from gennaker.model import build_artifacts, foreign
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused

_TRIES = 3
_PAUSE = timedelta(seconds=2)
"""A CI system that is restarting must not end a run before it has begun."""

Answer = TypeVar("Answer")


async def completed(trigger: JsonObject, services: Services) -> tuple[JsonObject, list[Problem]]:
    """The trigger with `buildInfo` and `properties`, if it names a build whose info it lacks; and what went wrong.

    Where the settings name no CI system nobody can be asked, and nothing is missed.
    """
    master, job, number = (foreign.said_at(trigger, key) for key in ("master", "job", "buildNumber"))
    if not (master and job and number) or trigger.get("buildInfo") or not services.settings.ci:
        return trigger, []
    system = services.ci.get(master)
    if system is None:
        return trigger, [_unknown(master, services)]
    try:
        return await _read(trigger, system, services, job=job, number=number), []
    except (CiFailure, Refused) as failure:
        problem = Problem(
            code="trigger.build_info",
            message=f"The build {number} of {job} in {master}, which the trigger names, can't be read: {failure}",
            remedy="Start the pipeline again when it can be read, or with a trigger that brings `buildInfo`.",
        )
        return trigger, [problem]


async def _read(trigger: JsonObject, system: CiSystem, services: Services, *, job: str, number: str) -> JsonObject:
    state = await _insisting(services, lambda: system.build(job, number))
    known = {kind: one.compiled() for kind, one in services.settings.ci_artifacts.items()}
    info = build_artifacts.described(state.info, known)
    read: JsonObject = {**trigger, "buildInfo": info}
    if trigger.get("type") == "manual" and info.get("artifacts"):
        read["artifacts"] = info["artifacts"]
    file = foreign.said_at(trigger, "propertyFile")
    if file:
        read["properties"] = await _insisting(services, lambda: system.properties(job, number, file))
    return read


async def _insisting(services: Services, ask: Callable[[], Awaitable[Answer]]) -> Answer:
    for _ in range(_TRIES - 1):
        try:
            return await ask()
        except CiUnavailable:
            await services.clock.sleep_until(services.clock.now() + _PAUSE)
    return await ask()


def _unknown(master: str, services: Services) -> Problem:
    return Problem(
        code="ci.unknown",
        message=f"The trigger names a build of {master!r}, but the settings name no such CI system.",
        remedy=f"Add ci.{master} to them (there are: {', '.join(sorted(services.ci))}).",
    )
