"""Asking load balancers how they are: nobody waits long for one, and each silence is logged once."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import structlog

from gennaker.interfaces.pools import WITHIN_SECONDS, Silences
from gennaker.model.problems import Refused

log = structlog.get_logger()

Answer = TypeVar("Answer")


async def or_silence(silences: Silences, load_balancer: str, asked: Awaitable[Answer | None]) -> Answer | None:
    """What was asked for; None, too, where the load balancer doesn't answer within WITHIN_SECONDS."""
    try:
        async with asyncio.timeout(WITHIN_SECONDS):
            found = await asked
    except (Refused, TimeoutError) as error:
        if silences.begins(load_balancer):
            log.warning("load_balancer.silent", load_balancer=load_balancer, why=str(error) or type(error).__name__)
        return None
    silences.ends(load_balancer)
    return found
