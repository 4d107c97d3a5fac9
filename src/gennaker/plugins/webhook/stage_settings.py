"""Settings of a webhook stage: the stage's JSON, for all kinds of webhook stages, and reading it when a task runs."""

import msgspec

from gennaker.interfaces.stages import StageContext, StageSpec
from gennaker.model import records
from gennaker.model.artifact import ExpectedArtifactKeys, Plain
from gennaker.model.codec import Json, JsonObject, decode_json, encode
from gennaker.model.problems import Problem, Refused
from gennaker.settings import PreconfiguredWebhookSettings

_OWN = frozenset({"permissions", "label", "description", "enabled", "custom_headers", "parameters"})
"""Settings that are not fields of the stage."""
_JSON = frozenset({"payload", "cancel_payload"})


class Budget(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How often a status may come while the webhook is watched."""

    max_attempts: int = 1


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    url: str = ""
    method: str = "POST"
    payload: Json = None
    """Sent as JSON; text that isn't JSON is sent as it is."""
    custom_headers: dict[str, Plain | list[Plain]] = {}  # noqa: RUF012 - msgspec copies it
    fail_fast_status_codes: tuple[int, ...] = (504,)
    webhook_retry_status_codes: tuple[int, ...] = ()
    """More statuses after which the first call is repeated."""
    retry_status_codes: tuple[int, ...] = ()
    """More statuses after which the status is asked for again."""
    retries: dict[str, Budget] = {}  # noqa: RUF012 - msgspec copies it
    """By status: for those listed here nothing else counts."""
    wait_for_completion: bool = False
    wait_before_monitor: float = 0
    """Seconds."""
    monitor_only: bool = False
    status_url_resolution: str = "getMethod"
    """`getMethod`, `locationHeader` or `webhookResponse`."""
    status_url_json_path: str = ""
    status_json_path: str = ""
    progress_json_path: str = ""
    success_statuses: str = ""
    """Separated by commas, in any case."""
    canceled_statuses: str = ""
    terminal_statuses: str = ""
    cancel_endpoint: str = ""
    cancel_method: str = "POST"
    cancel_payload: Json = None
    expected_artifacts: tuple[ExpectedArtifactKeys, ...] = ()


def read(context: StageContext) -> Spec:
    """What the stage says now, its expressions evaluated. Raises Refused."""
    given: JsonObject = {}
    for field in msgspec.structs.fields(Spec):
        value = context.lookup(field.encode_name)
        if value is not None:
            given[field.encode_name] = value
    settings = context.services.settings.preconfigured_webhooks.get(context.stage.type)
    if settings is not None:  # again, as somebody may have changed the stage's context since it was planned
        decided = fixed(context.stage.type, settings)
        given |= {key: value for key, value in decided.items() if "${" not in encode(value).decode()}
    return records.demanded(given, Spec, of=f"stage {context.stage.name}")


def fixed(name: str, settings: PreconfiguredWebhookSettings) -> JsonObject:
    """The stage's fields that the settings decide."""
    values: JsonObject = {}
    of_stage = {field.name: field.encode_name for field in msgspec.structs.fields(Spec)}
    for field in msgspec.structs.fields(PreconfiguredWebhookSettings):
        value = getattr(settings, field.name)
        if field.name in _OWN or value is None:
            continue
        if field.name in _JSON:
            value = _json(name, field.encode_name, value)
        values[of_stage[field.name]] = list(value) if isinstance(value, tuple) else value
    return values


def _json(name: str, key: str, text: str) -> Json:
    try:
        return decode_json(text)
    except msgspec.DecodeError as error:
        message = f"preconfigured-webhooks.{name}.{key} is not JSON: {error}."
        raise Refused(Problem(code="settings.webhook", message=message)) from error
