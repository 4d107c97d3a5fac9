"""Cut off: a stage that fails or is cancelled while its manifests are sent says which are applied and which aren't.

Nothing is taken back.

What one try has applied the next one applies again, with no effect; what all tries together have applied is remembered, as the
last of them may not have come to the first manifest.
"""

import functools
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from gennaker.interfaces import outlasting
from gennaker.interfaces.api_servers import ApiFailure
from gennaker.interfaces.stages import TaskContext
from gennaker.model import foreign, half_applied
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Again, Failed
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import asking, manifests, patience, submitting
from gennaker.plugins.kubernetes.annotations import Way
from gennaker.plugins.kubernetes.objects import Objects

APPLIED = "appliedBeforeFailure"
UNANSWERED = "unansweredBeforeFailure"
_NAMES = "outputs.manifestNamesByNamespace"
_DETAILED = 500
_AT_A_TIME = 10
_OUTCOMES = (True, False, None)


def failed(
    context: TaskContext,
    ready: Sequence[JsonObject],
    sent: Sequence[JsonObject],
    *,
    failure: Refused | ApiFailure,
    unanswered: Sequence[JsonObject],
) -> Again | Failed:
    """What becomes of a task that has sent these of its manifests, and could not send another: it outlasts who doesn't answer.

    `unanswered`: those of which nobody has said whether they are applied.
    """
    own = context.stage.context
    done = {str(one) for one in foreign.items(own.get(APPLIED))} | set(_names_of(sent))
    lost = {str(one) for one in foreign.items(own.get(UNANSWERED))} | set(_names_of(unanswered))
    names = _names_of(ready)
    applied = [one for one in names if one in done]
    unknown = [one for one in names if one in lost - done]
    missing = [one for one in names if one not in done | lost]
    problem = _problem(failure)
    problem = replace(
        problem,
        message=f"{problem.message} {_told(applied, unknown, missing)}",
        remedy=f"{problem.remedy} Restarting the stage is safe: what is applied already stays as it is.".strip(),
        details={
            **problem.details,
            "applied": [*applied[:_DETAILED]],
            "unknown": [*unknown[:_DETAILED]],
            "notApplied": [*missing[:_DETAILED]],
        },
    )
    remembered: JsonObject = {APPLIED: [*applied], UNANSWERED: [*unknown]}
    ended = Failed(problem=problem, context=remembered)
    if isinstance(failure, Refused) and not failure.is_unavailable:
        return ended
    return outlasting.outlasting(context.task, ended, at=context.services.clock.now())


def _told(applied: Sequence[str], unknown: Sequence[str], missing: Sequence[str]) -> str:
    if not applied and not unknown:
        return "None of its manifests is applied."
    said = [f"Applied before it: {half_applied.few(applied) or 'none'}."]
    if unknown:
        said.append(f"Not known, as no answer came: {half_applied.few(unknown)}; look at the cluster.")
    return " ".join((*said, f"Not applied: {half_applied.few(missing) or 'none'}."))


async def stopped(context: TaskContext) -> JsonObject | None:
    """What a cancelled task has sent: the cluster is asked, as the task itself was cut off at any place."""
    decided = foreign.mappings(context.task.memory.get("ready"))
    if not decided:
        left = foreign.mappings_at(context.stage.context, "resolvedManifests")
        return half_applied.context(
            {half_applied.APPLIED: [], half_applied.NOT_APPLIED: [manifests.full_name(one) for one in left]}
        )
    names = _names_of(decided)
    try:
        objects = asking.objects(context)
        looks = [functools.partial(_look, context, objects, one, place) for place, one in enumerate(decided)]
        found = await asking.several(looks, at_a_time=_AT_A_TIME)
    except (Refused, ApiFailure) as failure:
        return half_applied.context({}, unknown=names, reason=str(failure))
    by_outcome = {outcome: [n for n, one in zip(names, found, strict=True) if one is outcome] for outcome in _OUTCOMES}
    return half_applied.context(
        {half_applied.APPLIED: by_outcome[True], half_applied.NOT_APPLIED: by_outcome[False]},
        unknown=by_outcome[None],
        reason="they are too large to bear a copy of their manifest",
    )


async def stopped_waiting(context: TaskContext) -> JsonObject | None:
    """A task that was cancelled while it waited: everything had been sent."""
    deployed = foreign.mapping(context.stage.context.get(_NAMES))
    names = [str(one) for of_namespace in deployed.values() for one in foreign.items(of_namespace)]
    if not names:
        return None
    done, missing = (
        (half_applied.APPLIED, half_applied.NOT_APPLIED)
        if context.stage.type == "deployManifest"
        else (half_applied.CHANGED, half_applied.NOT_CHANGED)
    )
    return half_applied.context({done: names, missing: []}, changes_again=appends(context.stage.context))


def appends(own: Mapping[str, Json]) -> bool:
    """Whether a stage with this context makes operations (JSON patch) that may add to a list once more when made once more."""
    return foreign.text_at(foreign.mapping(own.get("options")), "mergeStrategy") == "json"


async def _look(context: TaskContext, objects: Objects, ready: JsonObject, place: int) -> bool | None:
    manifest, way = foreign.mapping(ready.get("manifest")), Way(foreign.text_at(ready, "way"))
    effect = effect_of(context, place)
    return await submitting.is_applied(objects, manifest, way, effect=effect)


def effect_of(context: TaskContext, place: int) -> str:
    """By which an object is known whose name the API server makes."""
    return f"{context.attempt_key}:{place}"


def _names_of(ready: Sequence[JsonObject]) -> list[str]:
    return [manifests.full_name(foreign.mapping(one.get("manifest"))) for one in ready]


def _problem(failure: Refused | ApiFailure) -> Problem:
    if isinstance(failure, Refused):
        return failure.problems[0]
    return patience.unavailable(failure)
