"""Principals: on whose behalf something is asked or done."""

import msgspec

from gennaker.model.permissions import Right


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: a person, a client with a token, or Gennaker itself."""

    name: str
    roles: frozenset[str] = frozenset()
    is_operator: bool = False
    """Holds the data folder's token, or a session that was opened by it: may do everything."""
    scopes: frozenset[Right] | None = None
    """Of an API token that may do less than who made it; None: not limited."""
    behind: str = ""
    """The person behind a service account: who has issued the token that is used, or who asks for what is to run as it."""
    via: str = ""
    """How the request came: `cli`, `page`, `api`, `webhook:github`, `poller:docker`, `engine`."""
    headers: dict[str, str] = {}
    """Headers of the request that its executions keep, by the names that the settings list."""


ANONYMOUS = Principal(name="anonymous", via="api")
"""Who hasn't signed in, or doesn't need to."""
SYSTEM = Principal(name="gennaker", via="engine")
"""Gennaker itself: time-outs, superseded executions, grace periods that ended."""
