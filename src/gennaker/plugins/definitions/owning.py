"""Owning: who may change what belongs to no application: projects and templates (decision 22)."""

from gennaker.interfaces.definitions import Definition
from gennaker.interfaces.stages import TaskContext
from gennaker.model import needs
from gennaker.model.codec import JsonObject
from gennaker.model.permissions import Need
from gennaker.model.principal import Principal
from gennaker.model.problems import Refused

_REVISIONS = 200
"""So many are looked at for whoever has saved it before."""


async def refuse_project(context: TaskContext, before: Definition | None, after: JsonObject | None) -> None:
    """Raises Refused (403); `before` None: it is new; `after` None: it is to be deleted."""
    known = {one.id.lower() for one in await context.services.definitions.list("application")}
    is_own = before is not None and await is_own_of(context, before.kind, before.id)
    await refuse(context, needs.of_project(before.body if before else None, after, is_own=is_own, known=known))


async def is_own_of(context: TaskContext, kind: str, definition_id: str) -> bool:
    """Whether whoever asks has saved it before."""
    revisions = await context.services.definitions.history(kind, definition_id, _REVISIONS)
    return any(one.author == context.sight.user for one in revisions)


async def refuse(context: TaskContext, needed: tuple[Need, ...]) -> None:
    """Raises Refused (403) where whoever the stage runs for has not all of it."""
    acting = Principal(name=context.sight.user, roles=context.sight.roles, via="stage")
    problem = await context.services.authoriser.refusal(acting, *needed)
    if problem is not None:
        raise Refused(problem, status=403)
