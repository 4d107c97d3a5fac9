"""Metrics pages: fetches what an instance shows under /metrics, as much of it as a page may hold."""

from typing import Final

import httpx2

from gennaker.model import foreign
from gennaker.transport import http

PATH: Final = "/metrics"
MOST_BYTES: Final = 2_000_000


class NotOffered(Exception):
    """The instance offers no metrics: it has no address, or answers something else."""


def client(seconds: float) -> httpx2.AsyncClient:
    """For pages of instances; each step of a request may take so long. To be closed.

    One connection for each request, so that no kept one holds up an instance that drains.
    """
    limits = httpx2.Limits(max_keepalive_connections=0)
    headers = {"connection": "close", "accept": "text/plain;version=0.0.4"}
    return httpx2.AsyncClient(trust_env=False, verify=False, limits=limits, headers=headers, timeout=seconds)


async def fetch(asking: httpx2.AsyncClient, address: str) -> str:
    """The page of the instance at `host:port`. Raises NotOffered, httpx2.HTTPError."""
    if foreign.port(address.rpartition(":")[2]) is None:
        # The client would take a port that is too large to the operating system.
        raise NotOffered(f"{address} is no address with a port")
    try:
        url = httpx2.URL(f"http://{address}{PATH}")
    except httpx2.InvalidURL as error:
        raise NotOffered(f"{address} is no address with a port") from error
    async with asking.stream("GET", url) as response:
        if response.status_code != httpx2.codes.OK:
            raise NotOffered(f"{PATH} answers {response.status_code}")
        body = await http.bounded(response, MOST_BYTES)
        if body is None:
            raise NotOffered(f"{PATH} is larger than {MOST_BYTES} bytes")
    return body.decode(errors="replace")
