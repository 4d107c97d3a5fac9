"""Changes: patches of objects, and of a stage that was cancelled while it sent them, which of them are made."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from gennaker.interfaces.api_servers import ApiFailure
from gennaker.interfaces.artifacts import ArtifactUnavailable
from gennaker.interfaces.stages import TaskContext
from gennaker.model import half_applied
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.kubernetes import asking, cut_off, differences, resolving
from gennaker.plugins.kubernetes.manifests import Coordinates
from gennaker.plugins.kubernetes.objects import Objects

_AT_A_TIME = 10
_MAY_ADD_TWICE = "its operations would change it again, whether they were made or not"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A patch of one object."""

    where: Coordinates
    patch: Json
    merge: str
    subresource: str = ""
    may_add_twice: bool = False
    """Making it twice may be more than making it once: operations that append to a list."""

    async def make(self, objects: Objects) -> JsonObject:
        """The object afterwards; empty where there is nothing to be changed. Raises Refused, ApiFailure."""
        if self.patch == []:
            return {}
        return await objects.patch(self.where, self.patch, merge=self.merge, subresource=self.subresource)

    async def is_made(self, objects: Objects) -> bool | None:
        """Whether making it now would change nothing, as the API server says; None: that doesn't tell. Raises as `make`."""
        if self.patch == []:
            return True
        live = await objects.get(self.where, self.subresource)
        if live is None:
            return False
        after = await objects.patch(self.where, self.patch, merge=self.merge, subresource=self.subresource, is_dry=True)
        if differences.between(live, after)["change"] == "unchanged":
            return True
        return None if self.may_add_twice else False


Find = Callable[[TaskContext, Objects], Awaitable[Sequence[Change]]]


def stopped(find: Find) -> Callable[[TaskContext], Awaitable[JsonObject | None]]:
    """What a cancelled task says of the changes that `find` names: the cluster is asked, as it was cut off at any place."""

    async def stop(context: TaskContext) -> JsonObject | None:
        try:
            objects = asking.objects(context)
            meant = await find(context, objects)
            looks = [partial(one.is_made, objects) for one in meant]
            found = await asking.several(looks, at_a_time=_AT_A_TIME)
        except (Refused, ApiFailure, ArtifactUnavailable) as failure:
            target = resolving.target(context.stage.context)
            again = cut_off.appends(context.stage.context)
            return half_applied.context({}, unknown=[target.full_name], reason=str(failure), changes_again=again)
        by_outcome = {
            outcome: [one.where.full_name for one, made in zip(meant, found, strict=True) if made is outcome]
            for outcome in (True, False, None)
        }
        return half_applied.context(
            {half_applied.CHANGED: by_outcome[True], half_applied.NOT_CHANGED: by_outcome[False]},
            unknown=by_outcome[None],
            reason=_MAY_ADD_TWICE,
            changes_again=bool(by_outcome[None]),
        )

    return stop
