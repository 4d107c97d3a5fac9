"""What the web is given: it knows no plugin, no store and no worker."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from litestar.connection import ASGIConnection
from litestar.di import NamedDependency

from gennaker.access.signing_in import SignIn
from gennaker.access.stored_secrets import StoredSecrets
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageType
from gennaker.migration.phases import Phases
from gennaker.model.codec import JsonObject
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem
from gennaker.web.encoded import Encoded
from gennaker.web.recent import Recent, Said
from gennaker.web.shown import Shown
from gennaker.web.sign_in import Doors

PORTS = "ports"
"""Where a request's scope has them, in its state."""


class WebPorts:
    """Everything that handlers use."""

    def __init__(
        self,
        *,
        services: Services,
        stage_types: Mapping[str, StageType],
        doors: Doors,
        sign_in: SignIn,
        stored_secrets: StoredSecrets,
        phases: Phases,
        verify_audit: Callable[[], Awaitable[JsonObject]],
        ending: asyncio.Event,
        is_ready: Callable[[], bool],
        unkept: Callable[[], Awaitable[Problem | None]],
        page: Path,
        version: str,
    ) -> None:
        """`page`: folder of the built user interface; `unkept`: why nothing can be kept at present, if so.

        Setting `ending` ends the server, soon after the answer. A stream that has no end of its own must end with it:
        the server waits for open answers.
        """
        self.services = services
        self.stage_types = stage_types
        self.doors = doors
        self.sign_in = sign_in
        self.stored_secrets = stored_secrets
        self.phases = phases
        self.verify_audit = verify_audit
        self.ending = ending
        self.is_ready = is_ready
        self.is_secure = services.settings.server.base_url.startswith("https:")
        """Whether browsers reach it by TLS, which a proxy in front ends: then cookies go no other way."""
        self.unkept = unkept
        self.page = page
        self.version = version
        self.shown = Shown()
        self.encoded = Encoded()
        self.comparing = asyncio.Lock()
        """Of whoever compares what others have sent with a pattern: that may take seconds, and threads are few."""
        self.said_by_ci = Recent[Said](services.clock)


def ports_of(connection: "ASGIConnection[Any, Any, Any, Any]") -> WebPorts:
    """The ports of the server that the request came to."""
    found = connection.scope["state"][PORTS]
    assert isinstance(found, WebPorts)
    return found


Ports = NamedDependency[WebPorts]
"""The parameter `ports` of a handler."""
Asking = NamedDependency[Principal]
"""The parameter `principal` of a handler: who asks, as the guard has found. Every handler has it, whether it looks at it or not."""
