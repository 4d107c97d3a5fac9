"""Run multiple pipelines: starts several pipelines, each as soon as those that it depends on have succeeded.

`yamlConfig` lists them, as JSON or as YAML text:

    - app: shop
      child: Deploy the shop
      depends_on: [cart]
      arguments: {tag: "1.2.3"}

or as a map of names to the rest (`child_pipeline` is another name of `child`), with one `bundle_web` around it where
Spinnaker's editor has written it. `rollback` (or `rollback_onfailure`) runs the pipelines that had succeeded again when another
has failed, each with the parameters of its last success before this stage.

Theory of operation. The state of all of them is one key of the stage's context, `apps`. The tasks runMultiplePipelines and
monitorMultiplePipelinesTask make a loop: the first starts what can start, the second waits until something more can, or nothing
runs any more. A child's end wakes it.
"""

from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec

from gennaker.interfaces.executions import Found
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model import foreign, names, plain_yaml
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.execution import Execution
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.plugins.flow import child_starts, children

_LOOKS_AGAIN = timedelta(seconds=15)
_MOST = 100
_SEARCHED = 20
"""Latest executions among which a pipeline's last success is looked for."""
_ROLLBACK = ("rollback", "rollback_onfailure", "rollbackOnFailure")


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    yaml_config: str | JsonObject | list[JsonObject]
    rollback: bool = False


