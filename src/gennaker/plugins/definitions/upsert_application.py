"""Upsert application: stores a new application, or changes the one of that name.

`createApplication` is the same job under the name by which spin and Deck submit it, for new and known applications alike.
"""

from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model.codec import JsonObject
from gennaker.model.event import TaskResult
from gennaker.plugins.definitions import applications


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    application: JsonObject | str
    """Its attributes with `name`, or base64 of them."""


async def write(context: TaskContext) -> TaskResult:
    """Writes it."""
    return await applications.write(context)


def _stage(name: str, label: str) -> StageType:
    return StageType(name=name, label=label, about=__doc__, spec=Spec, tasks=(TaskType(name=name, run=write),))


stages = (_stage("upsertApplication", "Upsert Application"), _stage("createApplication", "Create Application"))
