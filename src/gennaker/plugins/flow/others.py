"""Others' executions: which of them a stage may look at or end, when its pipeline's author names them.

Its own children always. Else whoever the stage runs for needs the right, as if they asked for it themselves: what a stage
puts out everybody may read who may read its own execution.
"""

from gennaker.interfaces.stages import StageContext
from gennaker.model import ancestry
from gennaker.model.execution import Execution
from gennaker.model.foreign import text_at
from gennaker.model.permissions import Need, Right
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem


async def refusal(context: StageContext, found: Execution, right: Right = Right.READ) -> Problem | None:
    """Why the stage may not have it; None: it may."""
    own, application = context.execution.head, found.head.application
    if text_at(found.head.trigger.get(ancestry.KEY), "id") == own.id or application.lower() == own.application.lower():
        return None
    acting = Principal(name=context.sight.user, roles=context.sight.roles, via="stage")
    return await context.services.authoriser.refusal(acting, Need(right=right, application=application))
