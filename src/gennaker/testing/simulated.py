"""Simulated stages: types that end as declared, for everything that would touch the world outside.

Stage types of the flow plugin (waits, judgments, conditions, variables, child pipelines that are given) run for real
unless an outcome is declared for the stage. All others, also types that no plugin knows, are simulated.
"""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from gennaker.engine import synthetics
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model import waiting
from gennaker.model.codec import JsonObject
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.execution import Stage
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status
from gennaker.plugins.flow.plugin import plugin as flow
from gennaker.testing import outcomes
from gennaker.testing.outcomes import Declared, Outcomes

_CHILD = "pipeline"
_FAILED = frozenset({Status.TERMINAL, Status.CANCELED})
_FOR_EVER = outcomes.length("1d")


def plugin(declared: Outcomes, pipelines: Iterable[JsonObject], known: Mapping[str, StageType]) -> Plugin:
    """The stage types for these pipelines. `known`: what plugins offer, for the rules that restarts follow."""
    real = [_either(one, declared) for one in flow.stages]
    names = {name for one in flow.stages for name in (one.name, *one.aliases)}
    wanted: dict[str, None] = {}
    for config in pipelines:
        for stage in synthetics.stages_of("simulated", config):
            alias = stage.context.get("alias")
            wanted |= dict.fromkeys([stage.type, *([alias] if isinstance(alias, str) and alias else [])])
    simulated = [_simulated(name, declared, known.get(name)) for name in wanted if name not in names]
    return Plugin(name="simulated", stages=(*real, *simulated))


def of(stage: Stage, declared: Outcomes) -> Declared | None:
    """What is declared for this attempt at a stage."""
    found = declared.stages.get(stage.ref_id) or declared.stages.get(stage.name)
    if isinstance(found, tuple):
        return found[min(stage.attempt, len(found) - 1)] if found else None
    return found


def _task(declared: Outcomes) -> TaskType:
    async def run(context: TaskContext) -> TaskResult:
        return _result(context, of(context.stage, declared) or declared.default)

    return TaskType(name="simulate", run=run, timeout=None)


def _result(context: TaskContext, how: Declared) -> TaskResult:
    if how.status is Status.RUNNING:
        return Again(after=_FOR_EVER, waiting_for=waiting.ForOther(reason="what never comes"))
    ends = (context.task.start_time or context.at) + outcomes.length(how.duration)
    if ends > context.at:
        return Again(after=ends - context.at, waiting_for=waiting.ForTime(reason=f"{ends:%H:%M:%S} UTC", until=ends))
    if how.status in _FAILED:
        message = how.message or f"{context.stage.name} was declared to end {how.status.value}."
        problem = Problem(code="simulated.failed", message=message)
        return Failed(problem=problem, status=how.status, context=how.context, outputs=how.outputs)
    return Done(status=how.status, context=how.context, outputs=how.outputs)


def _simulated(name: str, declared: Outcomes, known: StageType | None) -> StageType:
    return StageType(
        name=name,
        label=known.label if known else name,
        about="Simulated: ends as it is declared.",
        spec=StageSpec,
        tasks=(_task(declared),),
        restart_clears=known.restart_clears if known else (),
        is_skippable=known.is_skippable if known else False,
        ends_with_all_before=known.ends_with_all_before if known else False,
    )


def _either(real: StageType, declared: Outcomes) -> StageType:
    """The real type, or the simulated one where an outcome is declared or a child isn't given."""
    task = _task(declared)
    given = {str(one.get("id")) for one in declared.pipelines}

    async def plan(spec: StageSpec, context: StageContext) -> Plan:
        is_elsewhere = real.name == _CHILD and str(context.stage.context.get("pipeline")) not in given
        if is_elsewhere or of(context.stage, declared) is not None:
            return Plan(tasks=(task.planned(),))
        if real.plan is not None:
            return await real.plan(spec, context)
        return Plan(tasks=tuple(one.planned() for one in real.tasks))

    return replace(real, plan=plan, tasks=(*real.tasks, task))
