"""Create application: stores a new application, or changes the one of that name (spin and Deck send this for both)."""

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


stage = StageType(
    name="createApplication",
    label="Create Application",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="createApplication", run=write),),
)
