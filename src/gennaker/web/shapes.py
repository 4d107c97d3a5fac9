"""Shapes of the native API: executions, stages, releases, evidence as camelCase JSON with times in RFC 3339."""

from datetime import datetime

from gennaker.interfaces.evidence import EvidenceItem, LogFile
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.execution import Execution, Stage, Task
from gennaker.model.foreign import flag
from gennaker.model.release import Release
from gennaker.model.waiting import Waiting, said

_SHOWN_TRIGGER_KEYS = ("type", "user", "tag", "digest", "hash", "branch", "project", "slug", "repository", "parameters")


def execution(found: Execution) -> JsonObject:
    """An execution with its stages."""
    return {**summary(found), "stages": [stage(one) for one in found.in_order()]}


def summary(found: Execution) -> JsonObject:
    """An execution without its stages."""
    head = found.head
    return {
        "id": head.id,
        "kind": head.kind.value,
        "application": head.application,
        "name": head.name or head.description,
        "pipelineConfigId": head.pipeline_config_id,
        "status": head.status.value,
        "isDryRun": flag(head.trigger.get("dryRun")),
        "isShadow": flag(head.trigger.get("shadow")),
        "isCanceled": head.is_canceled,
        "canceledBy": head.canceled_by,
        "cancellationReason": head.cancellation_reason,
        "buildTime": instant(head.build_time),
        "startTime": instant(head.start_time),
        "endTime": instant(head.end_time),
        "user": head.authentication.user,
        "behind": head.behind,
        "trigger": {key: head.trigger[key] for key in _SHOWN_TRIGGER_KEYS if head.trigger.get(key) is not None},
        "waitingFor": waiting_for(found),
        "waiting": waiting(_waiting(found)),
        "currentStage": current_stage(found),
        "failedStage": failed_stage(found),
        "problems": _problems(found),
        "version": head.version,
    }


def stage(found: Stage) -> JsonObject:
    """A stage with its tasks."""
    return {
        "id": found.id,
        "refId": found.ref_id,
        "type": found.type,
        "name": found.name,
        "status": found.status.value,
        "requisiteStageRefIds": list(found.requisite_ref_ids),
        "parentId": found.parent_id,
        "side": found.side.value if found.side else None,
        "startTime": instant(found.start_time),
        "endTime": instant(found.end_time),
        "waitingFor": said(_stage_waiting(found)),
        "waiting": waiting(_stage_waiting(found)),
        "context": found.context,
        "outputs": found.outputs,
        "problems": stage_problems(found),
        "judgedBy": found.last_modified.user if found.last_modified else None,
        "judgedAt": instant(found.last_modified.at) if found.last_modified else None,
        "tasks": [_task(task) for task in found.tasks],
    }


def waiting(found: Waiting | None) -> Json:
    """A wait as data: its `type`, its reason, and what that kind of wait says."""
    if found is None:
        return None
    given = to_json(found)
    assert isinstance(given, dict)
    return {_camel(key): value for key, value in given.items()}


def record(found: Release | EvidenceItem | LogFile) -> JsonObject:
    """A record with all its fields in camelCase, also those that have their usual values; what they hold stays as it is."""
    return {_camel(name): to_json(getattr(found, name)) for name in found.__struct_fields__}


def waiting_for(found: Execution) -> str:
    """Why the execution isn't further, in words: the first stage that says so, else the execution itself."""
    for one in found.in_order():
        if not one.status.is_complete and (waits := _stage_waiting(one)):
            return f"{one.name}: {waits.reason}"
    return "" if found.head.status.is_complete else said(found.head.waiting_for)


def _waiting(found: Execution) -> Waiting | None:
    """As `waiting_for`, as data."""
    stages = (one for one in found.in_order() if not one.status.is_complete)
    first = next((waits for one in stages if (waits := _stage_waiting(one))), None)
    return first or (None if found.head.status.is_complete else found.head.waiting_for)


def current_stage(found: Execution) -> Json:
    """Name of the stage of the pipeline that is under way; None where none is."""
    running = [one for one in found.top_level() if one.start_time and not one.status.is_complete]
    return running[-1].name if running else None


def failed_stage(found: Execution) -> Json:
    """Name of the first stage of the pipeline that nothing follows because it didn't succeed; None where there is none."""
    return next((one.name for one in found.top_level() if one.status.is_halt), None)


def stage_problems(found: Stage) -> list[Json]:
    """What went wrong in a stage."""
    listed = found.context.get("problems")
    return listed if isinstance(listed, list) else []


def instant(at: datetime | None) -> Json:
    """RFC 3339, or None."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def _problems(found: Execution) -> list[Json]:
    # Most work is done by stages below those of the pipeline; some of these repeat what those below have said.
    listed: list[Json] = []
    for one in found.in_order():
        listed += [problem for problem in stage_problems(one) if problem not in listed]
    reason = found.head.cancellation_reason
    if not reason and not found.stages and found.head.status.is_halt:
        reason = "The pipeline has no stages."
    if not listed and reason:
        listed.append({"code": "execution.ended", "message": reason})
    return listed


def _stage_waiting(found: Stage) -> Waiting | None:
    waits = [task.waiting_for for task in found.tasks if task.waiting_for and not task.status.is_complete]
    return waits[0] if waits else found.waiting_for


def _task(task: Task) -> JsonObject:
    return {
        "id": task.id,
        "name": task.name,
        "status": task.status.value,
        "startTime": instant(task.start_time),
        "endTime": instant(task.end_time),
        "waitingFor": said(task.waiting_for),
        "waiting": waiting(task.waiting_for),
        "due": instant(task.due),
    }


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
