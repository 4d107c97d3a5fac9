"""Principals: on whose behalf something is asked or done."""

import msgspec


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: a person, a client with a token, or Gennaker itself."""

    name: str
    roles: frozenset[str] = frozenset()
    via: str = ""
    """How the request came: `cli`, `page`, `api`, `webhook:github`, `poller:docker`, `engine`."""
    headers: dict[str, str] = {}
    """Headers of the request that its executions keep, by the names that the settings list."""


ANONYMOUS = Principal(name="anonymous", via="api")
"""Who calls Gate's routes while sign-in doesn't exist."""
SYSTEM = Principal(name="gennaker", via="engine")
"""Gennaker itself: time-outs, superseded executions, grace periods that ended."""
