"""An execution as expressions see it: objects whose properties are those of Orca's, over the execution's plain JSON.

Stages fall back to the outputs of their ancestors (Orca's StageContext): own context first, even if the value is null;
then the stage's own outputs, then those of requisite stages, of all synthetic children of those, and so on upwards.
"""

from collections.abc import Callable, Iterable
from functools import cached_property, partial

import msgspec

from gennaker.expressions import trigger_view
from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.hashing import in_table_order, text_hash
from gennaker.expressions.operators import wrap
from gennaker.expressions.trigger_view import objects, reads
from gennaker.expressions.values import MISSING, Long, LookupMap, Objects, Record, Status, Value, equal
from gennaker.model.codec import Json, JsonObject

_STAGE_BLOCKED = frozenset({"syntheticStageOwner", "lastModified", "size", "timeout", "parentWithTimeout", "class"})
_EXECUTION_BLOCKED = frozenset({"type", "source", "size", "totalSize", "class"})


def _map(raw: JsonObject, key: str) -> JsonObject:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def _text(raw: JsonObject, key: str) -> str:
    value = raw.get(key)
    return value if isinstance(value, str) else ""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """An execution in parts that are only made when an expression asks for them: most ask for its name, or for one stage."""

    head: Callable[[], JsonObject]
    """The API's JSON without its stages and what they have put out."""
    stages: Callable[[], list[Json]]
    """All stages (synthetic ones too) in their order; nobody changes them."""
    whole: Callable[[], JsonObject]
    """The API's JSON."""


