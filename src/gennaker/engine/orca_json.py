"""Orca's JSON of an execution: what expressions see and what Gate's clients read.

Only this direction: executions are stored as our own records. Times are epoch milliseconds.
"""

from datetime import timedelta

from gennaker.engine import lookup
from gennaker.model import ancestry, foreign
from gennaker.model.codec import Json, JsonObject, milliseconds
from gennaker.model.execution import Execution, LastModified, Paused, Stage, SystemNotification, Task


def execution_json(execution: Execution) -> JsonObject:
    """The execution with all its stages."""
    stages: list[Json] = [stage_json(stage) for stage in execution.in_order()]
    return {**head_json(execution), "context": lookup.execution_context(execution), "stages": stages}


def head_json(execution: Execution) -> JsonObject:
    """The execution as if it had no stages."""
    head = execution.head
    allowed: list[Json] = list(head.authentication.allowed_accounts)
    authentication: JsonObject = {"user": head.authentication.user, "allowedAccounts": allowed}
    notifications: list[Json] = list(head.notifications)
    return {
        "type": head.kind.value,
        "id": head.id,
        "rootId": head.root_id or head.id,
        "application": head.application,
        "name": head.name,
        "description": head.description or None,
        "buildTime": milliseconds(head.build_time),
        "startTime": milliseconds(head.start_time),
        "endTime": milliseconds(head.end_time),
        "startTimeExpiry": milliseconds(head.start_time_expiry),
        "status": head.status.value,
        "canceled": head.is_canceled,
        "canceledBy": head.canceled_by,
        "cancellationReason": head.cancellation_reason,
        "limitConcurrent": head.limit_concurrent,
        "maxConcurrentExecutions": head.max_concurrent_executions,
        "keepWaitingPipelines": head.keep_waiting_pipelines,
        "context": {},
        "stages": [],
        "trigger": _trigger(head.trigger),
        "authentication": authentication,
        "paused": _paused(head.paused),
        "origin": head.origin,
        "pipelineConfigId": head.pipeline_config_id,
        "source": head.source,
        "notifications": notifications,
        "initialConfig": head.initial_config,
        "systemNotifications": [_system_notification(one) for one in head.system_notifications],
        "spelEvaluator": head.spel_evaluator,
        "templateVariables": head.template_variables or None,
        "partition": head.partition,
        "additionalHeaders": dict(head.additional_headers),
    }


def _trigger(own: JsonObject) -> JsonObject:
    """With what Orca writes for every trigger: clients read it without looking, and walk up the triggers of all parents."""
    parent = own.get(ancestry.KEY)
    shown: JsonObject = {
        "parameters": {},
        "artifacts": [],
        "notifications": [],
        "rebake": False,
        "dryRun": False,
        "strategy": False,
        "resolvedExpectedArtifacts": [],
        **own,
    }
    if isinstance(parent, dict):
        shown[ancestry.KEY] = {"stages": [], **parent, "trigger": _trigger(foreign.mapping(parent.get("trigger")))}
    return shown


def outline_json(execution: Execution) -> JsonObject:
    """As `execution_json`, without what stages hold and do (Orca's `expand=false`); a stage's `group` stays."""
    shown = execution_json(execution)
    stages: list[Json] = [
        {**stage_json(one), "context": _group(one), "outputs": {}, "tasks": []} for one in execution.in_order()
    ]
    return {**shown, "stages": stages}


def _group(stage: Stage) -> JsonObject:
    return {"group": stage.context["group"]} if "group" in stage.context else {}


