"""Access, builds: who may read what a CI system has."""

from gennaker.interfaces.ci import BUILDER
from gennaker.interfaces.services import Services
from gennaker.model.permissions import Need, Right
from gennaker.web.access_asking import Asked


async def reading(request: Asked, services: Services) -> tuple[Need, ...]:
    """READ on the system, as on an account of its name; the built-in one's builds are executions of an application, too."""
    master = str(request.path_params["master"])
    need, system = Need(right=Right.READ, account=master), services.ci.get(master)
    is_ours = system is not None and system.type == BUILDER
    return (need, Need(right=Right.READ, application=BUILDER)) if is_ours else (need,)
