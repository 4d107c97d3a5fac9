"""The web application: all routes, who is asking, and how what goes wrong is answered."""

from typing import Any

from litestar import Litestar, Request
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.middleware import DefineMiddleware
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from gennaker.interfaces.storage import StoreUnusable
from gennaker.model.principal import Principal
from gennaker.model.problems import Refused
from gennaker.web import problems
from gennaker.web.access import Access
from gennaker.web.cors import Cors
from gennaker.web.gate.accounts import GateAccountsController
from gennaker.web.gate.api_tokens import GateTokensController
from gennaker.web.gate.applications import GateApplicationsController
from gennaker.web.gate.canary_configs import GateCanaryConfigsController
from gennaker.web.gate.canary_runs import GateCanariesController
from gennaker.web.gate.clusters import GateClustersController, GateInstancesController
from gennaker.web.gate.conventions import Conventions
from gennaker.web.gate.definitions import GatePipelineConfigsController, GateStrategyConfigsController
from gennaker.web.gate.executions import GateExecutionsController
from gennaker.web.gate.expressions import GateExpressionsController
from gennaker.web.gate.finding import GateSearchController
from gennaker.web.gate.images import GateImagesController
from gennaker.web.gate.pipelines import GatePipelinesController
from gennaker.web.gate.preconfigured import GateWebhooksController
from gennaker.web.gate.projects import GateProjectsController
from gennaker.web.gate.session import GateSessionController
from gennaker.web.gate.start_up import GateStartUpController
from gennaker.web.gate.tasks import GateTasksController
from gennaker.web.gate.templates import GateTemplatesController
from gennaker.web.gate.unavailable import GateUnavailableController
from gennaker.web.native.applications import ApplicationsController
from gennaker.web.native.definitions import DefinitionsController
from gennaker.web.native.evidence import EvidenceController
from gennaker.web.native.executions import ExecutionsController
from gennaker.web.native.people import PeopleController
from gennaker.web.native.pipelines import PipelinesController
from gennaker.web.native.system import HealthController, SystemController
from gennaker.web.orca import OrcaController
from gennaker.web.page import PageController
from gennaker.web.ports import WebPorts
from gennaker.web.sign_in import Guard
from gennaker.web.webhooks import WebhooksController

_VERSION = "1"


def create(ports: WebPorts) -> Litestar:
    """The application over these ports."""

    async def given_ports() -> WebPorts:
        return ports

    async def given_principal(request: Request[Any, Any, Any]) -> Principal:
        found = request.scope["state"]["principal"]  # the guard's: no request comes to a handler past it
        assert isinstance(found, Principal)
        return found

    app = Litestar(
        route_handlers=[
            HealthController,
            SystemController,
            ExecutionsController,
            PipelinesController,
            ApplicationsController,
            DefinitionsController,
            EvidenceController,
            PeopleController,
            GateSessionController,
            GateTokensController,
            GateApplicationsController,
            GateAccountsController,
            GateClustersController,
            GateInstancesController,
            GateSearchController,
            GateImagesController,
            GateStartUpController,
            GatePipelineConfigsController,
            GateStrategyConfigsController,
            GatePipelinesController,
            GateExecutionsController,
            GateExpressionsController,
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
        dependencies={"ports": Provide(given_ports), "principal": Provide(given_principal)},
        middleware=[
            DefineMiddleware(Guard, doors=ports.doors, sign_in=ports.sign_in, server=ports.services.settings.server)
        ],
        guards=[Access(ports)],
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
            title="Gennaker", version=_VERSION, path="/api/v1/schema", render_plugins=[JsonRenderPlugin()]
        ),
        request_max_body_size=ports.services.settings.server.webhook_body_limit_bytes,
        logging_config=None,
        debug=False,
    )
    kept = Conventions(app.asgi_handler, clock=ports.services.clock, new_id=ports.services.ids.uuid)
    app.asgi_handler = Cors(kept, ports.services.settings.server.allowed_origins)
    return app
