"""An execution as expressions see it: objects whose properties are those of Orca's, over the execution's plain JSON.

Stages fall back to the outputs of their ancestors (Orca's StageContext): own context first, even if the value is null;
then the stage's own outputs, then those of requisite stages, of all synthetic children of those, and so on upwards.
"""

from collections.abc import Callable, Iterable
from functools import partial

from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.values import MISSING, Long, LookupMap, Record, Status, Value, equal
from gennaker.model.codec import Json, JsonObject

_TYPED_FIELDS: dict[str, tuple[str, ...]] = {
    "jenkins": ("master", "job", "buildNumber", "propertyFile", "buildInfo", "properties"),
    "concourse": ("buildInfo", "properties"),
    "docker": ("account", "repository", "tag"),
    "git": ("hash", "source", "project", "branch", "slug", "action"),
    "artifactory": ("artifactorySearchName",),
    "nexus": ("nexusSearchName",),
    "pipeline": ("parentExecution", "parentPipelineStageId"),
    "plugin": ("pluginId", "description", "provider", "version", "releaseDate", "requires", "binaryUrl", "preferred"),
}
_COMMON_FIELDS: tuple[str, ...] = ("type", "correlationId", "user", "parameters", "artifacts", "notifications")
_COMMON_FIELDS += ("rebake", "dryRun", "strategy", "resolvedExpectedArtifacts")
_ARTIFACT: tuple[str, ...] = (
    "type",
    "customKind",
    "name",
    "version",
    "location",
    "reference",
    "metadata",
    "artifactAccount",
)
_ARTIFACT += ("provenance", "uuid")
_BUILD = ("name", "number", "url", "result", "artifacts", "scm", "building", "fullDisplayName", "timestamp")
_SOURCE = ("name", "branch", "sha1")
_BUILD_ARTIFACT: tuple[str, ...] = ("fileName", "displayPath", "relativePath")
_STAGE_BLOCKED = frozenset(
    {"syntheticStageOwner", "lastModified", "requisiteStageRefIdsSet", "contextParameterProcessor"}
)
_EXECUTION_BLOCKED = frozenset({"type", "source", "size"})


def trigger_map(raw: JsonObject) -> JsonObject:
    """A trigger as a map with the fields that Orca always gives it."""
    defaults: JsonObject = {
        "type": "none",
        "correlationId": None,
        "user": "[anonymous]",
        "parameters": {},
        "artifacts": [],
        "notifications": [],
        "rebake": False,
        "dryRun": False,
        "strategy": False,
        "resolvedExpectedArtifacts": [],
    }
    kind = raw.get("type")
    typed = dict.fromkeys(_TYPED_FIELDS.get(kind, ()) if isinstance(kind, str) else ())
    made: JsonObject = {**defaults, **typed, **raw}
    for key in ("user", "parameters", "artifacts", "notifications", "resolvedExpectedArtifacts"):
        if made[key] is None:
            made[key] = defaults[key]
    return made


def scm_commits(trigger: JsonObject) -> Value:
    """The commits of a build trigger as objects; none where it isn't one."""
    build = trigger.get("buildInfo")
    entries = build.get("scm") if isinstance(build, dict) and trigger.get("type") in ("jenkins", "concourse") else None
    return [_record("SourceControl", entry, _SOURCE) for entry in _objects(entries)]


def scm_info(commits: list[Value]) -> Value:
    """Of several commits the first that is on neither master nor develop, else the first; null of none."""
    if len(commits) >= 2:
        for commit in commits:
            raw = commit.raw if isinstance(commit, Record) else commit
            if isinstance(raw, dict) and raw.get("branch") not in ("master", "develop"):
                return commit
    return commits[0] if commits else None


def _objects(value: Json) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _map(raw: JsonObject, key: str) -> JsonObject:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def _text(raw: JsonObject, key: str) -> str:
    value = raw.get(key)
    return value if isinstance(value, str) else ""