class ExecutionView:
    """The objects of one execution; each is made once, so that they are equal to themselves."""

    def __init__(self, source: JsonObject | Parts) -> None:
        """As the API gives it, with all stages (synthetic ones too) in their order."""
        self._source = source
        self.raw = source.head() if isinstance(source, Parts) else source
        """Its JSON; where it is made of parts, without stages."""
        self._records: dict[int, Record] = {}
        self._ancestors: dict[int, list[JsonObject]] = {}
        self._execution: Record | None = None

    @cached_property
    def stages(self) -> list[JsonObject]:
        """The JSON of all stages."""
        return objects(self._source.stages() if isinstance(self._source, Parts) else self._source.get("stages"))

    @cached_property
    def _by_ref(self) -> dict[str, JsonObject]:
        return {_text(stage, "refId"): stage for stage in reversed(self.stages)}

    @cached_property
    def _by_id(self) -> dict[str, JsonObject]:
        return {_text(stage, "id"): stage for stage in reversed(self.stages)}

    def find(self, id_or_ref: str) -> JsonObject | None:
        """A stage by its id or refId."""
        return self._by_id.get(id_or_ref) or self._by_ref.get(id_or_ref)

    def by_ref(self, ref: str) -> JsonObject | None:
        """A stage by its refId."""
        return self._by_ref.get(ref)

    def named(self, name_or_id: str) -> JsonObject | None:
        """The first stage whose name or id it is."""
        return next((stage for stage in self.stages if name_or_id in (stage.get("name"), stage.get("id"))), None)

    def names(self, stage: JsonObject) -> "StageNames":
        """What bare names see at a stage."""
        return StageNames(self, stage)

    def value_at(self, stage: JsonObject, key: str) -> Json:
        """A key of a stage's context, falling back to outputs of ancestors; null where it is missing."""
        found = self.names(stage).get(key)
        return None if found is MISSING else found  # type: ignore[return-value]  # contexts and outputs are plain JSON

    def ancestors(self, stage: JsonObject) -> list[JsonObject]:
        """The stage itself and all it comes after, nearest first."""
        known = self._ancestors.get(id(stage))
        if known is None:
            known = self._ancestors[id(stage)] = [stage, *self._before(stage)]
        return known

    def _before(self, stage: JsonObject, *, only_parents: bool = False) -> list[JsonObject]:
        found: list[JsonObject] = []
        visited = {_text(stage, "refId")}
        listed = {id(stage)}
        pending = [stage]
        while pending:
            near, onward = self._nearest(pending.pop(0), visited, only_parents=only_parents)
            for ancestor in near:
                if id(ancestor) not in listed:
                    listed.add(id(ancestor))
                    found.append(ancestor)
            pending = onward + pending
        return found

    def _nearest(
        self, stage: JsonObject, visited: set[str], *, only_parents: bool
    ) -> tuple[list[JsonObject], list[JsonObject]]:
        """The stages directly before one, and those of them to go on from."""
        requisites = stage.get("requisiteStageRefIds")
        wanted = set(map(str, requisites)) - visited if isinstance(requisites, list) and not only_parents else set()
        previous = [other for other in self.stages if other.get("refId") in wanted]
        if previous:
            visited.update(wanted)
            parents = {other.get("id") for other in previous}
            return previous + [other for other in self.stages if other.get("parentStageId") in parents], previous
        parent = self._by_id.get(_text(stage, "parentStageId"))
        if (requisites and not only_parents) or parent is None or _text(parent, "refId") in visited:
            return [], []
        visited.add(_text(parent, "refId"))
        if stage.get("syntheticStageOwner") != "STAGE_AFTER":
            return [parent], [parent]
        return [*self._children(parent, "STAGE_BEFORE"), parent], [parent]

    def _children(self, parent: JsonObject, side: str) -> Iterable[JsonObject]:
        for stage in self.stages:
            if stage.get("parentStageId") == parent.get("id") and stage.get("syntheticStageOwner") == side:
                yield stage

    def merged_outputs(self) -> JsonObject:
        """`execution.context`: outputs of the pipeline's own stages, later ones winning, lists put together."""
        merged: JsonObject = {}
        for stage in self._in_order():
            for key, value in _map(stage, "outputs").items():
                before = merged.get(key)
                if isinstance(before, list) and isinstance(value, list):
                    joined = list(before)
                    joined += [item for item in value if not any(equal(item, other) for other in joined)]
                    merged[key] = joined
                else:
                    merged[key] = value
        return {str(key): merged[str(key)] for key in in_table_order(merged)}

    def _in_order(self) -> list[JsonObject]:
        """Top-level stages, each after those that it requires."""
        waiting = [stage for stage in self.stages if not stage.get("parentStageId")]
        done: set[str] = set()
        ordered: list[JsonObject] = []
        while waiting:
            ready = [stage for stage in waiting if _is_ready(stage, done)] or waiting  # a cycle ends here
            ordered += ready
            done.update(_text(stage, "refId") for stage in ready)
            taken = {id(stage) for stage in ready}
            waiting = [stage for stage in waiting if id(stage) not in taken]
        return ordered

    # -- objects --------------------------------------------------------------------------------------------------

    def stage(self, raw: JsonObject) -> Record:
        """The object of a stage."""
        known = self._records.get(id(raw))
        if known is None:
            known = self._records[id(raw)] = self._stage(raw)
        return known

    def _stage(self, raw: JsonObject) -> Record:
        def parent() -> Value:
            found = self._by_id.get(_text(raw, "parentStageId"))
            return None if found is None else self.stage(found)

        context = _map(raw, "context")
        properties: dict[str, Callable[[], Value]] = {
            **reads(raw, ("id", "refId", "type", "name", "parentStageId", "additionalMetricTags")),
            **_long_reads(raw, ("startTime", "endTime", "startTimeExpiry", "scheduledTime")),
            "status": lambda: Status(_text(raw, "status") or "NOT_STARTED"),
            "hasSucceeded": lambda: raw.get("status") == "SUCCEEDED",
            "hasFailed": lambda: raw.get("status") == "TERMINAL",
            "context": lambda: LookupMap(self.names(raw), {}),
            "outputs": lambda: _map(raw, "outputs"),
            "tasks": lambda: Objects(_task(task) for task in objects(raw.get("tasks"))),
            "requisiteStageRefIds": lambda: raw.get("requisiteStageRefIds") or [],
            "parent": parent,
            "topLevelStage": lambda: self.stage(self._top(raw)),
            "execution": self.execution,
            "ancestors": lambda: self._each(self.ancestors(raw)),
            "directAncestors": lambda: self._each([raw, *self._before(raw, only_parents=True)]),
            "downstreamStages": lambda: self._each(self._after(raw)),
            "allDownstreamStages": lambda: self._each(self._all_after(raw)),
            "directChildren": lambda: self._each(self._inside(raw)),
            "join": lambda: len(_list(raw, "requisiteStageRefIds")) > 1,
            "manualJudgmentType": lambda: raw.get("type") == "manualJudgment",
            "allowSiblingStagesToContinueOnFailure": lambda: _flag(context, "allowSiblingStagesToContinueOnFailure"),
            "continuePipelineOnFailure": lambda: _flag(context, "continuePipelineOnFailure"),
            "withPropagateAuthentication": lambda: _flag(context, "propagateAuthenticationContext"),
        }
        label = f"Stage {{id='{_text(raw, 'id')}', executionId='{_text(self.raw, 'id')}'}}"
        return Record(
            "StageExecutionImpl", label, raw, properties, blocked=_STAGE_BLOCKED, bean=lambda: _stage_bean(raw)
        )

    def _each(self, stages: Iterable[JsonObject]) -> Value:
        return Objects(self.stage(stage) for stage in stages)

    def _after(self, raw: JsonObject) -> list[JsonObject]:
        ref = raw.get("refId")
        return [stage for stage in self.stages if ref in _list(stage, "requisiteStageRefIds")]

    def _all_after(self, raw: JsonObject) -> list[JsonObject]:
        found: list[JsonObject] = []
        pending = self._after(raw)
        while pending:
            stage = pending.pop(0)
            if not any(stage is known for known in found):
                found.append(stage)
                pending += self._after(stage)
        return found

    def _inside(self, raw: JsonObject) -> list[JsonObject]:
        return [stage for stage in self.stages if stage.get("parentStageId") == raw.get("id")]

    def _top(self, raw: JsonObject) -> JsonObject:
        for _ in range(len(self.stages)):
            parent = self._by_id.get(_text(raw, "parentStageId"))
            if parent is None:
                break
            raw = parent
        return raw

    def execution(self) -> Record:
        """The object of the execution."""
        if self._execution is None:
            self._execution = self._make_execution()
        return self._execution

    def _make_execution(self) -> Record:
        raw = self.raw
        plain = (
            "id",
            "name",
            "application",
            "pipelineConfigId",
            "canceledBy",
            "cancellationReason",
            "description",
            "origin",
            "rootId",
            "spelEvaluator",
            "templateVariables",
            "partition",
        )
        properties: dict[str, Callable[[], Value]] = {
            **reads(raw, plain),
            **_long_reads(raw, ("buildTime", "startTime", "endTime", "startTimeExpiry")),
            "status": lambda: Status(_text(raw, "status") or "NOT_STARTED"),
            "stages": lambda: self._each(self.stages),
            "context": self.merged_outputs,
            "trigger": lambda: trigger_view.trigger(_map(raw, "trigger"), _parent),
            "authentication": lambda: trigger_view.record(
                "AuthenticationDetails", _authentication(raw), ("user", "allowedAccounts")
            ),
            "paused": lambda: _paused(raw.get("paused")),
            "canceled": lambda: raw.get("canceled") or False,
            "limitConcurrent": lambda: raw.get("limitConcurrent") or False,
            "keepWaitingPipelines": lambda: raw.get("keepWaitingPipelines") or False,
            "maxConcurrentExecutions": lambda: raw.get("maxConcurrentExecutions") or 0,
            "notifications": lambda: Objects(_list(raw, "notifications")),
            "systemNotifications": lambda: Objects(_list(raw, "systemNotifications")),
            "initialConfig": lambda: _map(raw, "initialConfig"),
            "hashCode": lambda: wrap(31 + text_hash(_text(raw, "id")), 32),
        }
        finders: dict[str, Callable[..., Value]] = {
            "stageById": lambda wanted: self._found(self._by_id.get(wanted), wanted),
            "stageByRef": lambda wanted: self._found(self._by_ref.get(wanted), wanted),
            "namedStage": lambda wanted: next((self.stage(s) for s in self.stages if s.get("type") == wanted), None),
        }
        number = 31 + text_hash(_text(raw, "id")) & 0xFFFFFFFF
        label = f"com.netflix.spinnaker.orca.pipeline.model.PipelineExecutionImpl@{number:x}"
        return Record(
            "PipelineExecutionImpl",
            label,
            self._source.whole if isinstance(self._source, Parts) else raw,
            properties,
            blocked=_EXECUTION_BLOCKED,
            methods=finders,
            bean=self._bean,
        )

    def _bean(self) -> JsonObject:
        """What `#toJson` writes of the execution."""
        raw = self.raw
        trigger = trigger_view.trigger(_map(raw, "trigger"), _parent)
        paused = _paused(raw.get("paused"))
        return {
            "type": raw.get("type"),
            **{key: raw.get(key) for key in ("id", "application", "name", "buildTime")},
            "canceled": raw.get("canceled") or False,
            **{key: raw.get(key) for key in ("canceledBy", "cancellationReason")},
            "limitConcurrent": raw.get("limitConcurrent") or False,
            "maxConcurrentExecutions": raw.get("maxConcurrentExecutions") or 0,
            "keepWaitingPipelines": raw.get("keepWaitingPipelines") or False,
            "stages": [_stage_bean(stage) for stage in self.stages],
            **{key: raw.get(key) for key in ("startTime", "endTime", "startTimeExpiry")},
            "status": _text(raw, "status") or "NOT_STARTED",
            "authentication": _authentication(raw),
            "paused": paused.raw if isinstance(paused, Record) else None,
            "origin": raw.get("origin"),
            "trigger": trigger.bean(),
            **{key: raw.get(key) for key in ("description", "pipelineConfigId", "source")},
            "notifications": raw.get("notifications") or [],
            "initialConfig": raw.get("initialConfig") or {},
            "systemNotifications": raw.get("systemNotifications") or [],
            **{key: raw.get(key) for key in ("spelEvaluator", "templateVariables", "partition")},
        }

    def _found(self, stage: JsonObject | None, wanted: str) -> Value:
        if stage is None:
            raise ExpressionError(Kind.JAVA_EXCEPTION, f"The execution has no stage {wanted!r}.")
        return self.stage(stage)


