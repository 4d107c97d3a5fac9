"""The root of an expression: a stage's context, the execution and the trigger, as one map."""

from collections.abc import Callable

import msgspec

from gennaker.expressions.execution_view import ExecutionView, Parts
from gennaker.expressions.hashing import in_table_order
from gennaker.expressions.trigger_view import scm_commits, scm_info, trigger_map
from gennaker.expressions.values import MISSING, LookupMap, Names, PlainNames, Value
from gennaker.model.codec import JsonObject


class Root(msgspec.Struct, frozen=True, kw_only=True):
    """What an expression can see. Make one per pass; it may serve many texts."""

    context: Names
    """Keys of the stage's context, falling back to outputs of ancestors."""
    execution: JsonObject | Parts | None = None
    """The execution as the API's JSON, or in parts that are made when an expression asks; None: orchestrations."""
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
    """The root at a stage (by id or refId) of an execution given as JSON; without a stage the context is empty.

    A stage of an orchestration sees its own context alone.
    """
    view = ExecutionView(execution)
    stage = view.find(stage_id) if stage_id else None
    context: Names = PlainNames({}) if stage is None else view.names(stage)
    authentication = execution.get("authentication")
    user = authentication.get("user") if isinstance(authentication, dict) and stage is not None else None
    variables = execution.get("templateVariables")
    is_alone = stage is not None and execution.get("type") == "ORCHESTRATION"
    if is_alone:
        variables = None
    return Root(
        context=context,
        execution=None if is_alone else execution,
        trigger=None if is_alone else trigger,
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
            extras["execution"] = _Lazy(self._execution)
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
            self._view = ExecutionView(source)
        return self._view

    def _execution(self) -> Value:
        view = self.view
        return None if view is None else view.execution()

    def _trigger(self) -> Value:
        if self.root.trigger is not None:
            return trigger_map(self.root.trigger)
        view = self.view
        raw = view.raw.get("trigger") if view is not None else None
        return trigger_map(raw) if isinstance(raw, dict) else trigger_map({})


class _Lazy:
    """Stands for a value until it is read."""

    __slots__ = ("value",)

    def __init__(self, value: Callable[[], Value]) -> None:
        self.value = value


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
    """Both are made when they are read: where nobody has such a key, all ancestors are looked at for it."""
    commits, given = extras.get("scmInfo", MISSING), extras.get("parameters", MISSING)
    extras["scmInfo"] = _Lazy(lambda: _scm_info(context.get("scmInfo") if commits is MISSING else commits, trigger))
    parameters = trigger.get("parameters") if isinstance(trigger, dict) else None
    if isinstance(parameters, dict) and parameters:
        extras["parameters"] = parameters
    elif given is MISSING:
        extras["parameters"] = _Lazy(lambda: _or_none(context.get("parameters")))


def _scm_info(commits: Value, trigger: Value) -> Value:
    if not isinstance(commits, list) and isinstance(trigger, dict) and trigger.get("buildInfo") is not None:
        commits = scm_commits(trigger)
    return scm_info(commits) if isinstance(commits, list) else None


def _or_none(parameters: Value) -> Value:
    """Without parameters there is an empty map of them."""
    return {} if parameters is MISSING else parameters
