"""Parents: the trigger of an execution that another one has started, with that one whole, where expressions look at it.

What is stored of a parent only identifies it, as the trigger is part of every step's row. So the parent is read when a
text is evaluated that names it, as it is then (Orca's reference to a parent does the same). What has been deleted
since stays what the trigger says of it.
"""

from msgspec.structs import replace

from gennaker.engine import contexts, orca_json
from gennaker.interfaces.executions import Executions
from gennaker.model import ancestry
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution

_MOST = 10
"""Generations that are read."""


def are_asked_for(trigger: JsonObject, value: Json) -> bool:
    """Whether some text in the value names the parent, and there is one."""
    return isinstance(trigger.get(ancestry.KEY), dict) and contexts.mentions(value, ancestry.KEY)


async def seen(execution: Execution, value: Json, executions: Executions) -> Execution:
    """The execution for evaluating the value; not for keeping."""
    trigger = execution.head.trigger
    with_parents = await shown(trigger, value, executions)
    if with_parents is trigger:
        return execution
    return replace(execution, head=replace(execution.head, trigger=with_parents))


async def shown(trigger: JsonObject, value: Json, executions: Executions) -> JsonObject:
    """The trigger with as many generations of parents as a text of the value can ask for."""
    if not are_asked_for(trigger, value):
        return trigger
    return await _with_parents(trigger, min(contexts.most(value, ancestry.KEY), _MOST), executions)


async def _with_parents(trigger: JsonObject, generations: int, executions: Executions) -> JsonObject:
    known = trigger.get(ancestry.KEY)
    parent_id = known.get("id") if isinstance(known, dict) else None
    if not generations or not isinstance(known, dict) or not isinstance(parent_id, str):
        return trigger
    parent = await executions.get(parent_id)
    if parent is None:
        return trigger
    whole = orca_json.execution_json(parent)
    before = whole["trigger"]
    assert isinstance(before, dict)
    whole["trigger"] = await _with_parents(before, generations - 1, executions)
    return {**trigger, ancestry.KEY: {**known, **whole}}
