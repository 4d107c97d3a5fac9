"""Job stages: a build of a CI system as a stage. One behaviour under the names that Spinnaker and the vendors use."""

from datetime import timedelta

from gennaker.interfaces import produced
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model.event import Done, Failed, PlannedStage, TaskResult
from gennaker.plugins.ci import stage_settings, starting, watching
from gennaker.plugins.ci.stage_settings import Spec

CLEARED = ("queuedBuild", "buildNumber", "buildInfo", "propertyFileContents", "artifacts", "resolvedExpectedArtifacts")
"""By a restart."""
REMEMBERED = ("buildInfo",)
START_TIMEOUT = timedelta(minutes=15)
_LONG = timedelta(hours=2)


async def start(context: TaskContext) -> TaskResult:
    """Starts the stage's job with its parameters."""
    return await starting.start(context, stage_settings.request(context))


async def try_properties(context: TaskContext) -> TaskResult:
    """What a failed build has left nevertheless; nothing is no failure."""
    result = await watching.properties(context)
    return Done() if isinstance(result, Failed) else result


def tasks_named(name: str) -> tuple[TaskType, ...]:
    """A type's tasks under Spinnaker's names: `startJenkinsJob`, `monitorJenkinsJob`."""
    return (
        TaskType(name=f"start{name}", run=start, stop=starting.stop, timeout=START_TIMEOUT),
        TaskType(name=f"waitFor{name}Start", run=starting.wait_for_number, stop=starting.stop, timeout=_LONG),
        TaskType(name=f"monitor{name}", run=watching.monitor, stop=starting.stop, timeout=_LONG),
        properties_task,
        artifacts_task,
        produced.task,
    )


async def plan_on_failure(_spec: StageSpec, context: StageContext) -> tuple[PlannedStage, ...]:
    """A failed build may have left properties that say more."""
    if not stage_settings.property_file(context) or context.stage.context.get("buildNumber") is None:
        return ()
    keys = ("master", "job", "propertyFile", "property", "buildNumber")
    known = {key: context.stage.context[key] for key in keys if key in context.stage.context}
    return (PlannedStage(type="getProperties", name="Try to get properties file", context=known),)


def _job_stage(name: str, label: str, tasks: tuple[TaskType, ...], aliases: tuple[str, ...] = ()) -> StageType:
    async def plan(spec: StageSpec, _context: StageContext) -> Plan:
        assert isinstance(spec, Spec)
        start_task, wait_task, monitor_task, *after = tasks
        planned = [start_task, wait_task]
        if spec.wait_for_completion:
            planned += [monitor_task, *after[:2]]
        if spec.expected_artifacts:
            planned.append(after[2])
        return Plan(tasks=tuple(task.planned() for task in planned))

    return StageType(
        name=name,
        label=label,
        about=f"Runs a job of a CI system and takes over its properties and artifacts ({label}).",
        spec=Spec,
        tasks=tasks,
        plan=plan,
        plan_on_failure=plan_on_failure,
        aliases=aliases,
        restart_clears=CLEARED,
        restart_remembers=REMEMBERED,
    )


properties_task = TaskType(name="getBuildProperties", run=watching.properties, retry_after=timedelta(seconds=2))
artifacts_task = TaskType(name="getBuildArtifacts", run=watching.artifacts)
stages = (
    _job_stage("jenkins", "Jenkins", tasks_named("JenkinsJob")),
    _job_stage("githubActions", "GitHub Actions", tasks_named("GithubActionsJob")),
    _job_stage("gitlabCi", "GitLab CI", tasks_named("GitlabCiJob"), ("gitlab-ci",)),
    _job_stage("azureDevOps", "Azure DevOps", tasks_named("AzureDevOpsJob")),
)
get_properties = StageType(
    name="getProperties",
    label="Get Properties",
    about="Takes over the properties of a build that has failed, where there are any.",
    spec=StageSpec,
    tasks=(TaskType(name="getPropertiesFile", run=try_properties),),
)
