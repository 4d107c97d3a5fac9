"""The tasks that start a build and wait for its number.

A start is never repeated blindly: after a crash, and after a call that was not answered, the build is looked for by its key
first. Where the system can't tell, the stage fails as `effect.unknown` and a person decides.
"""

from datetime import datetime, timedelta

import msgspec

from gennaker.interfaces.ci import (
    BuildRequest,
    CannotTell,
    CiFailure,
    CiMissing,
    CiSystem,
    CiUnanswered,
    CiUnavailable,
    Started,
)
from gennaker.interfaces.stages import TaskContext
from gennaker.model import waiting
from gennaker.model.codec import JsonObject, to_json
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.problems import Problem
from gennaker.plugins.ci import stage_settings

_TRY_AGAIN = timedelta(seconds=30)
_LOOK_AGAIN = timedelta(seconds=5)


class Memory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the starting task remembers between polls."""

    unsure_since: datetime | None = None
    """A start may have happened unseen."""


async def start(context: TaskContext, request: BuildRequest) -> TaskResult:
    """Starts the build, or takes up the one that was started before."""
    system = stage_settings.system(context)
    memory = msgspec.convert(context.task.memory, Memory)
    if context.is_repeat and memory.unsure_since is None:
        memory = Memory(unsure_since=context.at)
    try:
        if memory.unsure_since is not None:
            found = await system.find(request)
            if found is not None:
                return _begun(found)
            if context.at - memory.unsure_since < system.settles_after:
                return _again(
                    system, request, memory, reason="to show whether the build was started", after=_LOOK_AGAIN
                )
        return _begun(await system.start(request))
    except CiUnavailable as failure:
        return _again(system, request, memory, reason=f"to answer: {failure}", after=_TRY_AGAIN)
    except CiUnanswered as failure:
        unsure = Memory(unsure_since=context.at)
        return _again(
            system, request, unsure, reason=f"to show whether the build was started: {failure}", after=_LOOK_AGAIN
        )
    except CannotTell as failure:
        return Failed(problem=_unknown(request, failure))
    except CiFailure as failure:
        return Failed(problem=Problem(code="ci.not_started", message=str(failure)))


async def wait_for_number(context: TaskContext) -> TaskResult:
    """Done when the build has its number."""
    system, request = stage_settings.system(context), stage_settings.request(context)
    begun = stage_settings.started(context)
    if begun is None:
        return Failed(problem=Problem(code="ci.not_started", message="The stage has started no build."))
    try:
        found = await system.numbered(request, begun)
    except (CiUnavailable, CiMissing) as failure:
        return _queued(context, system, request, str(failure))
    except CiFailure as failure:
        return Failed(problem=Problem(code="ci.no_number", message=str(failure)))
    if found.number is None:
        return _queued(context, system, request, "in the queue")
    number = stage_settings.shown_number(found.number)
    return Done(context={"buildNumber": number}, outputs={"buildNumber": number})


async def stop(context: TaskContext) -> None:
    """Stops the build, or takes it out of the queue. Raises Refused."""
    begun = stage_settings.started(context)
    system = stage_settings.system(context)
    request = stage_settings.request(context)
    try:
        if begun is None:
            begun = await _unseen(system, request)
        if begun is not None:
            await system.stop(request.job, await _numbered(system, request, begun))
    except CiMissing:
        return  # there is nothing left to stop


async def _unseen(system: CiSystem, request: BuildRequest) -> Started | None:
    """A build whose start was cut off."""
    try:
        return await system.find(request)
    except CannotTell:
        return None


async def _numbered(system: CiSystem, request: BuildRequest, begun: Started) -> Started:
    return begun if begun.number is not None else await system.numbered(request, begun)


def _begun(started: Started) -> Done:
    shown: JsonObject = {"queuedBuild": stage_settings.shown_number(started.queue_id)}
    if started.number is not None:
        shown["buildNumber"] = stage_settings.shown_number(started.number)
    return Done(context=shown, outputs=shown)


def _again(system: CiSystem, request: BuildRequest, memory: Memory, *, reason: str, after: timedelta) -> Again:
    remembered = to_json(memory)
    assert isinstance(remembered, dict)
    waiting_for = waiting.ForObject(reason=f"{system.name} {reason}", kind="build", name=request.job, place=system.name)
    return Again(after=after, waiting_for=waiting_for, memory=remembered)


def _queued(context: TaskContext, system: CiSystem, request: BuildRequest, observed: str) -> Again:
    reason = f"the build of {request.job} in {system.name} to get its number"
    waiting_for = waiting.ForObject(reason=reason, kind="build", name=request.job, observed=observed, place=system.name)
    return Again(after=stage_settings.poll_pause(context, system), waiting_for=waiting_for)


def _unknown(request: BuildRequest, failure: CannotTell) -> Problem:
    return Problem(
        code="effect.unknown",
        message=f"Whether a build of {request.job} was started is unknown, as the answer was lost. {failure}",
        remedy="Look there; then restart the stage, or ignore the failure.",
    )
