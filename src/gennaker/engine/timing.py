"""Timing: time limits that leave paused time out, pauses between polls and before retries.

Limits are deadlines: an instant at which a durable timer rings. What a pause adds is kept with each task and stage
(`paused_for`), so that the deadline after any number of pauses is exact.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from gennaker.engine import graph, keys
from gennaker.engine.draft import Draft
from gennaker.engine.rules import Rules
from gennaker.model import lengths, time_limits
from gennaker.model.codec import JsonObject
from gennaker.model.execution import Stage, Task

WINDOW_TYPE = "restrictExecutionDuringTimeWindow"
"""Stages of this type wait for an execution window: exempt from all limits."""
SKIPPED_BY: Mapping[str, JsonObject] = MappingProxyType(
    {
        "wait": {"skipRemainingWait": True},
        WINDOW_TYPE: {"skipRemainingWait": True},
        "waitForCondition": {"status": "SKIPPED"},
    }
)
"""Stages that only wait, and what in their contexts says that they needn't any longer."""
_ACCOUNT_KEYS = ("account.name", "account", "credentials")
"""Where stages name their account, as Orca reads them."""
_LONGEST_RETRY_PAUSE = timedelta(minutes=1)
_SPREAD = 0.1
"""Retries come up to this share earlier, so that many that failed together don't return together."""


def poll_pause(rules: Rules, stage: Stage, asked: timedelta) -> timedelta:
    """How long a task that said "again" rests: what it asked for, or more.

    More if the stage wants it (`backoffPeriodMs`), or the operator for all tasks, a cloud provider or an account; never
    more than the operator allows.
    """
    seconds = [rules.back_off_seconds]
    of_provider = rules.back_off_of_providers.get(str(stage.context.get("cloudProvider")))
    if of_provider is not None:
        named = (str(stage.context[key]) for key in _ACCOUNT_KEYS if stage.context.get(key))
        seconds += [of_provider.seconds, of_provider.by_account.get(next(named, ""), 0)]
    by_stage = time_limits.of_json(stage.context.get("backoffPeriodMs")) or timedelta()
    wanted = max(asked, by_stage, lengths.of_seconds(max(seconds)))
    longest = lengths.of_seconds(rules.longest_back_off_seconds) or lengths.LONGEST
    return min(wanted, longest, lengths.LONGEST)


def retry_pause(task: Task, key: str) -> timedelta:
    """The pause before the retry that follows the task's latest failure: doubled each time, up to a minute."""
    doublings = min(max(task.failures - 1, 0), 20)
    doubled = min(task.retry_after, _LONGEST_RETRY_PAUSE) * (1 << doublings)
    return min(doubled, _LONGEST_RETRY_PAUSE) * (1 - _SPREAD * keys.fraction(key))


def task_deadline(draft: Draft, stage: Stage, task: Task) -> datetime | None:
    """When the task's own limit is reached; None: it has none."""
    if stage.type == WINDOW_TYPE or task.start_time is None:
        return None
    limit = task.timeout
    if task.is_timeout_overridable:
        limit = time_limits.around(draft.stages, stage) or limit
    return None if limit is None else task.start_time + min(limit, lengths.LONGEST) + task.paused_for


def stage_deadline(draft: Draft, stage: Stage) -> datetime | None:
    """When the stage's own limit is reached: paused time and the wait for its execution window don't count."""
    limit = time_limits.of_stage(stage)
    if limit is None or stage.start_time is None or stage.type == WINDOW_TYPE:
        return None
    return stage.start_time + limit + stage.paused_for + _in_window(draft, stage)


def _in_window(draft: Draft, stage: Stage) -> timedelta:
    """How long the stage has waited for its execution window until now, without pauses (they are counted apart)."""
    total = timedelta()
    for child in graph.children(draft.graph, draft.stages, stage.id):
        if child.type == WINDOW_TYPE and child.start_time is not None:
            total += (child.end_time or draft.at) - child.start_time - child.paused_for
    return total


def in_words(length: timedelta) -> str:
    """`2 hours 5 minutes`: the two largest units that aren't nothing."""
    seconds = int(length.total_seconds())
    parts: list[str] = []
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return " ".join(parts[:2]) or "0 seconds"
