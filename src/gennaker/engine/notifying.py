"""Notifying: which messages a moment causes.

Rules as in Echo: a notification is sent if its `when` names the moment; cancelled executions and stages and synthetic
stages send nothing; a stage's own are sent only if it says `sendNotifications`. Notifications that name a moment of a
manual judgment are sent for those moments alone, and the first of these (somebody is waited for) even without
`sendNotifications`; each once for a start of the stage, and again whenever its `notifyEveryMs` has passed. A run in
shadow (`trigger.shadow`) tells nobody anything.
"""

from datetime import datetime

from gennaker.engine import keys
from gennaker.engine.draft import Draft
from gennaker.model import foreign
from gennaker.model.codec import JsonObject, milliseconds
from gennaker.model.effect import Notify
from gennaker.model.execution import ExecutionKind, Stage, Task
from gennaker.model.statuses import Status

JUDGMENTS = frozenset({"manualJudgment", "manualJudgmentContinue", "manualJudgmentStop"})
_SENT = "lastNotifiedByNotificationState"
"""Orca's key: when a notification was last sent for each moment of a judgment."""
_KIND = {ExecutionKind.PIPELINE: "pipeline", ExecutionKind.ORCHESTRATION: "task"}


def starting(draft: Draft) -> None:
    """The execution has begun."""
    _of_execution(draft, "starting")


def ended(draft: Draft) -> None:
    """The execution has ended."""
    _of_execution(draft, "complete" if draft.head.status.is_successful else "failed")


def stage_starting(draft: Draft, stage: Stage) -> None:
    """A stage was planned and runs."""
    _of_stage(draft, stage, "stage.starting")


def stage_ended(draft: Draft, stage: Stage) -> None:
    """A stage has ended; one that was skipped tells nobody."""
    if stage.status is Status.SUCCEEDED:
        _of_stage(draft, stage, "stage.complete")
    elif stage.status not in (Status.SKIPPED, Status.CANCELED):
        _of_stage(draft, stage, "stage.failed")


def announced(draft: Draft, stage: Stage, task: Task, moment: str) -> None:
    """A task has said that a moment has come, e.g. `manualJudgment`."""
    if moment != "manualJudgment" and not foreign.flag(stage.context.get("sendNotifications")):
        return
    occasion = f"{stage.attempt}.{task.attempt}.{task.poll}"
    listed = stage.context.get("notifications")
    noted = list(foreign.items(listed))
    number = -1
    for place, notification in enumerate(noted):
        if not isinstance(notification, dict):
            continue
        number += 1
        if notification.get("when") and not _names(notification, moment):
            continue
        if moment in JUDGMENTS and not _is_due(notification, moment, stage, draft.at):
            continue
        key = keys.notify_stage(draft.id, stage, moment=moment, occasion=occasion, number=number)
        _send(draft, key, notification, moment=moment, stage=stage)
        noted[place] = _noted(notification, moment, draft.at)
    if moment in JUDGMENTS and noted != listed:
        draft.put_context(stage.id, {**draft.stages[stage.id].context, "notifications": noted})


def _is_due(notification: JsonObject, moment: str, stage: Stage, at: datetime) -> bool:
    """It wasn't sent since the stage has started, or so long ago that it is time for a reminder."""
    sent = notification.get(_SENT)
    last = sent.get(moment) if isinstance(sent, dict) else None
    now, began = milliseconds(at), milliseconds(stage.start_time)
    if not isinstance(last, int) or now is None or (began is not None and last < began):
        return True
    every = notification.get("notifyEveryMs")
    return isinstance(every, int | float) and every > 0 and now - last >= every


def _noted(notification: JsonObject, moment: str, at: datetime) -> JsonObject:
    sent = notification.get(_SENT)
    return {**notification, _SENT: {**(sent if isinstance(sent, dict) else {}), moment: milliseconds(at)}}


def wants(notification: JsonObject, moment: str) -> bool:
    """Whether a notification is sent at a moment that isn't about a judgment."""
    if any(_names(notification, judgment) for judgment in JUDGMENTS):
        return False
    return _names(notification, moment)


def _of_execution(draft: Draft, what: str) -> None:
    if draft.head.is_canceled or draft.head.status is Status.CANCELED:
        return
    moment = f"{_KIND[draft.head.kind]}.{what}"
    for number, notification in enumerate(draft.head.notifications):
        if wants(notification, moment):
            key = keys.notify_execution(draft.id, moment, draft.head.version, number)
            _send(draft, key, notification, moment=moment)


def _of_stage(draft: Draft, stage: Stage, moment: str) -> None:
    if stage.is_synthetic or draft.head.is_canceled or not foreign.flag(stage.context.get("sendNotifications")):
        return
    for number, notification in enumerate(foreign.mappings(stage.context.get("notifications"))):
        if wants(notification, moment):
            key = keys.notify_stage(draft.id, stage, moment=moment, occasion=str(stage.attempt), number=number)
            _send(draft, key, notification, moment=moment, stage=stage)


def _send(draft: Draft, key: str, notification: JsonObject, *, moment: str, stage: Stage | None = None) -> None:
    if foreign.flag(draft.head.trigger.get("shadow")):
        return  # another system runs it, and has told them
    draft.emit(
        Notify(
            key=key,
            notification=notification,
            moment=moment,
            stage_id=stage.id if stage else None,
        )
    )


def _names(notification: JsonObject, moment: str) -> bool:
    when = notification.get("when")
    return isinstance(when, str | list) and moment in when
