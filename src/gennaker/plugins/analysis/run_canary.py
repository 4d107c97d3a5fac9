"""Run Canary: one judgement. Fetches the samples of both sides, mixes them into pairs, judges, keeps the report.

Two tasks, each of which may be repeated: what the first has fetched goes to the second as evidence, so that samples
don't pass through the execution's state.

Lost samples. When a window is over and even the metric that was observed best has less than three quarters of its
samples on some side (the embedded series begin anew when the server restarts), the window's end moves on until there
are enough, for at most as long as the window itself or a minute, whichever is longer. Then what there is gets judged.
A retrospective analysis waits for nothing.
"""

import asyncio
import hashlib
import math
import uuid
from datetime import UTC, datetime, timedelta

import msgspec

from gennaker.canary import escaping, mixing, numbers, verdict
from gennaker.canary.errors import CanaryError
from gennaker.canary.judge import judge
from gennaker.interfaces.evidence import EvidenceItem
from gennaker.interfaces.metrics import MetricScope, MetricSet
from gennaker.interfaces.stages import StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model import codec, waiting
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.analysis import configs, reports
from gennaker.plugins.analysis.reports import Sides

_SETTLE = timedelta(seconds=1)
"""How long after a window's end its last sample may still arrive."""
_ENOUGH = 0.75
_LEAST_PATIENCE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(seconds=5)


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON; planned by Run Canary Intervals."""

    scopes: dict[str, JsonObject]
    """By name, each with `controlScope` and `experimentScope`."""
    resolved_canary_config: JsonObject
    score_thresholds: JsonObject = msgspec.field(default_factory=dict)
    interval: int = 1
    is_live: bool = True


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """All series of one judgement."""

    control: tuple[mixing.MetricSet, ...]
    experiment: tuple[mixing.MetricSet, ...]

    @property
    def coverage(self) -> float:
        """The part of the samples that the best-observed metric has, on the side where that is less."""
        return min(
            max((_observed(one) for one in side if one.expected_points), default=1.0)
            for side in (self.control, self.experiment)
        )


async def fetch(context: TaskContext) -> TaskResult:
    """Fetches all metrics of both sides once the window is over, mixes them and keeps the pairs."""
    config = _config(context)
    moved = timedelta(seconds=_number(context.task.memory.get("movedSeconds")))
    scopes = _scopes(context, moved)
    is_live = context.stage.context.get("isLive") is not False
    first = next(iter(scopes.values()))
    due = first[1].end + _SETTLE
    if is_live and context.at < due:
        last = waiting.ForTime(reason="the window's last samples", until=due)
        return Again(after=due - context.at, waiting_for=last, memory=context.task.memory)
    fetched = await _fetched(context, config, scopes)
    window = first[1].end - first[1].start
    patience = max(window - moved, _LEAST_PATIENCE)
    lost = _lost(fetched.coverage, moved)
    if is_live and fetched.coverage < _ENOUGH and moved < patience:
        step = timedelta(seconds=first[1].step_seconds)
        missing = math.ceil((_ENOUGH - fetched.coverage) * window / step) * step
        pause = max(step, min(missing, _LONGEST_PAUSE, patience - moved))
        moved += context.at - due + pause
        observed = f"{fetched.coverage:.0%} of the window from {first[1].start:%H:%M:%S} UTC were observed"
        said = f"more samples: {observed}"
        waits = waiting.ForObject(reason=said, kind="metrics", name="samples of the canary's window", observed=observed)
        return Again(after=pause, waiting_for=waits, memory={"movedSeconds": moved.total_seconds()})
    names = [str(metric.get("name")) for metric in configs.metrics(config)]
    pairs = mixing.mix(names, fetched.control, fetched.experiment, new_id=_Ids(context.attempt_key))
    content = codec.encode(reports.pairs_json(pairs))
    digest = await _keep(context, "metric-set-pairs", content, kind="file", summary={"metricSetPairs": len(pairs)})
    return Done(
        context={
            "metricSetPairListId": digest,
            "movedSeconds": moved.total_seconds(),
            "samplesLost": lost,
        }
    )


async def decide(context: TaskContext) -> TaskResult:
    """Judges the pairs, keeps the report; a score at or below marginal is a failure."""
    own = context.stage.context
    config = _config(context)
    thresholds = verdict.read_thresholds(own.get("scoreThresholds"))
    content = await context.services.evidence.read(str(own.get("metricSetPairListId")))
    pairs = codec.decode_json(content) if content is not None else None
    if pairs is None:
        return Failed(problem=_pairs_gone())
    limits: JsonObject = {"pass": thresholds.passing, "marginal": thresholds.marginal}
    judgement = await asyncio.to_thread(judge, config, pairs, limits)
    scopes = _scopes(context, timedelta(seconds=_number(own.get("movedSeconds"))))
    control, experiment = next(iter(scopes.values()))
    sides = Sides(
        control=control.scope,
        experiment=experiment.scope,
        start=experiment.start,
        control_start=control.start,
        end=experiment.end,
    )
    number = int(_number(own.get("interval")))
    said = reports.warnings(judgement, str(own.get("samplesLost") or ""))
    held = reports.interval(judgement, sides, number=number, warnings=said)
    seconds = (experiment.end - experiment.start).total_seconds()
    kept = reports.document(judgement, held, config=config, thresholds=thresholds, duration=f"PT{seconds:g}S")
    score = judgement.result.score
    summary: JsonObject = {
        "score": numbers.wire(score.score),
        "classification": score.classification,
        "interval": number,
    }
    digest = await _keep(context, "canary", codec.encode(numbers.wire(kept)), kind="canary", summary=summary)
    held = {**held, "evidence": digest}
    warnings: list[Json] = list(said)
    told: JsonObject = {"canaryInterval": held, "canaryScore": held["score"], "warnings": warnings}
    outputs: JsonObject = {
        "canaryScore": held["score"],
        "canaryPipelineExecutionId": digest.removeprefix("sha256:"),
        "canaryConfigId": own.get("canaryConfigId") or config.get("id"),
    }
    if not verdict.is_halted(score.score, thresholds):
        return Done(context=told, outputs=outputs)
    message = f"Canary score {score.score:g} is not above the marginal score threshold."
    return Failed(problem=reports.low_score(message, held), context=told, outputs=outputs)


async def guarded_fetch(context: TaskContext) -> TaskResult:
    """`fetch`, with what the canary room gives up on as a failure."""
    try:
        return await fetch(context)
    except CanaryError as error:
        return Failed(problem=error.problem)
    except OSError as error:
        return Failed(problem=_unreachable(error), retryable=True)


async def guarded_decide(context: TaskContext) -> TaskResult:
    """`decide`, with what the canary room gives up on as a failure."""
    try:
        return await decide(context)
    except CanaryError as error:
        return Failed(problem=error.problem)


async def _fetched(
    context: TaskContext, config: JsonObject, scopes: dict[str, tuple[MetricScope, MetricScope]]
) -> Fetched:
    """Both sides of all metrics, all at once."""
    templates = configs.templates(config)
    metrics = configs.metrics(config)
    try:
        async with asyncio.TaskGroup() as group:
            asked = [
                tuple(
                    group.create_task(_sets(context, metric, msgspec.structs.replace(scope, templates=templates)))
                    for scope in _scope_of(metric, scopes)
                )
                for metric in metrics
            ]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return Fetched(
        control=tuple(one for control, _ in asked for one in control.result()),
        experiment=tuple(one for _, experiment in asked for one in experiment.result()),
    )


async def _sets(context: TaskContext, metric: JsonObject, scope: MetricScope) -> list[mixing.MetricSet]:
    query = metric.get("query")
    assert isinstance(query, dict), "the config was checked when the stage was planned"
    source = context.services.metrics.get(str(query.get("type")))
    if source is None:
        raise Refused(_no_source(str(query.get("type"))))
    found = await source.fetch(str(metric.get("name")), query, scope)
    return [_for_mixing(one, scope) for one in found]


def _for_mixing(one: MetricSet, scope: MetricScope) -> mixing.MetricSet:
    return mixing.MetricSet(
        name=one.name,
        tags=one.tags,
        start_milliseconds=codec.microseconds(scope.start) // 1000,
        end_milliseconds=codec.microseconds(scope.end) // 1000,
        step_milliseconds=one.step_seconds * 1000,
        values=one.values,
        attributes={"query": one.query} if one.query else {},
    )


def _observed(one: mixing.MetricSet) -> float:
    return sum(not math.isnan(value) for value in one.values) / one.expected_points


def _lost(coverage: float, moved: timedelta) -> str:
    if coverage >= _ENOUGH and not moved:
        return ""
    waited = f"; the window was made {moved.total_seconds():.0f} s longer" if moved else ""
    return f"Samples were lost, perhaps because the server restarted: {coverage:.0%} were observed{waited}."


def _scope_of(
    metric: JsonObject, scopes: dict[str, tuple[MetricScope, MetricScope]]
) -> tuple[MetricScope, MetricScope]:
    name = str(metric.get("scopeName"))
    if name not in scopes:
        message = f"The metric {metric.get('name')} belongs to the scope {name!r}, which the stage doesn't have."
        raise Refused(Problem(code="canary.scope_unknown", message=message, remedy="Add the scope to the stage."))
    return scopes[name]


def _scopes(context: StageContext, moved: timedelta) -> dict[str, tuple[MetricScope, MetricScope]]:
    """Control and experiment by scope name, their windows made longer by what was waited for."""
    found = context.stage.context.get("scopes")
    if not isinstance(found, dict) or not found:
        raise Refused(Problem(code="canary.no_scopes", message="The stage has no `scopes`.", pointer="/scopes"))
    return {
        name: (_scope(both, "controlScope", name, moved), _scope(both, "experimentScope", name, moved))
        for name, both in found.items()
    }


def _scope(both: Json, key: str, name: str, moved: timedelta) -> MetricScope:
    pointer = f"/scopes/{name}/{key}"
    value = both.get(key) if isinstance(both, dict) else None
    if not isinstance(value, dict):
        raise Refused(Problem(code="canary.no_scopes", message=f"The scope {name} has no `{key}`.", pointer=pointer))
    extended = value.get("extendedScopeParams")
    return MetricScope(
        scope=str(value.get("scope")),
        location=str(value.get("location") or ""),
        start=_instant(value.get("start"), f"{pointer}/start"),
        end=_instant(value.get("end"), f"{pointer}/end") + moved,
        step_seconds=max(1, int(_number(value.get("step")) or 60)),
        extended={one: str(other) for one, other in extended.items()} if isinstance(extended, dict) else {},
    )


def _instant(value: Json, pointer: str) -> datetime:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError as error:
        message = f"{value!r} is no instant such as 2026-05-01T12:00:00Z."
        raise Refused(Problem(code="canary.instant", message=message, pointer=pointer)) from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _config(context: StageContext) -> JsonObject:
    found = context.stage.context.get("resolvedCanaryConfig")
    assert isinstance(found, dict), "the spec asks for it"
    return escaping.unescaped(found)


async def _keep(context: TaskContext, name: str, content: bytes, *, kind: str, summary: JsonObject) -> str:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    number = int(_number(context.stage.context.get("interval")))
    item = EvidenceItem(
        execution_id=context.execution.head.id,
        stage_id=context.stage.id,
        name=f"{name}-{number}.json",
        kind=kind,
        media_type="application/json",
        digest=digest,
        size_bytes=len(content),
        at=context.at,
        summary=summary,
    )
    await context.services.evidence.put(item, content)
    return digest


class _Ids:
    """Ids of pairs, the same ones when the task is repeated."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._count = 0

    def __call__(self) -> str:
        self._count += 1
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self._key}/{self._count}"))


def _number(value: Json) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _no_source(kind: str) -> Problem:
    return Problem(
        code="canary.no_source",
        message=f"There is no metric source of type {kind!r}.",
        remedy="Install the plugin that offers it, or use another `type` in the canary config's queries.",
    )


def _unreachable(error: OSError) -> Problem:
    return Problem(code="canary.source_unreachable", message=f"The metric source gave no answer: {error}")


def _pairs_gone() -> Problem:
    return Problem(
        code="canary.pairs_gone",
        message="The fetched samples are no longer among the evidence.",
        remedy="Restart the stage.",
    )


stage = StageType(
    name="runCanary",
    label="Run Canary",
    about=__doc__,
    spec=Spec,
    tasks=(
        TaskType(name="fetchMetrics", run=guarded_fetch, timeout=timedelta(hours=12)),
        TaskType(name="judgeCanary", run=guarded_decide, timeout=timedelta(hours=1)),
    ),
    restart_clears=("canaryInterval", "canaryScore", "warnings", "metricSetPairListId", "movedSeconds", "samplesLost"),
)
