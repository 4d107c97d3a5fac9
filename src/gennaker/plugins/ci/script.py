"""Script: runs Spinnaker's script job with the stage's script, command and place as parameters.

`script-master` and `script-job` of the settings say which job that is; the stage's `master` and `job` go first. Where nobody
says it, the built-in builder runs the command in a commit of `repoUrl`.
"""

from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.ci import jobs, stage_settings, starting

_PARAMETERS = {
    "SCRIPT_PATH": "scriptPath",
    "COMMAND": "command",
    "IMAGE_ID": "image",
    "REGION_PARAM": "region",
    "ENV_PARAM": "account",
    "CLUSTER_PARAM": "cluster",
    "CMC": "cmc",
}
_ON_BUILDER = "script"
"""What the job is called where the builder does it."""
_OPTIONAL = {"REPO_URL": "repoUrl", "REPO_BRANCH": "repoBranch"}


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    script_path: str = ""
    command: str = ""
    master: str = ""
    job: str = ""
    wait_for_completion: bool | str = True


async def plan(spec: StageSpec, context: StageContext) -> Plan:
    """Start, then follow unless the stage doesn't wait."""
    assert isinstance(spec, Spec)
    settings = context.services.settings
    master = spec.master or settings.script_master or _builder(context)
    job = spec.job or settings.script_job or (_ON_BUILDER if master == stage_settings.BUILDER else "")
    if not master or not job:
        raise Refused(
            Problem(
                code="ci.no_script_job",
                message="No job for script stages is known.",
                remedy="Set script-master and script-job, or the stage's `master` and `job`.",
            )
        )
    waits = str(spec.wait_for_completion).lower() != "false"
    tasks = (_START, _WAIT, *((_MONITOR, jobs.properties_task) if waits else ()))
    return Plan(tasks=tuple(task.planned() for task in tasks), context={"master": master, "job": job})


def _builder(context: StageContext) -> str:
    return stage_settings.BUILDER if stage_settings.BUILDER in context.services.ci else ""


async def start(context: TaskContext) -> TaskResult:
    """Starts the job."""
    return await starting.start(context, stage_settings.request(context, _parameters(context)))


def _parameters(context: TaskContext) -> JsonObject:
    from_trigger = context.execution.head.trigger.get("parameters")
    supplied = from_trigger if isinstance(from_trigger, dict) else {}
    is_strategy = "strategy" in supplied

    def value(key: str) -> Json:
        own = context.stage.context.get(key)
        if own in (None, "") and is_strategy:  # a deployment strategy hands on what it deploys
            return supplied.get(key)
        return own

    parameters: JsonObject = {name: value(key) for name, key in _PARAMETERS.items()}
    given = {name: value(key) for name, key in _OPTIONAL.items()}
    if context.stage.context.get("master") == stage_settings.BUILDER:  # which has to know what to keep
        given["PROPERTY_FILE"] = stage_settings.property_file(context)
    return {**parameters, **{name: one for name, one in given.items() if one}}


_START = TaskType(name="startScript", run=start, stop=starting.stop, timeout=jobs.START_TIMEOUT)
_WAIT, _MONITOR = jobs.tasks_named("Script")[1:3]
stage = StageType(
    name="script",
    label="Script",
    about=__doc__,
    spec=Spec,
    tasks=(_START, _WAIT, _MONITOR, jobs.properties_task),
    plan=plan,
    plan_on_failure=jobs.plan_on_failure,
    restart_clears=jobs.CLEARED,
    restart_remembers=jobs.REMEMBERED,
)
