"""Counting: requests under way at instances behind a route, as the instances themselves say.

Routes are served by controllers that tell nobody how many requests they have given to which instance. Who knows is the instance:
where the settings name a gauge of its `/metrics`, it is asked. What doesn't answer, or has no such gauge, isn't known.
"""

import asyncio
import math
from collections.abc import Iterable, Mapping

import httpx2

from gennaker.transport import exposition, metrics_pages

_WITHIN_SECONDS = 2.0
_PAGE_SERIES = 20_000


async def under_way(addresses: Iterable[str], gauge: str) -> Mapping[str, int | None]:
    """By address; None: it isn't known. `gauge`: empty where nobody can be asked."""
    listed = tuple(dict.fromkeys(addresses))
    if not gauge:
        return dict.fromkeys(listed)
    async with metrics_pages.client(_WITHIN_SECONDS) as client:
        counts = await asyncio.gather(*(_asked(client, one, gauge) for one in listed))
    return dict(zip(listed, counts, strict=True))


async def _asked(client: httpx2.AsyncClient, address: str, gauge: str) -> int | None:
    try:
        async with asyncio.timeout(_WITHIN_SECONDS):
            text = await metrics_pages.fetch(client, address)
    except (TimeoutError, httpx2.HTTPError, metrics_pages.NotOffered):
        return None
    page = exposition.parse(text, most=_PAGE_SERIES)
    found = [value for (name, _), value in (*page.gauges.items(), *page.counters.items()) if name == gauge]
    total = math.fsum(found)
    return math.ceil(total) if found and math.isfinite(total) and total >= 0 else None