class App(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One of the pipelines and what has become of it."""

    name: str
    application: str
    pipeline_id: str
    pipeline_name: str
    depends_on: tuple[str, ...] = ()
    arguments: JsonObject = {}
    execution_id: str = ""
    status: Status = Status.NOT_STARTED
    problem: str = ""
    """Why it could not be started."""
    rollback_execution_id: str = ""
    rollback_status: Status = Status.NOT_STARTED


async def plan(_: StageSpec, __: StageContext) -> Plan:
    """Read, then start and follow until nothing is left, then conclude."""
    return Plan(
        tasks=(
            _PARSE.planned(),
            _RUN.planned(is_loop_start=True),
            _MONITOR.planned(is_loop_end=True),
            _SAVE.planned(),
        )
    )


async def parse(context: TaskContext) -> TaskResult:
    """Finds the pipelines and checks that they can run in some order."""
    listed, rolls_back = _entries(context.stage.context.get("yamlConfig"))
    apps = [await _app(context, name, entry) for name, entry in listed]
    _check(apps)
    return Done(context={**_kept(apps), "rollback": rolls_back or foreign.flag(context.stage.context.get("rollback"))})


async def run(context: TaskContext) -> TaskResult:
    """Starts what can start now."""
    apps = _apps(context)
    started: list[App] = []
    for app in apps:
        if app in _ready(apps):
            started.append(await _started(context, app))
        elif app in _to_roll_back(context, apps):
            started.append(await _rolled_back(context, app))
        else:
            started.append(app)
    return Done(context=_kept(started))


async def monitor(context: TaskContext) -> TaskResult:
    """Waits until something more can start, or all have ended."""
    followed: list[App] = []
    waits = []
    for app in _apps(context):
        child = await _child(context, app.execution_id)
        undone = await _child(context, app.rollback_execution_id)
        waits += [children.wait(one) for one in (child, undone) if one is not None and not one.head.status.is_complete]
        followed.append(
            msgspec.structs.replace(
                app,
                status=child.head.status if child else app.status,
                rollback_status=undone.head.status if undone else app.rollback_status,
            )
        )
    if _ready(followed) or _to_roll_back(context, followed):
        return Done(status=Status.REDIRECT, context=_kept(followed))
    if waits:
        first = msgspec.structs.replace(waits[0], reason=", ".join(one.reason for one in waits))
        return Again(after=_LOOKS_AGAIN, waiting_for=first, context=_kept(followed))
    return Done(context=_kept(followed))


async def save(context: TaskContext) -> TaskResult:
    """Hands on what became of each; fails if not all have succeeded."""
    apps = _apps(context)
    listed: list[Json] = [
        {"app": app.name, "pipeline": app.pipeline_name, "executionId": app.execution_id, "status": app.status.value}
        for app in apps
    ]
    outputs: JsonObject = {"executionsList": listed}
    failed = [app for app in apps if app.status is not Status.SUCCEEDED]
    if not failed:
        return Done(outputs=outputs)
    causes = [said for app in failed async for said in _causes(context, app)]
    undone = [app.name for app in apps if app.rollback_execution_id]
    message = f"Not all pipelines have succeeded: {'; '.join(causes)}"
    if undone:
        message += f". Rolled back: {', '.join(undone)}"
    return Failed(problem=Problem(code="pipelines.not_all_succeeded", message=message), outputs=outputs)


async def stop(context: TaskContext) -> None:
    """All children end with the stage, those that were just being started too."""
    for app in _apps(context):
        ids = {app.execution_id, app.rollback_execution_id}
        for key in (_key(context, app), _rollback_key(context, app)):
            ids |= {one.head.id for one in await context.services.executions.find(Found(correlation_id=key, limit=1))}
        for execution_id in ids - {""}:
            await child_starts.cancel(context, execution_id)


def _entries(config: Json) -> tuple[list[tuple[str, JsonObject]], bool]:
    """The pipelines by name, and whether a failure rolls the others back. Raises Refused."""
    if isinstance(config, str):
        try:
            config = plain_yaml.read(config)
        except plain_yaml.NotPlain as error:
            raise Refused(_wrong(f"it is no YAML: {error}")) from error
    found: list[tuple[str, JsonObject]] = []
    rolls_back = False
    for one in config if isinstance(config, list) else [config]:
        entry = foreign.mapping(one)
        if "app" in entry:
            found.append((foreign.said_at(entry, "app"), entry))
            continue
        bundle = foreign.mapping(entry.get("bundle_web")) or entry
        rolls_back = rolls_back or any(foreign.flag(bundle.get(key)) for key in _ROLLBACK)
        found += [(name, foreign.mapping(rest)) for name, rest in bundle.items() if name not in _ROLLBACK]
    if not found:
        raise Refused(_wrong("it lists no pipelines"))
    if len(found) > _MOST:
        raise Refused(_wrong(f"it lists {len(found)} pipelines; at most {_MOST} can be run by one stage"))
    return found, rolls_back or any(foreign.flag(entry.get(key)) for _, entry in found for key in _ROLLBACK)


async def _app(context: TaskContext, name: str, entry: JsonObject) -> App:
    wanted = foreign.said_at(entry, "child") or foreign.said_at(entry, "child_pipeline")
    if not wanted:
        raise Refused(_wrong(f"{name!r} names no pipeline as `child`"))
    places = [foreign.said_at(entry, "application"), name, context.execution.head.application]
    for application in dict.fromkeys(one for one in places if one and names.application_problem(one) is None):
        for definition in await context.services.definitions.list("pipeline", application):
            if wanted in (definition.id, definition.body.get("name")):
                depends = entry.get("depends_on")
                return App(
                    name=name,
                    application=application,
                    pipeline_id=definition.id,
                    pipeline_name=foreign.text(definition.body.get("name")),
                    depends_on=tuple(str(one) for one in depends) if isinstance(depends, list) else (),
                    arguments=foreign.mapping(entry.get("arguments")),
                )
    looked = " or ".join(one for one in dict.fromkeys(places) if one)
    raise Refused(_wrong(f"there is no pipeline {wanted!r} in {looked}"))


def _check(apps: list[App]) -> None:
    known = {app.name for app in apps}
    twice = sorted({app.name for app in apps if [one.name for one in apps].count(app.name) > 1})
    if twice:
        raise Refused(_wrong(f"it has {', '.join(twice)} twice"))
    for app in apps:
        unknown = sorted(set(app.depends_on) - known)
        if unknown:
            raise Refused(_wrong(f"{app.name} depends on {', '.join(unknown)}, which it doesn't list"))
    done: set[str] = set()
    while len(done) < len(apps):
        possible = {app.name for app in apps if app.name not in done and done.issuperset(app.depends_on)}
        if not possible:
            waiting = ", ".join(sorted(known - done))
            raise Refused(_wrong(f"{waiting} depend on one another in a circle"))
        done |= possible


def _ready(apps: list[App]) -> list[App]:
    """Those that can start: nothing has failed, and what they depend on has succeeded."""
    if any(app.status.is_complete and app.status is not Status.SUCCEEDED for app in apps):
        return []
    over = {app.name for app in apps if app.status is Status.SUCCEEDED}
    return [app for app in apps if app.status is Status.NOT_STARTED and over.issuperset(app.depends_on)]


def _to_roll_back(context: TaskContext, apps: list[App]) -> list[App]:
    """Those that have succeeded in vain, once nothing runs any more."""
    has_failed = any(app.status.is_complete and app.status is not Status.SUCCEEDED for app in apps)
    is_running = any(app.execution_id and not app.status.is_complete for app in apps)
    if not has_failed or is_running or not foreign.flag(context.stage.context.get("rollback")):
        return []
    return [app for app in apps if app.status is Status.SUCCEEDED and app.rollback_status is Status.NOT_STARTED]


async def _started(context: TaskContext, app: App) -> App:
    """One that can't be started must not hide those that were."""
    try:
        child = await child_starts.start(context, app.pipeline_id, parameters=app.arguments, key=_key(context, app))
    except Refused as refused:
        return msgspec.structs.replace(app, status=Status.TERMINAL, problem=str(refused.problems[0]))
    return msgspec.structs.replace(app, execution_id=child.execution_id, status=Status.RUNNING)


async def _rolled_back(context: TaskContext, app: App) -> App:
    """The pipeline run again as it last succeeded before; one that never had stays as it is."""
    wanted = Found(config_ids=(app.pipeline_id,), statuses=(Status.SUCCEEDED,), limit=_SEARCHED)
    found = await context.services.executions.find(wanted)
    began = context.stage.start_time or context.at
    before = next((one for one in found if one.head.id != app.execution_id and one.head.build_time < began), None)
    if before is None:
        return msgspec.structs.replace(app, rollback_status=Status.SKIPPED)
    parameters = foreign.mapping(before.head.trigger.get("parameters"))
    try:
        child = await child_starts.start(
            context, app.pipeline_id, parameters=parameters, key=_rollback_key(context, app)
        )
    except Refused as refused:
        return msgspec.structs.replace(app, rollback_status=Status.TERMINAL, problem=str(refused.problems[0]))
    return msgspec.structs.replace(app, rollback_execution_id=child.execution_id, rollback_status=Status.RUNNING)


async def _causes(context: TaskContext, app: App) -> AsyncIterator[str]:
    child = await _child(context, app.execution_id)
    if child is None:
        yield f"{app.name} was not started" + (f": {app.problem}" if app.problem else "")
        return
    said = children.errors(children.exception(child))
    yield f"{app.name} has ended {app.status.value}" + (f" ({', '.join(said)})" if said else "")


def _key(context: TaskContext, app: App) -> str:
    return f"{context.attempt_key}/{app.name}"


def _rollback_key(context: TaskContext, app: App) -> str:
    return f"{context.attempt_key}/{app.name}/rollback"


async def _child(context: TaskContext, execution_id: str) -> Execution | None:
    return await context.services.executions.get(execution_id) if execution_id else None


def _apps(context: TaskContext) -> list[App]:
    return [msgspec.convert(one, App) for one in foreign.mappings(context.stage.context.get("apps"))]


def _kept(apps: list[App]) -> JsonObject:
    return {"apps": [to_json(app) for app in apps]}


def _wrong(said: str) -> Problem:
    return Problem(
        code="pipelines.config",
        message=f"The stage's `yamlConfig` can't be used: {said}.",
        remedy="List what to run with `app`, `child`, `depends_on` and `arguments`.",
        pointer="/yamlConfig",
    )


_PARSE = TaskType(name="parsePipelinesYamlTask", run=parse)
_RUN = TaskType(name="runMultiplePipelines", run=run, stop=stop)
_MONITOR = TaskType(name="monitorMultiplePipelinesTask", run=monitor, stop=stop, timeout=timedelta(hours=12))
_SAVE = TaskType(name="saveOutputsForDetailsTask", run=save)
stage = StageType(
    name="runMultiplePipelines",
    label="Run Multiple Pipelines",
    about=__doc__,
    spec=Spec,
    tasks=(_PARSE, _RUN, _MONITOR, _SAVE),
    plan=plan,
    runs_in_dry_run=True,
    restart_clears=("apps", "executionsList"),
)