def orchestration_json(execution: Execution) -> JsonObject:
    """An orchestration as Gate shows it: what all contexts say, and the tasks of all stages as its steps."""
    variables: JsonObject = {}
    steps: list[Json] = []
    for stage in execution.in_order():
        variables |= {key: value for key, value in stage.context.items() if value != []}
        steps += [_task(task) for task in stage.tasks]
    head = execution.head
    if not execution.stages and head.cancellation_reason:  # pages look for what went wrong among the variables
        variables["exception"] = {"details": {"error": "", "errors": [head.cancellation_reason]}}
    listed: list[Json] = [{"key": key, "value": value} for key, value in variables.items()]
    return {
        "id": head.id,
        "name": head.description or head.name,
        "application": head.application,
        "status": head.status.value,
        "variables": listed,
        "steps": steps,
        "buildTime": milliseconds(head.build_time),
        "startTime": milliseconds(head.start_time),
        "endTime": milliseconds(head.end_time),
        "execution": execution_json(execution),
    }


_MANY = 64
"""Stages from which on an execution's are remembered: below it making them costs less than a hundredth of a step."""
_REMEMBERED = 4
_seen: dict[str, dict[str, tuple[Stage, JsonObject]]] = {}
"""By execution and stage, the version and its JSON, of the last large executions that were looked at; bounded. Forgetting
one costs time, never correctness."""


def seen_stages(execution: Execution) -> list[Json]:
    """`stage_json` of all stages, for those who don't change it: each version of a stage is made once, however many steps look."""
    if len(execution.stages) <= _MANY:
        return [stage_json(stage) for stage in execution.in_order()]
    known = _seen.pop(execution.head.id, {})
    made: dict[str, tuple[Stage, JsonObject]] = {}
    for stage in execution.in_order():
        found = known.get(stage.id)
        made[stage.id] = found if found is not None and found[0] is stage else (stage, stage_json(stage))
    _seen[execution.head.id] = made
    for oldest in list(_seen)[:-_REMEMBERED]:
        _seen.pop(oldest, None)
    return [shown for _, shown in made.values()]


def stage_json(stage: Stage) -> JsonObject:
    """A stage with its tasks."""
    tasks: list[Json] = [_task(task) for task in stage.tasks]
    required: list[Json] = list(stage.requisite_ref_ids)
    return {
        "id": stage.id,
        "refId": stage.ref_id,
        "type": stage.type,
        "name": stage.name,
        "startTime": milliseconds(stage.start_time),
        "endTime": milliseconds(stage.end_time),
        "startTimeExpiry": milliseconds(stage.start_time_expiry),
        "scheduledTime": milliseconds(stage.scheduled_time),
        "status": stage.status.value,
        "context": stage.context,
        "outputs": stage.outputs,
        "tasks": tasks,
        "syntheticStageOwner": stage.side.value if stage.side else None,
        "parentStageId": stage.parent_id,
        "requisiteStageRefIds": required,
        "lastModified": _modified(stage.last_modified),
    }


def _task(task: Task) -> JsonObject:
    return {
        "id": task.id,
        "name": task.name,
        "implementingClass": task.implementing_class,
        "startTime": milliseconds(task.start_time),
        "endTime": milliseconds(task.end_time),
        "status": task.status.value,
        "stageStart": task.is_stage_start,
        "stageEnd": task.is_stage_end,
        "loopStart": task.is_loop_start,
        "loopEnd": task.is_loop_end,
        "taskExceptionDetails": task.exception,
    }


def _modified(last: LastModified | None) -> Json:
    if last is None:
        return None
    return {"user": last.user, "allowedAccounts": [], "lastModifiedTime": milliseconds(last.at)}


def _system_notification(one: SystemNotification) -> JsonObject:
    return {
        "createdAt": milliseconds(one.created_at),
        "group": one.group,
        "message": one.message,
        "closed": one.is_closed,
    }


def _paused(paused: Paused | None) -> Json:
    if paused is None:
        return None
    length = paused.resume_time - paused.pause_time if paused.resume_time else timedelta()
    return {
        "pausedBy": paused.paused_by,
        "pauseTime": milliseconds(paused.pause_time),
        "resumedBy": paused.resumed_by,
        "resumeTime": milliseconds(paused.resume_time),
        "paused": paused.resume_time is None,
        "pausedMs": length // timedelta(milliseconds=1),
    }
