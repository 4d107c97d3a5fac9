"""Deployment monitors: services outside that say after each step of the strategy `monitored` how it goes on. Orca's protocol.

Three calls, all POST below a monitor's address: `/deployment/starting` and `/deployment/evaluateHealth`, whose answers steer, and
`/deployment/completed`, which only tells. An answer is `{"nextStep": {"directive": …}, "statusReasons": […]}` with `continue`,
`wait`, `complete` or `abort`. Which monitors there are stand in the settings: no pipeline can have another address called.
"""

from datetime import datetime, timedelta

import msgspec

from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model import foreign, waiting
from gennaker.model.codec import JsonObject, decode_json, encode
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.deploy import rollouts
from gennaker.settings import DeploymentMonitorSettings
from gennaker.transport.http import GuardedClient, HttpFailure, HttpLimits, host_and_port

KEY = "deploymentMonitor"
_ASKS_AGAIN = timedelta(seconds=30)
_RETRIES = 3
_REASONS = "deploymentMonitorReasons"
_COMPLETE = "deploymentMonitorCompletes"
"""The rollout of which a monitor has said so; stages of other rollouts see it, too."""
_SUMMARIES = {
    "continue": "The deployment monitor found the instances healthy.",
    "complete": "The deployment monitor found the instances healthy, and asks for no further steps.",
}
_LIMITS = HttpLimits(read_seconds=30.0, total_seconds=60.0, redirects=0)


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON; the strategy plans it."""

    deployment_monitor: JsonObject = {}  # noqa: RUF012 - msgspec copies it
    current_progress: float = 0


class Unanswered(Exception):
    """The monitor gave no answer that says how to go on; the text says why."""


def find(services: Services, wanted: JsonObject) -> DeploymentMonitorSettings:
    """The monitor that a cluster names. Raises Refused."""
    named = foreign.text_at(wanted, "id")
    found = services.settings.deployment_monitors.get(named)
    if found is None:
        listed = ", ".join(sorted(services.settings.deployment_monitors)) or "none"
        raise Refused(
            Problem(
                code="deploy.monitor",
                message=f"There is no deployment monitor {named!r}." if named else "`deploymentMonitor` names no `id`.",
                remedy=f"There are: {listed}. They are settings: [deployment-monitors.NAME] with base-url.",
                pointer=f"/{KEY}/id",
            )
        )
    return found


async def start(context: TaskContext) -> TaskResult:
    """Says that a deploy begins; the monitor may refuse it."""
    return await _steered(context, "starting", {})


async def evaluate(context: TaskContext) -> TaskResult:
    """Asks how a step has gone, again and again while the monitor wants to look on."""
    rollout = context.stage.context.get(rollouts.CONTEXT_KEY)
    if rollout and context.lookup(_COMPLETE) == rollout:
        return Done(context={_REASONS: {"summary": _SUMMARIES["complete"]}})
    progress = context.stage.context.get("currentProgress")
    return await _steered(context, "evaluateHealth", {"newInstances": [], "currentProgress": progress})


async def complete(context: TaskContext) -> TaskResult:
    """Tells how it has ended; whatever the monitor says changes nothing."""
    own = context.stage.context
    told: JsonObject = {"status": own.get("status"), "rollback": own.get("rollback")}
    try:
        await _asked(context, _monitor(context), "completed", told)
    except (Unanswered, Refused) as error:  # Refused: the settings know it no more
        return Done(context={_REASONS: {"summary": f"It could not be told: {error}"}})
    return Done()


async def _steered(context: TaskContext, call: str, more: JsonObject) -> TaskResult:
    monitor, memory = _monitor(context), context.task.memory
    began = memory.get("askedSince")
    since = datetime.fromisoformat(began) if isinstance(began, str) else context.at
    kept: JsonObject = {**memory, "askedSince": since.isoformat()}
    gives_up_at = since + timedelta(minutes=_minutes(context, monitor))
    try:
        answer = await _asked(context, monitor, call, more)
    except Unanswered as error:
        failures = foreign.natural(foreign.written(memory.get("failures") or 0)) or 0
        if failures < _RETRIES:
            return _again(
                context,
                f"an answer of the deployment monitor: {error}",
                {**kept, "failures": failures + 1},
                gives_up_at,
            )
        return _without(context, monitor, f"It gave no valid answer: {error}")
    directive = foreign.text_at(foreign.mapping(answer.get("nextStep")), "directive").lower()
    reasons: JsonObject = {"reasons": foreign.items(answer.get("statusReasons"))}
    match directive:
        case "wait" if context.at < gives_up_at:
            return _again(
                context, f"the deployment monitor to judge{_said(answer)}", {**kept, "failures": 0}, gives_up_at
            )
        case "wait":
            return _without(context, monitor, f"It did not judge within {_minutes(context, monitor):g} minutes.")
        case "abort":
            return Failed(problem=_aborted(context, answer), context={_REASONS: reasons})
        case "complete":
            rollout: JsonObject = {_COMPLETE: context.stage.context.get(rollouts.CONTEXT_KEY)}
            return Done(context={_REASONS: {"summary": _SUMMARIES[directive], **reasons}}, outputs=rollout)
        case "continue":
            return Done(context={_REASONS: {"summary": _SUMMARIES[directive], **reasons}})
        case _:
            return _without(context, monitor, f"It answered with the directive {directive!r}, which is none.")


async def _asked(context: TaskContext, monitor: DeploymentMonitorSettings, call: str, more: JsonObject) -> JsonObject:
    own, url = context.stage.context, f"{monitor.base_url.rstrip('/')}/deployment/{call}"
    told: JsonObject = {
        "application": context.execution.head.application,
        "executionId": context.execution.head.id,
        "stageId": context.stage.id,
        "deploymentId": context.stage.parent_id,
        "oldServerGroup": own.get("oldServerGroup"),
        "newServerGroup": own.get("serverGroupName"),
        "account": own.get("credentials") or own.get("account"),
        "region": own.get("region"),
        "cloudProvider": own.get("cloudProvider"),
        "parameters": foreign.mapping(foreign.mapping(own.get(KEY)).get("parameters")),
        **more,
    }
    try:
        client = GuardedClient(allowed=(host_and_port(url),), limits=_LIMITS)
        try:
            answer = await client.request("POST", url, headers={"content-type": "application/json"}, body=encode(told))
        finally:
            await client.close()
    except HttpFailure as error:
        raise Unanswered(str(error)) from error
    if not 200 <= answer.status < 300:
        raise Unanswered(f"{url} answered {answer.status}.")
    try:
        return foreign.mapping(decode_json(answer.body)) if answer.body else {}
    except msgspec.DecodeError as error:
        raise Unanswered(f"{url} answered something else than JSON.") from error


def _monitor(context: TaskContext) -> DeploymentMonitorSettings:
    return find(context.services, foreign.mapping(context.stage.context.get(KEY)))


def _minutes(context: TaskContext, monitor: DeploymentMonitorSettings) -> float:
    given = foreign.mapping(context.stage.context.get(KEY)).get("maxAnalysisMinutesOverride")
    return foreign.natural(foreign.written(given), most=525_600) or monitor.max_analysis_minutes


def _again(context: TaskContext, reason: str, memory: JsonObject, gives_up_at: datetime) -> Again:
    name = foreign.text_at(foreign.mapping(context.stage.context.get(KEY)), "id")
    waits = waiting.ForObject(reason=reason, kind="deployment-monitor", name=name, gives_up_at=gives_up_at)
    return Again(after=_ASKS_AGAIN, waiting_for=waits, memory=memory)


def _without(context: TaskContext, monitor: DeploymentMonitorSettings, why: str) -> TaskResult:
    """What becomes of a step of which the monitor has said nothing that counts."""
    override = foreign.mapping(context.stage.context.get(KEY)).get("failOnErrorOverride")
    if monitor.fail_on_error if override is None else foreign.flag(override):
        return Failed(
            problem=Problem(
                code="deploy.monitor_failed",
                message=f"The deployment monitor can't be believed. {why}",
                remedy="Look at it, then restart the stage; or set its fail-on-error to false.",
            )
        )
    return Done(context={_REASONS: {"summary": f"{why} The deploy goes on, as fail-on-error is false."}})


def _aborted(context: TaskContext, answer: JsonObject) -> Problem:
    progress = context.stage.context.get("currentProgress")
    where = f" at {progress:g}%" if isinstance(progress, int | float) and progress else ""
    return Problem(
        code="deploy.monitor_abort",
        message=f"The deployment monitor stops the deploy{where}{_said(answer)}.",
        remedy="Look at what it names; the version before serves again.",
    )


def _said(answer: JsonObject) -> str:
    reasons = [foreign.text_at(one, "message").rstrip(".") for one in foreign.mappings_at(answer, "statusReasons")]
    listed = "; ".join(one for one in reasons if one)
    return f": {listed}" if listed else ""


def _stage(name: str, label: str, run: TaskType) -> StageType:
    return StageType(
        name=name,
        label=label,
        about=f"{label}: asks the deployment monitor; the strategy `monitored` plans it.",
        spec=Spec,
        tasks=(run,),
    )


_DAYS = timedelta(days=366)
"""A monitor's own limit counts."""
stages = (
    _stage(
        "notifyDeployStarting",
        "Notify Deploy Starting",
        TaskType(name="notifyDeployStarting", run=start, stop=rollouts.stop, timeout=_DAYS),
    ),
    _stage(
        "evaluateDeploymentHealth",
        "Evaluate Deployment Health",
        TaskType(name="evaluateDeploymentHealth", run=evaluate, stop=rollouts.stop, timeout=_DAYS),
    ),
    _stage("notifyDeployCompleted", "Notify Deploy Completed", TaskType(name="notifyDeployCompleted", run=complete)),
)
