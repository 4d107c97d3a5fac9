"""The web application: all routes, who is asking, and how what goes wrong is answered.

Routes are made once in a process, which takes a while, and know no server: its ports come with each request.
"""

import functools
import json
from typing import Any

from litestar import Litestar, Request
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.types import ASGIApp, Receive, Scope, Send

from gennaker.interfaces.storage import StoreUnusable
from gennaker.model.principal import Principal
from gennaker.model.problems import Refused
from gennaker.settings import ServerSettings
from gennaker.web import openapi, problems
from gennaker.web.access import may_use
from gennaker.web.cors import Cors
from gennaker.web.gate.accounts import GateAccountsController
from gennaker.web.gate.admin import GateAdminController
from gennaker.web.gate.api_tokens import GateTokensController
from gennaker.web.gate.applications import GateApplicationsController
from gennaker.web.gate.artifacts import GateArtifactsController
from gennaker.web.gate.builds import GateBuildsController
from gennaker.web.gate.canary_configs import GateCanaryConfigsController
from gennaker.web.gate.canary_runs import GateCanariesController
from gennaker.web.gate.clusters import GateClustersController, GateInstancesController
from gennaker.web.gate.conventions import Conventions
from gennaker.web.gate.cron import GateCronController
from gennaker.web.gate.definitions import GatePipelineConfigsController, GateStrategyConfigsController
from gennaker.web.gate.executions import GateExecutionsController
from gennaker.web.gate.expressions import GateExpressionsController
from gennaker.web.gate.finding import GateSearchController
from gennaker.web.gate.images import GateImagesController
from gennaker.web.gate.manifests import GateManifestsController
from gennaker.web.gate.notifications import GateNotificationsController
from gennaker.web.gate.pipelines import GatePipelinesController
from gennaker.web.gate.preconfigured import GateWebhooksController
from gennaker.web.gate.projects import GateProjectsController
from gennaker.web.gate.session import GateSessionController
from gennaker.web.gate.start_up import GateStartUpController
from gennaker.web.gate.surroundings import GateSurroundingsController
from gennaker.web.gate.tasks import GateTasksController
from gennaker.web.gate.templates import GateTemplatesController
from gennaker.web.gate.unavailable import GateUnavailableController
from gennaker.web.heads import Heads, refuse_left_out
from gennaker.web.limits import TimelyBodies
from gennaker.web.native.applications import ApplicationsController
from gennaker.web.native.definitions import DefinitionsController
from gennaker.web.native.drift import DriftController
from gennaker.web.native.evidence import EvidenceController
from gennaker.web.native.executions import ExecutionsController
from gennaker.web.native.imports import ImportsController
from gennaker.web.native.people import PeopleController
from gennaker.web.native.pipelines import PipelinesController
from gennaker.web.native.secrets import SecretsController
from gennaker.web.native.system import HealthController, SystemController
from gennaker.web.orca import OrcaController
from gennaker.web.page import PageController
from gennaker.web.ports import PORTS, Ports, WebPorts, ports_of
from gennaker.web.provider_sign_in import ProviderSignInController
from gennaker.web.sign_in import GUARD, Guard, Guarded
from gennaker.web.webhooks import WebhooksController

_VERSION = "1"


class _Served:
    """The routes as one server has them."""

    def __init__(self, routes: Litestar, ports: WebPorts) -> None:
        self._routes = routes
        self._ports = ports
        self._guard = Guard(ports.doors, ports.sign_in, ports.services.settings.server, ports.services.clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Gives each request the ports, and the guard that it passes first."""
        if scope["type"] == ScopeType.HTTP:
            scope["state"] |= {PORTS: self._ports, GUARD: self._guard}
        await self._routes(scope, receive, send)


def create(ports: WebPorts) -> ASGIApp:
    """The application over these ports."""
    server = ports.services.settings.server
    served = _Served(routes(server.webhook_body_limit_bytes), ports)
    kept = Conventions(TimelyBodies(Heads(served)), clock=ports.services.clock, new_id=ports.services.ids.uuid)
    return Cors(kept, server.allowed_origins)


def document() -> str:
    """The OpenAPI document of the native API, as a file."""
    found = openapi.of_native(routes(ServerSettings().webhook_body_limit_bytes).openapi_schema.to_schema())
    return json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


async def _given_ports(request: Request[Any, Any, Any]) -> WebPorts:
    return ports_of(request)


async def _given_principal(request: Request[Any, Any, Any], ports: Ports) -> Principal:
    del ports  # asked for so that one comes after the other: side by side each would be a task of its own
    found = request.scope["state"]["principal"]  # the guard's: no request comes to a handler past it
    assert isinstance(found, Principal)
    return found


@functools.cache
def routes(body_limit_bytes: int) -> Litestar:
    """All routes, of whatever server. Raises nothing; a body beyond the limit is answered with 413."""
    return Litestar(
        route_handlers=[
            HealthController,
            SystemController,
            ExecutionsController,
            PipelinesController,
            ApplicationsController,
            DefinitionsController,
            DriftController,
            EvidenceController,
            PeopleController,
            SecretsController,
            ImportsController,
            GateSessionController,
            ProviderSignInController,
            GateTokensController,
            GateApplicationsController,
            GateAccountsController,
            GateClustersController,
            GateSurroundingsController,
            GateInstancesController,
            GateManifestsController,
            GateSearchController,
            GateImagesController,
            GateBuildsController,
            GateStartUpController,
            GateArtifactsController,
            GateNotificationsController,
            GatePipelineConfigsController,
            GateStrategyConfigsController,
            GatePipelinesController,
            GateExecutionsController,
            GateExpressionsController,
            GateCronController,
            GateAdminController,
            GateTasksController,
            GateProjectsController,
            GateTemplatesController,
            GateCanaryConfigsController,
            GateCanariesController,
            GateWebhooksController,
            GateUnavailableController,
            OrcaController,
            WebhooksController,
            PageController,
        ],
        dependencies={"ports": Provide(_given_ports), "principal": Provide(_given_principal)},
        middleware=[Guarded],
        guards=[refuse_left_out, may_use],
        request_class=problems.ReadableRequest,
        exception_handlers={
            Refused: problems.refused,
            HTTPException: problems.http,
            StoreUnusable: problems.unstorable,
            RecursionError: problems.too_deep,
            UnicodeDecodeError: problems.not_utf8,
            Exception: problems.unexpected,
        },
        # As JSON only: the framework's pages would fetch their scripts from other people's servers.
        openapi_config=OpenAPIConfig(
            title="Gennaker",
            version=_VERSION,
            path="/api/v1/schema",
            render_plugins=[openapi.NativeJson()],
            use_handler_docstrings=True,
        ),
        request_max_body_size=body_limit_bytes,
        logging_config=None,
        debug=False,
    )
