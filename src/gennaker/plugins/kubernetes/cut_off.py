"""Cut off: a stage that fails while its manifests are sent says which are applied and which aren't. Nothing is taken back.

What one try has applied the next one applies again, with no effect; what all tries together have applied is remembered, as the
last of them may not have come to the first manifest.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from gennaker.interfaces.api_servers import ApiFailure
from gennaker.interfaces.stages import TaskContext
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Failed
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import manifests

APPLIED = "appliedBeforeFailure"
_LISTED = 5
_DETAILED = 500


def failed(context: TaskContext, ready: Sequence[JsonObject], sent: int, failure: Refused | ApiFailure) -> Failed:
    """What becomes of a task that has sent so many of its manifests, and could not send the next one."""
    names = [manifests.full_name(foreign.mapping(one.get("manifest"))) for one in ready]
    before = {str(one) for one in foreign.items(context.stage.context.get(APPLIED))} | set(names[:sent])
    applied: list[str] = [one for one in names if one in before]
    missing = [one for one in names if one not in before]
    problem = _problem(failure)
    if applied:
        said = f"Applied before it: {_few(applied)}. Not applied: {_few(missing) or 'none'}."
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


def _problem(failure: Refused | ApiFailure) -> Problem:
    if isinstance(failure, Refused):
        return failure.problems[0]
    return Problem(code="kubernetes.unavailable", message=_sentence(str(failure)))


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more}"
