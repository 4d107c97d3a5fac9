"""Access, asking: what a rule is, and the body of a request as rules read it."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar.connection import Request

from gennaker.interfaces.services import Services
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, decode_json
from gennaker.model.permissions import Need

Asked = Request[Any, Any, Any]
Rule = Callable[[Asked, Services], Awaitable[tuple[Need, ...]]]
"""Reads off a request which rights on which applications and accounts it asks for."""


async def body(request: Asked) -> JsonObject:
    """What isn't an object holds nothing."""
    return foreign.mapping(await json(request))


async def json(request: Asked) -> Json:
    """What can't be read names no application; the handler says what is wrong with it."""
    try:
        return decode_json(await request.body())
    except msgspec.DecodeError:
        return None
