"""Calling: one request of a webhook stage under the guard, and what of the answer is kept.

What comes back becomes part of the execution: values of headers that look secret are masked wherever they turn up in it.
"""

import asyncio
import http
import re
from collections.abc import Mapping
from pathlib import Path

import httpx2
import msgspec

from gennaker.interfaces.secrets import MASK, OF_SETTINGS, Secrets, SecretUse
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import TaskContext
from gennaker.model import secret_references
from gennaker.model.artifact import Plain
from gennaker.model.codec import Json, JsonObject, decode_json, encode
from gennaker.model.foreign import written
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.webhook.stage_settings import Spec
from gennaker.settings import PreconfiguredWebhookSettings
from gennaker.transport.http import GuardedClient, HttpAnswer, HttpLimits

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_NOT_PASSED_ON = frozenset(
    f"x-spinnaker-{name}" for name in ("user", "accounts", "user-origin", "request-id", "execution-id")
)
"""Spinnaker's own: a pipeline must not speak in somebody's name."""
_SECRET_NAMES = re.compile(r"authorization|token|secret|password|api-?key|cookie|signature|credential", re.IGNORECASE)
_SHORTEST_SECRET = 4
"""Shorter values are found in everything."""
_FILE = "file:"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One call."""

    method: str
    url: str
    headers: dict[str, str] = {}
    body: bytes = b""
    has_secrets: bool = False
    """References were filled in: it must not be sent on elsewhere."""


async def request(context: TaskContext, spec: Spec, *, method: str, url: str, payload: Json = None) -> Request:
    """A call with the stage's headers and those of its preconfigured webhook. Raises Refused."""
    verb = method.strip().upper()
    if verb not in METHODS:
        message = f"{method!r} is no method that webhooks may use."
        raise Refused(
            Problem(code="webhook.method", message=message, remedy=f"Use one of {', '.join(sorted(METHODS))}.")
        )
    if not url.strip():
        raise Refused(Problem(code="webhook.url", message="The webhook has no URL.", remedy="Set the stage's `url`."))
    given = {name: _joined(value) for name, value in spec.custom_headers.items() if _is_passed_on(name)}
    secret_references.refuse_unwritten([dict(given), payload], context.execution, context.stage)
    secrets = context.services.secrets
    use = SecretUse(application=context.execution.head.application, host=_host(url))
    headers = {name: str(await secrets.fill(value, use)) for name, value in given.items()}
    filled = await secrets.fill(payload, use)
    has_secrets = headers != given or filled != payload
    fixed = context.services.settings.preconfigured_webhooks.get(context.stage.type)
    if fixed is not None and fixed.url and _origin(fixed.url) == _origin(url):
        for name, value in fixed.custom_headers.items():
            headers[name] = await _revealed(name, value, secrets)
    body = _body(filled)
    if body and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "application/json"
    return Request(method=verb, url=url.strip(), headers=headers, body=body, has_secrets=has_secrets)


async def call(services: Services, asked: Request) -> HttpAnswer:
    """Sends it. Raises HttpFailure."""
    bounds = services.settings.webhooks
    limits = HttpLimits(
        read_seconds=bounds.timeout_seconds,
        total_seconds=bounds.timeout_seconds,
        answer_bytes=bounds.answer_bytes,
        redirects=0 if asked.has_secrets else bounds.redirects,
    )
    client = GuardedClient(allowed=services.settings.webhook_hosts, limits=limits)
    try:
        return await client.request(asked.method, asked.url, headers=asked.headers, body=asked.body)
    finally:
        await client.close()


def shown(answer: HttpAnswer, asked: Request) -> JsonObject:
    """Status, headers and body in Orca's form, secrets masked."""
    kept: JsonObject = {"statusCode": status_name(answer.status), "statusCodeValue": answer.status}
    headers: JsonObject = {
        name: MASK if _SECRET_NAMES.search(name) else value for name, value in answer.shown_headers.items()
    }
    kept["headers"] = masked(headers, asked.headers)
    body = content(answer)
    if body is not None:
        kept["body"] = masked(body, asked.headers)
    return kept


def content(answer: HttpAnswer) -> Json:
    """The body: JSON where it is that, else text; None: nothing."""
    if not answer.body:
        return None
    try:
        return decode_json(answer.body)
    except msgspec.DecodeError:
        return answer.body.decode(errors="replace")


def masked(value: Json, headers: Mapping[str, str]) -> Json:
    """The value without the secrets that were sent in these headers."""
    secrets = sorted(_secrets(headers), key=len, reverse=True)
    return _masked(value, secrets) if secrets else value


def status_name(status: int) -> str:
    """Its name: `OK`, `NOT_FOUND`."""
    try:
        return http.HTTPStatus(status).name
    except ValueError:
        return f"STATUS_{status}"


def origin_is_fixed(fixed: PreconfiguredWebhookSettings) -> bool:
    """Whether nobody but the settings decides to whom the call goes."""
    return bool(fixed.url) and "${" not in (fixed.url or "").partition("://")[2].partition("/")[0]


def _secrets(headers: Mapping[str, str]) -> set[str]:
    found = set()
    for name, value in headers.items():
        if _SECRET_NAMES.search(name):
            found |= {part for part in (value, value.rpartition(" ")[2]) if len(part) >= _SHORTEST_SECRET}
    return found


def _masked(value: Json, secrets: list[str]) -> Json:
    match value:
        case str():
            for secret in secrets:
                value = value.replace(secret, MASK)
            return value
        case list():
            return [_masked(item, secrets) for item in value]
        case dict():
            return {key: _masked(item, secrets) for key, item in value.items()}
        case _:
            return value


def _is_passed_on(name: str) -> bool:
    return name.lower() not in _NOT_PASSED_ON


def _joined(value: Plain | list[Plain]) -> str:
    return ",".join(map(written, value)) if isinstance(value, list) else written(value)


async def _revealed(name: str, value: str, secrets: Secrets) -> str:
    """A header of the settings: what stands in the file that it names, or itself with the secrets that it refers to."""
    if not value.startswith(_FILE):
        return str(await secrets.fill(value, OF_SETTINGS))
    path = Path(value.removeprefix(_FILE))
    try:
        found = (await asyncio.to_thread(path.read_text, encoding="utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"The header {name} of this webhook can't be read from {path}: {error}."
        raise Refused(Problem(code="webhook.header_file", message=message)) from error
    secrets.know(found)
    return found


def _host(url: str) -> str:
    try:
        return httpx2.URL(url.strip()).host
    except httpx2.InvalidURL:
        return ""


def _origin(url: str) -> tuple[str, str, int | None] | None:
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        return None
    return parsed.scheme, parsed.host, parsed.port


def _body(payload: Json) -> bytes:
    match payload:
        case None | "":
            return b""
        case str():
            return payload.encode()
        case _:
            return encode(payload)
