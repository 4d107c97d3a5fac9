"""The root of an expression: a stage's context, the execution and the trigger, as one map."""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from gennaker.expressions.execution_view import ExecutionView
from gennaker.expressions.hashing import in_table_order
from gennaker.expressions.trigger_view import scm_commits, scm_info, trigger_map
from gennaker.expressions.values import MISSING, LookupMap, Names, PlainNames, Value
from gennaker.model.codec import Json, JsonObject

ExecutionSource: TypeAlias = JsonObject | Callable[[], JsonObject] | None


class Root(msgspec.Struct, frozen=True, kw_only=True):
    """What an expression can see. Make one per pass; it may serve many texts."""

    context: Names
    """Keys of the stage's context, falling back to outputs of ancestors."""
    execution: ExecutionSource = None
    """The execution as the API's JSON, or a function that makes it when an expression asks; None: orchestrations."""
    trigger: JsonObject | None = None
    """The trigger as JSON, so that the execution needn't be made for it; None: the execution's own."""
    stage_id: str = ""
    """Id or refId of the stage whose context this is; empty at submission."""
    user: str = "anonymous"
    """What `#currentUser()` gives."""
    extras: JsonObject = {}
    """Further keys that hide those of the context, e.g. `templateVariables`."""


def plain(values: JsonObject) -> Root:
    """A root without execution: the map itself."""
    return Root(context=PlainNames(dict(values)))


def at_stage(execution: JsonObject, stage_id: str = "", *, trigger: JsonObject | None = None) -> Root:
    """The root at a stage (by id or refId) of an execution given as JSON; without a stage the context is empty."""
    view = ExecutionView(execution)
    stage = view.find(stage_id) if stage_id else None
    context: Names = PlainNames({}) if stage is None else view.names(stage)
    authentication = execution.get("authentication")
    user = authentication.get("user") if isinstance(authentication, dict) and stage is not None else None
    variables = execution.get("templateVariables")
    return Root(
        context=context,
        execution=execution,
        trigger=trigger,
        stage_id=stage_id,
        user=user if isinstance(user, str) else "anonymous",
        extras={"templateVariables": variables} if variables and execution.get("spelEvaluator") == "v4" else {},
    )


class Scene:
    """A root made ready for evaluation: the map that expressions see, and the execution's objects."""

    __slots__ = ("_view", "map", "root")

    def __init__(self, root: Root) -> None:
        """Costs little: the execution is only read when an expression asks for it."""
        self.root = root
        self._view: ExecutionView | None = None
        extras: dict[str, Value] = {}
        if root.execution is not None:
            extras["execution"] = _Lazy(self)
            extras["trigger"] = self._trigger()
        elif root.trigger is not None:
            extras["trigger"] = root.trigger
        extras.update(root.extras)
        trigger = extras.get("trigger", MISSING)
        _add_derived(extras, root.context.get("trigger") if trigger is MISSING else trigger, root.context)
        self.map = SceneMap(root.context, extras)

    @property
    def view(self) -> ExecutionView | None:
        """The execution's objects; None where there is no execution."""
        source = self.root.execution
        if self._view is None and source is not None:
            self._view = ExecutionView(source() if callable(source) else source)
        return self._view

    def _trigger(self) -> Value:
        if self.root.trigger is not None:
            return trigger_map(self.root.trigger)
        view = self.view
        raw = view.raw.get("trigger") if view is not None else None
        return trigger_map(raw) if isinstance(raw, dict) else trigger_map({})


class _Lazy:
    """Stands for the execution until it is read."""

    __slots__ = ("_scene",)

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def value(self) -> Value:
        view = self._scene.view
        return None if view is None else view.execution()


class SceneMap(LookupMap):
    """The root map; `execution` is made when it is read."""

    __slots__ = ()

    def get(self, key: Value) -> Value:
        """The value of a key or MISSING."""
        found = super().get(key)
        return found.value() if isinstance(found, _Lazy) else found

    def entries(self) -> dict[Value, Value]:
        """The own entries as a plain map, in the order of Java's hash map: the root is a copy of the context."""
        own = super().entries()
        added = {"parameters", "scmInfo"}.difference(self.names.own_keys())
        found = {key: own[key] for key in in_table_order(own, copied=len(own) - len(added.intersection(own)))}
        return {key: item.value() if isinstance(item, _Lazy) else item for key, item in found.items()}


def _add_derived(extras: dict[str, Value], trigger: Value, context: Names) -> None:
    parameters: Json = None
    commits: Value = extras.get("scmInfo", MISSING)
    commits = context.get("scmInfo") if commits is MISSING else commits
    if isinstance(trigger, dict):
        parameters = trigger.get("parameters")
        if not isinstance(commits, list) and trigger.get("buildInfo") is not None:
            commits = scm_commits(trigger)
    extras["scmInfo"] = scm_info(commits) if isinstance(commits, list) else None
    if isinstance(parameters, dict) and parameters:
        extras["parameters"] = parameters
    elif "parameters" not in extras and context.get("parameters") is MISSING:
        extras["parameters"] = {}
