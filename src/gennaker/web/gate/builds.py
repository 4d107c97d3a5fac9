"""Gate's routes to CI systems: which there are, what each can build, the parameters of a job, and its builds.

Deck's editor fills its lists from them. What a system says is kept for a moment, as many people look at the same lists.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import msgspec
from litestar import Controller, Response, get
from litestar.params import FromPath, FromQuery

from gennaker.interfaces.ci import CiFailure, CiMissing, CiSystem, Job, JobParameter
from gennaker.model.codec import Json, JsonObject, encode
from gennaker.model.problems import Problem, Refused
from gennaker.web import visible
from gennaker.web.gate import amounts
from gennaker.web.ports import Asking, Ports, WebPorts
from gennaker.web.recent import Said

_ANSWERS_WITHIN: Final = 45
"""Seconds for all that a list takes; a proxy in front gives up after a minute."""
_LISTS_LAST: Final = timedelta(minutes=2)
"""Of jobs: a long list takes many requests, of which the system allows only so many an hour."""
_OTHERS_LAST: Final = timedelta(seconds=10)
_FAILURES_LAST: Final = timedelta(seconds=2)
"""A system that is down isn't asked by each of those who wait for it, one after another."""
_KEPT_BYTES: Final = 200_000
"""Larger answers are asked for each time."""
_OF_THE_SYSTEM: Final = frozenset({"ci.refused", "ci.secret"})
"""What is wrong between the system and us, and not with what was asked."""
_FOR_DECKS_STAGE: Final = "jenkins"
"""Deck has one stage and one trigger for builds; here they take any system."""
Ask = Callable[[], Awaitable[tuple[Json, bool]]]
"""Answers, and whether there is more."""


class GateBuildsController(Controller):
    """Routes under /v3/builds, and the older ones under /v2/builds with the job in the path."""

    @get(["/v2/builds", "/v3/builds"])
    async def masters(self, ports: Ports, principal: Asking, type: FromQuery[str] = "") -> list[str]:  # noqa: A002 - Gate's
        """Names of the CI systems that may be read."""
        given = type.lower()
        every = ports.services.ci
        found = [name for name, one in every.items() if given in ("", _FOR_DECKS_STAGE, one.type)]
        return await visible.accounts(ports, principal, found, lambda name: name)

    @get(["/v2/builds/{master:str}/jobs", "/v3/builds/{master:str}/jobs"])
    async def jobs(self, ports: Ports, principal: Asking, master: FromPath[str]) -> Response[msgspec.Raw]:
        """Names of what it can build; a header says where there are more."""
        system = _system(ports, master)

        async def ask() -> tuple[Json, bool]:
            found = await system.jobs()
            return list(found.names), found.is_cut

        return await _answer(ports, ("jobs", master), ask, lasts=_LISTS_LAST)

    @get("/v3/builds/{master:str}/job")
    async def job(
        self, ports: Ports, principal: Asking, master: FromPath[str], job: FromQuery[str]
    ) -> Response[msgspec.Raw]:
        """A job with its parameters."""
        return await _job(ports, master, job)

    @get("/v2/builds/{master:str}/jobs/{job:path}")
    async def job_by_path(
        self, ports: Ports, principal: Asking, master: FromPath[str], job: FromPath[str]
    ) -> Response[msgspec.Raw]:
        """As the newer one."""
        return await _job(ports, master, job.strip("/"))

    @get("/v3/builds/{master:str}/builds")
    async def builds(
        self, ports: Ports, principal: Asking, master: FromPath[str], job: FromQuery[str]
    ) -> Response[msgspec.Raw]:
        """Its builds, the newest first."""
        return await _builds(ports, master, job)

    @get("/v2/builds/{master:str}/builds/{job:path}")
    async def builds_by_path(
        self, ports: Ports, principal: Asking, master: FromPath[str], job: FromPath[str]
    ) -> Response[msgspec.Raw]:
        """As the newer one."""
        return await _builds(ports, master, job.strip("/"))

    @get("/v3/builds/{master:str}/build/{number:str}")
    async def build(
        self, ports: Ports, principal: Asking, master: FromPath[str], number: FromPath[str], job: FromQuery[str]
    ) -> Response[msgspec.Raw]:
        """One build, with its artifacts."""
        return await _build(ports, master, job, number)

    @get("/v2/builds/{master:str}/build/{number:str}/{job:path}")
    async def build_by_path(
        self, ports: Ports, principal: Asking, master: FromPath[str], number: FromPath[str], job: FromPath[str]
    ) -> Response[msgspec.Raw]:
        """As the newer one."""
        return await _build(ports, master, job.strip("/"), number)


