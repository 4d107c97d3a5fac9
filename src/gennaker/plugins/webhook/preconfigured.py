"""Preconfigured webhooks: stage types that the settings define over the webhook stage.

What the settings say wins over what the stage says. Headers of the settings are added when the call is made and go to the
settings' own address only: no pipeline sees them and none can turn them elsewhere.
"""

from collections.abc import Mapping

import msgspec

from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType
from gennaker.model import permissions
from gennaker.model.artifact import Plain
from gennaker.model.codec import JsonObject
from gennaker.model.foreign import written
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.webhook import calling, stage_settings, webhook
from gennaker.plugins.webhook.stage_settings import Spec
from gennaker.settings import PreconfiguredWebhookSettings, Settings


class PreconfiguredSpec(Spec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON; what the settings fix need not be in it."""

    parameter_values: dict[str, Plain] = {}  # noqa: RUF012 - msgspec copies it


def stages(settings: Settings) -> tuple[StageType, ...]:
    """The enabled ones as stage types. Raises Refused for one whose settings can't be."""
    return tuple(_stage(name, one) for name, one in settings.preconfigured_webhooks.items() if one.enabled)


def _stage(name: str, fixed: PreconfiguredWebhookSettings) -> StageType:
    values = stage_settings.fixed(name, fixed)
    if fixed.custom_headers and not calling.origin_is_fixed(fixed):
        message = f"preconfigured-webhooks.{name} has custom-headers but no url with a fixed host to send them to."
        raise Refused(Problem(code="settings.webhook", message=message, remedy="Set its url."))

    async def plan(spec: StageSpec, context: StageContext) -> Plan:
        assert isinstance(spec, PreconfiguredSpec)
        allowed = fixed.permissions.get("WRITE")
        if allowed is not None and not permissions.are_some_of(context.sight.roles, allowed):
            raise Refused(_not_allowed(fixed.label, context.sight.user, allowed))
        given = {field.encode_name: getattr(spec, field.name) for field in msgspec.structs.fields(Spec)}
        effective = msgspec.convert({**given, **values}, Spec, strict=False)
        filled = _filled(name, fixed, spec.parameter_values)
        return Plan(tasks=webhook.tasks(effective), context={**values, "parameterValues": filled})

    return StageType(
        name=name,
        label=fixed.label,
        about=fixed.description or f"The webhook {fixed.label}, as the settings define it.",
        spec=PreconfiguredSpec,
        tasks=webhook.TASKS,
        plan=plan,
        restart_clears=webhook.CLEARED,
    )


def _not_allowed(label: str, user: str, allowed: tuple[str, ...]) -> Problem:
    return Problem(
        code="webhook.not_allowed",
        message=f"{user or 'Nobody'} may not run the webhook {label}.",
        remedy=f"Have the pipeline started by someone with one of the roles {', '.join(allowed) or '(none)'}.",
    )


def _filled(name: str, fixed: PreconfiguredWebhookSettings, given: Mapping[str, Plain]) -> JsonObject:
    """Every parameter with its value; those that the webhook doesn't have are a mistake."""
    known = {one.name: one.default_value for one in fixed.parameters}
    strange = sorted(set(given) - set(known))
    if strange:
        message = f"The webhook {name} has no parameter {', '.join(strange)}."
        remedy = f"It has {', '.join(sorted(known)) or 'none'}."
        raise Refused(Problem(code="webhook.parameter", message=message, remedy=remedy, pointer="/parameterValues"))
    return {**known, **{key: written(value) for key, value in given.items()}}