def _parent(trigger: JsonObject) -> tuple[Value, Value, Json]:
    """Of a pipeline's trigger: the parent execution, its stage that started this one, and the former's full JSON."""
    view = ExecutionView(_map(trigger, "parentExecution"))
    stage = view.find(_text(trigger, "parentPipelineStageId"))
    execution = view.execution()
    return execution, None if stage is None else view.stage(stage), execution.bean()


def _stage_bean(raw: JsonObject) -> JsonObject:
    return {
        **{key: raw.get(key) for key in ("id", "refId", "type", "name", "startTime", "endTime", "startTimeExpiry")},
        "status": _text(raw, "status") or "NOT_STARTED",
        "context": _map(raw, "context"),
        "outputs": _map(raw, "outputs"),
        "tasks": [_task(task).raw for task in objects(raw.get("tasks"))],
        **{key: raw.get(key) for key in ("syntheticStageOwner", "parentStageId")},
        "requisiteStageRefIds": raw.get("requisiteStageRefIds") or [],
        **{key: raw.get(key) for key in ("scheduledTime", "lastModified", "additionalMetricTags")},
    }


def _paused(raw: Json) -> Value:
    if not isinstance(raw, dict):
        return None
    began, ended = raw.get("pauseTime"), raw.get("resumeTime")
    full: JsonObject = {key: raw.get(key) for key in ("pausedBy", "resumedBy", "pauseTime", "resumeTime")}
    full["paused"] = began is not None and ended is None
    full["pausedMs"] = ended - began if isinstance(began, int) and isinstance(ended, int) else 0
    properties = {**reads(full, full), **_long_reads(full, ("pauseTime", "resumeTime", "pausedMs"))}
    return Record("PausedDetails", "", full, properties)