async def _job(ports: WebPorts, master: str, job: str) -> Response[msgspec.Raw]:
    system = _system(ports, master)

    async def ask() -> tuple[Json, bool]:
        return _config(await system.job(job)), False

    return await _answer(ports, ("job", master, job), ask, lasts=_OTHERS_LAST)


async def _builds(ports: WebPorts, master: str, job: str) -> Response[msgspec.Raw]:
    system = _system(ports, master)

    async def ask() -> tuple[Json, bool]:
        return list(await system.builds(job)), False

    return await _answer(ports, ("builds", master, job), ask, lasts=_OTHERS_LAST)


async def _build(ports: WebPorts, master: str, job: str, number: str) -> Response[msgspec.Raw]:
    system = _system(ports, master)

    async def ask() -> tuple[Json, bool]:
        return (await system.build(job, number)).info, False

    return await _answer(ports, ("build", master, job, number), ask, lasts=_OTHERS_LAST)


def _system(ports: WebPorts, master: str) -> CiSystem:
    found = ports.services.ci.get(master)
    if found is None:
        known = ", ".join(sorted(ports.services.ci)) or "none"
        problem = Problem(
            code="ci.unknown",
            message=f"The settings name no CI system {master!r}.",
            remedy=f"Add ci.{master} to them (there are: {known}).",
        )
        raise Refused(problem, status=404)
    return found


async def _answer(ports: WebPorts, key: tuple[str, ...], ask: Ask, *, lasts: timedelta) -> Response[msgspec.Raw]:
    """What the system says. Raises Refused: what is wrong with it, or with what it was asked."""

    async def asked() -> tuple[Said, timedelta]:
        said = await _said(key[1], ask)
        if said.problems:
            return said, _FAILURES_LAST
        return said, lasts if len(said.body) <= _KEPT_BYTES else timedelta()

    said = await ports.said_by_ci.of(key, asked)
    if said.problems:
        raise Refused(*said.problems, status=said.status)
    return Response(msgspec.Raw(said.body), headers=amounts.IS_CUT if said.is_cut else {})


async def _said(master: str, ask: Ask) -> Said:
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN):
            found, is_cut = await ask()
    except CiMissing as error:
        return Said(problems=(Problem(code="ci.missing", message=str(error)),), status=404)
    except TimeoutError:
        return Said(problems=(_unavailable(f"{master} didn't answer within {_ANSWERS_WITHIN} seconds."),), status=503)
    except CiFailure as error:
        return Said(problems=(_unavailable(str(error)),), status=503)
    except Refused as error:
        is_ours = not any(problem.code in _OF_THE_SYSTEM for problem in error.problems)
        return Said(problems=error.problems, status=error.status if is_ours else 502)
    return Said(body=encode(found), is_cut=is_cut)


def _unavailable(message: str) -> Problem:
    return Problem(code="ci.unavailable", message=message, remedy="Ask again when the CI system is there.")


def _config(job: Job) -> JsonObject:
    """As Igor has it."""
    upstream: list[Json] = [{"name": one} for one in job.upstream]
    downstream: list[Json] = [{"name": one} for one in job.downstream]
    return {
        "name": job.name,
        "displayName": job.display_name or job.name,
        "description": job.description,
        "url": job.url,
        "color": job.color,
        "buildable": job.is_buildable,
        "concurrentBuild": job.is_concurrent,
        "parameterDefinitionList": [_parameter(one) for one in job.parameters],
        "upstreamProjectList": upstream,
        "downstreamProjectList": downstream,
        "scmList": [],
    }


def _parameter(one: JobParameter) -> JsonObject:
    found: JsonObject = {
        "name": one.name,
        "type": one.type,
        "description": one.description,
        "defaultName": one.name,
        "defaultValue": one.default,
    }
    # Deck draws a list for whoever has choices, an empty one too.
    return {**found, "choices": list[Json](one.choices)} if one.choices else found
