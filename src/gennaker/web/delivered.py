"""Delivered: pages of an application's deliveries, of executions as they are stored now.

A page joins the hundred executions behind its cursor, and knows the hundred before it: a build whose delivery was shown on
the page before isn't shown again. Build and delivery with more than a hundred executions between them stand apart.
"""

from collections.abc import Callable, Hashable, Sequence
from functools import partial

import msgspec

from gennaker.interfaces.executions import Found, Listed
from gennaker.model.codec import Json, decode
from gennaker.model.execution import Execution, ExecutionKind
from gennaker.model.statuses import UNFINISHED
from gennaker.web import deliveries, shapes
from gennaker.web.deliveries import Delivery
from gennaker.web.ports import WebPorts

_READ = 100
_OTHERS = 20
"""Most executions shown that have ended and are no delivery."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One answer; the lists are JSON already."""

    deliveries: msgspec.Raw
    others: msgspec.Raw
    next: str | None
    """The cursor of the page behind it."""


async def page(ports: WebPorts, application: str, *, after: str, limit: int) -> Page:
    """The newest, or those behind a cursor, which is the id of the newer execution of the last delivery shown."""
    listed = ports.services.executions.listed
    pipelines = Found(application=application, kind=ExecutionKind.PIPELINE, limit=_READ)
    if after:
        before = await listed(msgspec.structs.replace(pipelines, from_id=after, is_oldest_first=True))
        behind = await listed(msgspec.structs.replace(pipelines, before_id=after))
        made = partial(_behind, {one.id for one in behind}, limit)
        return await _made(ports, ("behind", after, limit), [*before, *behind], made)
    newest = await listed(pipelines)
    orchestrations = await listed(Found(application=application, kind=ExecutionKind.ORCHESTRATION, limit=_OTHERS))
    unfinished = await listed(Found(application=application, statuses=UNFINISHED, limit=_READ))
    made = partial(_newest, {one.id for one in newest}, limit)
    every = {one.id: one for one in (*newest, *orchestrations, *unfinished)}
    return await _made(ports, ("newest", limit, len(newest)), [*every.values()], made)


def _newest(pipelines: set[str], limit: int, found: Sequence[Execution]) -> Json:
    of_pipelines = [one for one in found if one.head.id in pipelines]
    joined = deliveries.join(of_pipelines)
    others = deliveries.others(found, joined, most_ended=_OTHERS)
    return _page(joined, of_pipelines, limit, [shapes.summary(one) for one in others])


def _behind(shown: set[str], limit: int, found: Sequence[Execution]) -> Json:
    joined = [one for one in deliveries.join(found) if deliveries.newer(one).head.id in shown]
    return _page(joined, [one for one in found if one.head.id in shown], limit, [])


def _page(joined: list[Delivery], read: list[Execution], limit: int, others: list[Json]) -> Json:
    last = deliveries.newer(joined[limit - 1]) if len(joined) > limit else None
    if last is None and len(read) == _READ:
        last = min(read, key=lambda one: (one.head.build_time, one.head.id))
    shown: list[Json] = [deliveries.shape(one) for one in joined[:limit]]
    return {"deliveries": shown, "others": others, "next": last.head.id if last else None}


async def _made(
    ports: WebPorts, name: tuple[Hashable, ...], listed: Sequence[Listed], make: Callable[[Sequence[Execution]], Json]
) -> Page:
    return decode(await ports.shown.of_all(ports.services.executions, listed, ("deliveries", *name), make), Page)