def _authentication(raw: JsonObject) -> Json:
    """In the order of its class; the accounts are a set of Java's."""
    given = raw.get("authentication")
    if not isinstance(given, dict):
        return None
    accounts = dict.fromkeys(item for item in _list(given, "allowedAccounts") if isinstance(item, str))
    ordered = [str(account) for account in in_table_order(accounts)]
    return {"user": given.get("user"), "allowedAccounts": list[Json](ordered)}


def _flag(context: JsonObject, key: str) -> bool:
    return context.get(key) is True or context.get(key) == "true"


def _is_ready(stage: JsonObject, done: set[str]) -> bool:
    return all(str(requisite) in done for requisite in _list(stage, "requisiteStageRefIds"))


def _list(raw: JsonObject, key: str) -> list[Json]:
    value = raw.get(key)
    return value if isinstance(value, list) else []


class StageNames:
    """A stage's context with the fallback to outputs of ancestors."""

    __slots__ = ("_own", "_stage", "_view")

    def __init__(self, view: ExecutionView, stage: JsonObject) -> None:
        """Nothing is copied."""
        self._view = view
        self._stage = stage
        self._own = _map(stage, "context")

    def get(self, key: str) -> Value:
        """Own value, else the output of the nearest ancestor that has the key, else MISSING."""
        if key in self._own:
            return self._own[key]
        for ancestor in self._view.ancestors(self._stage):
            outputs = ancestor.get("outputs")
            if isinstance(outputs, dict) and key in outputs:
                return outputs[key]
        return MISSING

    def own_keys(self) -> Iterable[str]:
        """Keys of the stage's own context."""
        return self._own.keys()

    def all_keys(self) -> Iterable[str]:
        """Own keys and those of ancestors' outputs."""
        outputs = (_map(ancestor, "outputs") for ancestor in self._view.ancestors(self._stage))
        return dict.fromkeys(key for keys in (self._own, *outputs) for key in keys)

    def all_of(self, key: str) -> list[Value]:
        """Own value, and the outputs of all ancestors that have the key; of artifacts also those of the trigger."""
        found: list[Value] = [self._own[key]] if key in self._own else []
        for ancestor in self._view.ancestors(self._stage):
            outputs = ancestor.get("outputs")
            if isinstance(outputs, dict) and key in outputs:
                found.append(outputs[key])
        execution = self._view.execution()
        trigger = execution.properties["trigger"]()
        if key in ("artifacts", "resolvedExpectedArtifacts") and isinstance(trigger, Record):
            found.append(trigger.properties[key]())
        return found


def _long_reads(raw: JsonObject, keys: Iterable[str]) -> dict[str, Callable[[], Value]]:
    def read(key: str) -> Value:
        value = raw.get(key)
        return Long(value) if isinstance(value, int) else value

    return {key: partial(read, key) for key in keys}


def _task(raw: JsonObject) -> Record:
    flags = ("stageStart", "stageEnd", "loopStart", "loopEnd")
    full: JsonObject = {
        **{key: raw.get(key) for key in ("id", "implementingClass", "name", "startTime", "endTime")},
        "status": _text(raw, "status") or "NOT_STARTED",
        **{key: raw.get(key) or False for key in flags},
        "taskExceptionDetails": raw.get("taskExceptionDetails") or {},
    }
    properties = {
        **reads(full, full),
        **_long_reads(full, ("startTime", "endTime")),
        "status": lambda: Status(str(full["status"])),
    }
    return Record("TaskExecutionImpl", _text(raw, "name"), full, properties)