class ExecutionView:
    """The objects of one execution; each is made once, so that they are equal to themselves."""

    def __init__(self, raw: JsonObject) -> None:
        """`raw` is the execution as the API gives it, with all stages (synthetic ones too) in their order."""
        self.raw = raw
        self.stages = _objects(raw.get("stages"))
        self._by_ref = {_text(stage, "refId"): stage for stage in reversed(self.stages)}
        self._by_id = {_text(stage, "id"): stage for stage in reversed(self.stages)}
        self._records: dict[int, Record] = {}
        self._ancestors: dict[int, list[JsonObject]] = {}
        self._execution: Record | None = None

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

    def _before(self, stage: JsonObject) -> list[JsonObject]:
        found: list[JsonObject] = []
        visited = {_text(stage, "refId")}
        listed = {id(stage)}
        pending = [stage]
        while pending:
            near, onward = self._nearest(pending.pop(0), visited)
            for ancestor in near:
                if id(ancestor) not in listed:
                    listed.add(id(ancestor))
                    found.append(ancestor)
            pending = onward + pending
        return found

    def _nearest(self, stage: JsonObject, visited: set[str]) -> tuple[list[JsonObject], list[JsonObject]]:
        """The stages directly before one, and those of them to go on from."""
        requisites = stage.get("requisiteStageRefIds")
        wanted = set(map(str, requisites)) - visited if isinstance(requisites, list) else set()
        previous = [other for other in self.stages if other.get("refId") in wanted]
        if previous:
            visited.update(wanted)
            parents = {other.get("id") for other in previous}
            return previous + [other for other in self.stages if other.get("parentStageId") in parents], previous
        parent = self._by_id.get(_text(stage, "parentStageId"))
        if requisites or parent is None or _text(parent, "refId") in visited:
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
        return merged

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

        properties: dict[str, Callable[[], Value]] = {
            **_reads(raw, ("id", "refId", "type", "name", "parentStageId", "additionalMetricTags")),
            **_long_reads(raw, ("startTime", "endTime", "startTimeExpiry", "scheduledTime")),
            "status": lambda: Status(_text(raw, "status") or "NOT_STARTED"),
            "hasSucceeded": lambda: raw.get("status") == "SUCCEEDED",
            "hasFailed": lambda: raw.get("status") == "TERMINAL",
            "context": lambda: LookupMap(self.names(raw), {}),
            "outputs": lambda: _map(raw, "outputs"),
            "tasks": lambda: [_task(task) for task in _objects(raw.get("tasks"))],
            "requisiteStageRefIds": lambda: raw.get("requisiteStageRefIds") or [],
            "parent": parent,
            "topLevelStage": lambda: self.stage(self._top(raw)),
            "execution": self.execution,
            "ancestors": lambda: [self.stage(ancestor) for ancestor in self.ancestors(raw)],
            "directAncestors": lambda: [self.stage(ancestor) for ancestor in self._nearest(raw, set())[0]],
            "syntheticStages": lambda: [
                self.stage(child) for child in self.stages if child.get("parentStageId") == raw.get("id")
            ],
            "join": lambda: len(_list(raw, "requisiteStageRefIds")) > 1,
            "initialStage": lambda: not _list(raw, "requisiteStageRefIds"),
        }
        label = _text(raw, "name")
        return Record("StageExecutionImpl", label, raw, properties, blocked=_STAGE_BLOCKED)

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
        plain: tuple[str, ...] = (
            "id",
            "name",
            "application",
            "pipelineConfigId",
            "canceledBy",
            "cancellationReason",
            "description",
        )
        plain += ("origin", "rootId", "spelEvaluator", "templateVariables", "partition")
        properties: dict[str, Callable[[], Value]] = {
            **_reads(raw, plain),
            **_long_reads(raw, ("buildTime", "startTime", "endTime", "startTimeExpiry")),
            "status": lambda: Status(_text(raw, "status") or "NOT_STARTED"),
            "stages": lambda: [self.stage(stage) for stage in self.stages],
            "context": self.merged_outputs,
            "trigger": lambda: _trigger(_map(raw, "trigger")),
            "authentication": lambda: _record(
                "AuthenticationDetails", raw.get("authentication"), ("user", "allowedAccounts")
            ),
            "paused": lambda: _record(
                "PausedDetails",
                raw.get("paused"),
                ("pausedBy", "resumedBy", "pauseTime", "resumeTime", "paused", "pausedMs"),
            ),
            "canceled": lambda: raw.get("canceled") or False,
            "limitConcurrent": lambda: raw.get("limitConcurrent") or False,
            "keepWaitingPipelines": lambda: raw.get("keepWaitingPipelines") or False,
            "maxConcurrentExecutions": lambda: raw.get("maxConcurrentExecutions") or 0,
            "notifications": lambda: _list(raw, "notifications"),
            "systemNotifications": lambda: _list(raw, "systemNotifications"),
            "initialConfig": lambda: _map(raw, "initialConfig"),
            "additionalHeaders": lambda: _map(raw, "additionalHeaders"),
        }
        finders: dict[str, Callable[..., Value]] = {
            "stageById": lambda wanted: self._found(self._by_id.get(wanted), wanted),
            "stageByRef": lambda wanted: self._found(self._by_ref.get(wanted), wanted),
            "namedStage": lambda wanted: self._found(
                next((s for s in self.stages if s.get("type") == wanted), None), wanted
            ),
        }
        label = _text(raw, "id")
        return Record("PipelineExecutionImpl", label, raw, properties, blocked=_EXECUTION_BLOCKED, methods=finders)

    def _found(self, stage: JsonObject | None, wanted: str) -> Value:
        if stage is None:
            raise ExpressionError(Kind.JAVA_EXCEPTION, f"The execution has no stage {wanted!r}.")
        return self.stage(stage)


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


