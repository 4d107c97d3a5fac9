"""Gate's notifications of applications: what all pipelines of one send besides their own."""

from typing import Any

from litestar import Controller, Request, delete, get, post
from litestar.params import FromPath

from gennaker.model import application_notifications
from gennaker.model.codec import JsonObject
from gennaker.web import orchestrations
from gennaker.web.ports import Asking, Ports


class GateNotificationsController(Controller):
    """Routes under /notifications/application."""

    path = "/notifications/application/{application:str}"

    @get()
    async def one(self, ports: Ports, principal: Asking, application: FromPath[str]) -> JsonObject:
        """Lists by type; an empty object where there are none."""
        found = await ports.services.definitions.get(application_notifications.KIND, application.lower())
        return found.body if found else {}

    @post(status_code=200)
    async def save(
        self, ports: Ports, principal: Asking, application: FromPath[str], request: Request[Any, Any, Any]
    ) -> JsonObject:
        """Replaces them."""
        given = application_notifications.checked(orchestrations.read_object(await request.body()))
        body: JsonObject = {**given, "application": application.lower()}
        saved = await ports.services.definitions.save(
            application_notifications.KIND, application.lower(), body, author=principal.name
        )
        return saved.body

    @delete(status_code=200)
    async def remove(self, ports: Ports, principal: Asking, application: FromPath[str]) -> None:
        """Pipelines send only their own from now on; where there were none that is so already."""
        kept, name = ports.services.definitions, application.lower()
        if await kept.get(application_notifications.KIND, name) is not None:
            await kept.delete(application_notifications.KIND, name, author=principal.name)
