"""Ancestry: what the trigger of an execution keeps of the one that has started it.

What identifies it, who or what started that one, and so on a few generations up: what pages show beside the child. The
trigger is part of every step's row, so the whole of the parent stays where it is (expressions are given it: engine/parents.py).
"""

from typing import Final

from gennaker.model.codec import JsonObject, milliseconds
from gennaker.model.execution import Head
from gennaker.model.foreign import mapping

KEY: Final = "parentExecution"
_GENERATIONS: Final = 3
_OWN = ("id", "type", "name", "application", "rootId", "pipelineConfigId", "buildTime", "status")
_OF_TRIGGER = ("type", "user")
_OF_BUILD = ("name", "number", "url")


def outline(head: Head) -> JsonObject:
    """Of an execution that starts another one."""
    own: JsonObject = {
        "id": head.id,
        "type": head.kind.value,
        "name": head.name,
        "application": head.application,
        "rootId": head.root_id,
        "pipelineConfigId": head.pipeline_config_id,
        "buildTime": milliseconds(head.build_time),
    }
    return own | {"trigger": _trigger(head.trigger, _GENERATIONS - 1)}


def _trigger(full: JsonObject, generations: int) -> JsonObject:
    kept: JsonObject = {key: full[key] for key in _OF_TRIGGER if key in full}
    build = mapping(full.get("buildInfo"))
    if build:
        kept["buildInfo"] = {key: build[key] for key in _OF_BUILD if key in build}
    parent = mapping(full.get(KEY))
    if parent and generations:
        own: JsonObject = {key: parent[key] for key in _OWN if key in parent}
        kept[KEY] = own | {"trigger": _trigger(mapping(parent.get("trigger")), generations - 1)}
    return kept
