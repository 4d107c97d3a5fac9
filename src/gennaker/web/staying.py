"""Staying: whether who follows a live stream may go on; a stream outlives what its reader was let in with."""

import asyncio
from typing import Any

from litestar import Request

from gennaker.model.principal import Principal
from gennaker.model.problems import Refused
from gennaker.web.sign_in import AGAIN

_LOOKS_SECONDS = 60.0
"""So long may somebody follow whose session, token or roles are gone."""


class Staying:
    """The reader of one stream."""

    def __init__(self, request: Request[Any, Any, Any], principal: Principal) -> None:
        """`principal`: as whom the request came in."""
        self._again = request.scope["state"][AGAIN]
        self._principal: Principal | None = principal
        self._next_look = asyncio.get_running_loop().time() + _LOOKS_SECONDS

    @property
    def seen(self) -> Principal | None:
        """Who it was at the last look: the same value, unless there was another look since."""
        return self._principal

    async def principal(self) -> Principal | None:
        """Who it is, with the roles of the last minute; None: nobody who might open the stream now."""
        now = asyncio.get_running_loop().time()
        if self._principal is not None and now >= self._next_look:
            self._next_look = now + _LOOKS_SECONDS
            self._principal = await self._found(self._principal.name)
        return self._principal

    async def _found(self, name: str) -> Principal | None:
        try:
            found: Principal | None = await self._again()
        except Refused:
            return None
        return found if found is not None and found.name == name else None
