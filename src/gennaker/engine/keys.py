"""Keys of effects and ids of stages: derived, so that replaying gives the same.

A key names an attempt at something for ever. Its parts are separated by `/`; a refId is quoted so that it can't
contain one. What changes between attempts (restarts, loops, polls, preparations) is part of the key.
"""

import hashlib
from urllib.parse import quote, unquote

from gennaker.model.execution import Stage, Task

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""The digits of ULIDs, in base 32."""
_PAIRS = tuple(first + second for first in _CROCKFORD for second in _CROCKFORD)
"""Two digits for ten bits."""
_SHIFTS = range(120, -1, -10)
"""A ULID has 130 bits, of which the first two are 0."""
_LEGIBLE = "<>~!$&'()*+,;=:@ "
"""Characters of refIds that stay as they are; `/` and `%` don't."""


def derived_id(*parts: str) -> str:
    """26 characters in the form of a ULID, the same for the same parts."""
    number = int.from_bytes(hashlib.sha256("\x00".join(parts).encode()).digest()[:16], "big")
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS])


def stage_id(execution_id: str, ref_id: str) -> str:
    """The id of the stage that has this refId in this execution."""
    return derived_id(execution_id, ref_id)


def fraction(text: str) -> float:
    """A number from 0 to below 1 that depends on the text only: chance that can be replayed."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def submission(execution_id: str) -> str:
    """PrepareSubmission."""
    return f"{execution_id}/submission"


def prepare_stage(execution_id: str, stage: Stage) -> str:
    """PrepareStage."""
    return f"{_stage(execution_id, stage)}/prepare/{stage.attempt}/{stage.preparation}"


def prepare_after(execution_id: str, stage: Stage, kind: str) -> str:
    """PrepareAfterStages."""
    return f"{_stage(execution_id, stage)}/prepare-{kind}/{stage.attempt}/{stage.preparation}"


def attempt(execution_id: str, stage: Stage, task: Task) -> str:
    """One attempt at a task, over all its polls: the idempotency key for what the task creates."""
    ref = stage.ref_id  # as `_stage`, written out: no other key is made as often
    ref = ref if ref.isalnum() else quote(ref, safe=_LEGIBLE)
    return f"{execution_id}/{ref}/{task.id}/{stage.attempt}.{task.attempt}"


def run(execution_id: str, stage: Stage, task: Task) -> str:
    """RunTask: one poll of an attempt."""
    return f"{attempt(execution_id, stage, task)}/{task.poll}"


def prepare_task(execution_id: str, stage: Stage, task: Task) -> str:
    """PrepareTask; counts in polls too, because a patch meanwhile makes it begin anew."""
    return f"{attempt(execution_id, stage, task)}/prepare/{task.poll}"


def stop(execution_id: str, stage: Stage, task: Task) -> str:
    """StopTask."""
    return f"{attempt(execution_id, stage, task)}/stop"


def task_deadline(execution_id: str, stage: Stage, task: Task) -> str:
    """StartTimer: the task's time limit."""
    return f"{attempt(execution_id, stage, task)}/deadline"


def carried_deadline(key: str) -> str:
    """The same for the task that a RunTask or PrepareTask of this key is about."""
    return f"{key.rpartition('/')[0].removesuffix('/prepare')}/deadline"


def stage_deadline(execution_id: str, stage: Stage) -> str:
    """StartTimer: the stage's time limit."""
    return f"{_stage(execution_id, stage)}/deadline/{stage.attempt}"


def timed_stage(execution_id: str, key: str) -> tuple[str, str] | None:
    """The stage's id and the task's (or "") that a timer's key is about; None: it is no key of this execution."""
    parts = key.removeprefix(f"{execution_id}/").split("/")
    match parts:
        case [ref, "deadline", _]:
            return stage_id(execution_id, unquote(ref)), ""
        case [ref, task_id, _, "deadline"]:
            return stage_id(execution_id, unquote(ref)), task_id
        case _:
            return None


def notify_stage(execution_id: str, stage: Stage, *, moment: str, occasion: str, number: int) -> str:
    """Notify about a stage; `occasion` tells apart the times at which a moment comes in one attempt."""
    return f"{_stage(execution_id, stage)}/notify/{moment}/{occasion}/{number}"


def notify_execution(execution_id: str, moment: str, version: int, number: int) -> str:
    """Notify about the execution; the version tells apart the runs of a restarted one."""
    return f"{execution_id}/notify/{moment}/{version}/{number}"


def tell_queue(execution_id: str, what: str, version: int) -> str:
    """TellQueue."""
    return f"{execution_id}/queue/{what}/{version}"


def ended(execution_id: str, version: int) -> str:
    """Announce that the execution has ended."""
    return f"{execution_id}/ended/{version}"


def deliver(source: str, what: str, target: str, version: int) -> str:
    """Deliver an event to another execution."""
    return f"{source}/{what}/{target}/{version}"


def _stage(execution_id: str, stage: Stage) -> str:
    ref = stage.ref_id
    return f"{execution_id}/{ref if ref.isalnum() else quote(ref, safe=_LEGIBLE)}"
