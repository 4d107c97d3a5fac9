"""Drift in the native API: where an application's live objects are no longer what was applied last."""

from litestar import Controller, get
from litestar.params import FromPath, FromQuery

from gennaker.interfaces.manifests import Drift, DriftState
from gennaker.model.codec import JsonObject, to_json
from gennaker.model.problems import Problem
from gennaker.web import visible
from gennaker.web.ports import Asking, Ports


class DriftController(Controller):
    """The route under /api/v1/applications."""

    path = "/api/v1"

    @get("/applications/{application:str}/drift")
    async def drift(
        self, ports: Ports, principal: Asking, application: FromPath[str], account: FromQuery[str] = ""
    ) -> JsonObject:
        """What applying each object once more would change, and who has changed it; `account`: only there."""
        objects: list[Drift] = []
        missing: dict[str, Problem] = {}
        for provider in ports.services.manifests.values():
            named = [one for one in provider.accounts if account in ("", one)]
            found = await provider.drift(application, frozenset(await visible.accounts(ports, principal, named, str)))
            objects += found.objects
            missing |= found.missing
        return {
            "application": application,
            "drifted": any(one.state in (DriftState.DRIFTED, DriftState.MISSING) for one in objects),
            "objects": [to_json(one) for one in objects],
            "missing": {name: to_json(one) for name, one in sorted(missing.items())},
        }