def _reads(raw: JsonObject, keys: Iterable[str]) -> dict[str, Callable[[], Value]]:
    return {key: partial(raw.get, key) for key in keys}


def _long_reads(raw: JsonObject, keys: Iterable[str]) -> dict[str, Callable[[], Value]]:
    def read(key: str) -> Value:
        value = raw.get(key)
        return Long(value) if isinstance(value, int) else value

    return {key: partial(read, key) for key in keys}


def _record(type_name: str, raw: Json, keys: Iterable[str]) -> Value:
    if not isinstance(raw, dict):
        return None
    return Record(type_name, _text(raw, "name"), raw, _reads(raw, keys))


def _task(raw: JsonObject) -> Record:
    properties = {
        **_reads(raw, ("id", "name", "implementingClass", "taskExceptionDetails")),
        **_long_reads(raw, ("startTime", "endTime")),
        "status": lambda: Status(_text(raw, "status") or "NOT_STARTED"),
        "stageStart": lambda: raw.get("stageStart") or False,
        "stageEnd": lambda: raw.get("stageEnd") or False,
        "loopStart": lambda: raw.get("loopStart") or False,
        "loopEnd": lambda: raw.get("loopEnd") or False,
    }
    return Record("TaskExecutionImpl", _text(raw, "name"), raw, properties)


def _artifact(raw: Json) -> Value:
    return _record("Artifact", raw, _ARTIFACT)


def _expected(raw: JsonObject) -> Record:
    properties: dict[str, Callable[[], Value]] = {
        "id": lambda: raw.get("id"),
        "matchArtifact": lambda: _artifact(raw.get("matchArtifact")),
        "boundArtifact": lambda: _artifact(raw.get("boundArtifact")),
        "defaultArtifact": lambda: _artifact(raw.get("defaultArtifact")),
        "usePriorArtifact": lambda: raw.get("usePriorArtifact") or False,
        "useDefaultArtifact": lambda: raw.get("useDefaultArtifact") or False,
    }
    return Record("ExpectedArtifact", _text(raw, "id"), raw, properties)


def _build(raw: Json) -> Value:
    if not isinstance(raw, dict):
        return None
    properties = {
        **_reads(raw, _BUILD),
        "artifacts": lambda: [
            _record("JenkinsArtifact", item, _BUILD_ARTIFACT) for item in _objects(raw.get("artifacts"))
        ],
        "scm": lambda: [_record("SourceControl", item, _SOURCE) for item in _objects(raw.get("scm"))],
    }
    return Record("JenkinsBuildInfo", _text(raw, "name"), raw, properties)


def _trigger(raw: JsonObject) -> Record:
    full = trigger_map(raw)
    kind = _text(full, "type")
    properties: dict[str, Callable[[], Value]] = {
        **_reads(full, _COMMON_FIELDS),
        **_reads(full, _TYPED_FIELDS.get(kind, ())),
        "artifacts": lambda: [_artifact(item) for item in _objects(full["artifacts"])],
        "resolvedExpectedArtifacts": lambda: [_expected(item) for item in _objects(full["resolvedExpectedArtifacts"])],
        "other": lambda: raw,
    }
    if "buildInfo" in properties:
        properties["buildInfo"] = lambda: _build(full.get("buildInfo"))
    parent = full.get("parentExecution")
    if kind == "pipeline" and isinstance(parent, dict):
        properties["parentExecution"] = ExecutionView(parent).execution
    return Record(f"{kind.title()}Trigger", kind, raw, properties)
