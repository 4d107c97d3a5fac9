"""Gate's list of preconfigured webhooks, from which Deck makes stage types."""

from litestar import Controller, get

from gennaker.model import permissions
from gennaker.model.codec import JsonObject
from gennaker.model.principal import Principal
from gennaker.settings import PreconfiguredWebhookSettings
from gennaker.web.ports import Asking, Ports

_LEFT_TO_PIPELINES = ("url", "method", "payload")
"""Where none of these is open, the stage's form shows parameters only."""
_NO_FIELDS = frozenset({"label", "description", "enabled", "parameters", "permissions", "custom_headers"})


class GateWebhooksController(Controller):
    """Routes under /webhooks that are Orca's."""

    @get("/webhooks/preconfigured")
    async def preconfigured(self, ports: Ports, principal: Asking) -> list[JsonObject]:
        """The enabled ones that whoever asks may see, in the settings' order: which fields they fix, but not to what."""
        known = ports.services.settings.preconfigured_webhooks
        return [_shown(name, one) for name, one in known.items() if one.enabled and _may_see(one, principal)]


def _may_see(one: PreconfiguredWebhookSettings, principal: Principal) -> bool:
    allowed = one.permissions.get("READ")
    return allowed is None or permissions.are_some_of(principal.roles, allowed)


def _shown(name: str, one: PreconfiguredWebhookSettings) -> JsonObject:
    fixed = [
        _camel(field) for field in one.__struct_fields__ if field not in _NO_FIELDS and getattr(one, field) is not None
    ]
    parameters = sorted(one.parameters, key=lambda parameter: parameter.order)
    return {
        "type": name,
        "label": one.label,
        "description": one.description,
        "waitForCompletion": one.wait_for_completion,
        "preconfiguredProperties": [*fixed, *(["customHeaders"] if one.custom_headers else [])],
        "noUserConfigurableFields": all(getattr(one, field) is not None for field in _LEFT_TO_PIPELINES),
        "parameters": [
            {
                "name": parameter.name,
                "label": parameter.label or parameter.name,
                "description": parameter.description,
                "type": parameter.type,
                "defaultValue": parameter.default_value,
                "order": parameter.order,
            }
            for parameter in parameters
        ],
    }


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
