"""Cut off: a stage that fails or is cancelled while its manifests are sent says which are applied and which aren't.

Nothing is taken back.

What one try has applied the next one applies again, with no effect; what all tries together have applied is remembered, as the
last of them may not have come to the first manifest.
"""

import functools
from collections.abc import Sequence

from msgspec.structs import replace

from gennaker.interfaces.api_servers import ApiFailure
from gennaker.interfaces.stages import TaskContext
from gennaker.model import foreign, half_applied
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Failed
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import asking, manifests, submitting
from gennaker.plugins.kubernetes.annotations import Way
from gennaker.plugins.kubernetes.objects import Objects

APPLIED = "appliedBeforeFailure"
_NAMES = "outputs.manifestNamesByNamespace"
_DETAILED = 500
_AT_A_TIME = 10
_OUTCOMES = (True, False, None)


def failed(context: TaskContext, ready: Sequence[JsonObject], sent: int, failure: Refused | ApiFailure) -> Failed:
    """What becomes of a task that has sent so many of its manifests, and could not send the next one."""
    names = [manifests.full_name(foreign.mapping(one.get("manifest"))) for one in ready]
    before = {str(one) for one in foreign.items(context.stage.context.get(APPLIED))} | set(names[:sent])
    applied: list[str] = [one for one in names if one in before]
    missing = [one for one in names if one not in before]
    problem = _problem(failure)
    if applied:
        said = f"Applied before it: {half_applied.few(applied)}. Not applied: {half_applied.few(missing) or 'none'}."
    else:
        said = "None of its manifests is applied."
    problem = replace(
        problem,
        message=f"{problem.message} {said}",
        remedy=f"{problem.remedy} Restarting the stage is safe: what is applied already stays as it is.".strip(),
        details={
            **problem.details,
            "applied": [*applied[:_DETAILED]],
            "notApplied": [*missing[:_DETAILED]],
        },
    )
    remembered: list[Json] = [*applied]
    return Failed(problem=problem, retryable=isinstance(failure, ApiFailure), context={APPLIED: remembered})


async def stopped(context: TaskContext) -> JsonObject | None:
    """What a cancelled task has sent: the cluster is asked, as the task itself was cut off at any place."""
    decided = foreign.mappings(context.task.memory.get("ready"))
    if not decided:
        left = foreign.mappings_at(context.stage.context, "resolvedManifests")
        return half_applied.context(missing=[manifests.full_name(one) for one in left])
    names = [manifests.full_name(foreign.mapping(one.get("manifest"))) for one in decided]
    try:
        objects = asking.objects(context)
        looks = [functools.partial(_look, context, objects, one, place) for place, one in enumerate(decided)]
        found = await asking.several(looks, at_a_time=_AT_A_TIME)
    except (Refused, ApiFailure) as failure:
        return half_applied.context(unknown=names, reason=str(failure))
    by_outcome = {outcome: [n for n, one in zip(names, found, strict=True) if one is outcome] for outcome in _OUTCOMES}
    return half_applied.context(
        applied=by_outcome[True],
        missing=by_outcome[False],
        unknown=by_outcome[None],
        reason="they are too large to bear a copy of their manifest",
    )


async def stopped_waiting(context: TaskContext) -> JsonObject | None:
    """A task that was cancelled while it waited: everything had been sent."""
    deployed = foreign.mapping(context.stage.context.get(_NAMES))
    names = [str(one) for of_namespace in deployed.values() for one in foreign.items(of_namespace)]
    return half_applied.context(applied=names) if names else None


async def _look(context: TaskContext, objects: Objects, ready: JsonObject, place: int) -> bool | None:
    manifest, way = foreign.mapping(ready.get("manifest")), Way(foreign.text_at(ready, "way"))
    effect = effect_of(context, place)
    return await submitting.is_applied(objects, manifest, way, effect=effect)


def effect_of(context: TaskContext, place: int) -> str:
    """By which an object is known whose name the API server makes."""
    return f"{context.attempt_key}:{place}"


def _problem(failure: Refused | ApiFailure) -> Problem:
    if isinstance(failure, Refused):
        return failure.problems[0]
    return Problem(code="kubernetes.unavailable", message=_sentence(str(failure)))


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
