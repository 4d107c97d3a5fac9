"""The task createWebhook: the call itself.

A call that was sent but not answered may have been taken: only a GET is repeated then; all others end as `effect.unknown`
(docs/guarantees.md). What has certainly not arrived is tried again until the task's time is up.
"""

from datetime import timedelta
from urllib.parse import urljoin, urlsplit

import msgspec

from gennaker.interfaces.stages import TaskContext, TaskType
from gennaker.model import artifact_matching, waiting
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.execution import EffectClass
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.webhook import calling, cancelling, json_paths, stage_settings
from gennaker.plugins.webhook.calling import Request
from gennaker.plugins.webhook.stage_settings import Spec
from gennaker.transport.http import HttpAnswer, HttpFailure, NoAnswer

_TRY_AGAIN = timedelta(seconds=10)
_DEFAULT_RETRIES = frozenset({429})
RESOLUTIONS = ("getMethod", "locationHeader", "webhookResponse")
"""Where the status URL is found."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that may be repeated whatever became of the first call."""


async def create(context: TaskContext) -> TaskResult:
    """Calls, and keeps the answer as `webhook` in the stage's context."""
    spec = stage_settings.read(context)
    asked = await calling.request(context, spec, method=spec.method, url=spec.url, payload=spec.payload)
    headers = {**asked.headers, "X-Gennaker-Delivery": context.attempt_key}
    if context.is_repeat:
        headers["X-Gennaker-Repeat"] = "true"
    asked = msgspec.structs.replace(asked, headers=headers)
    try:
        answer = await calling.call(context.services, asked)
    except NoAnswer as failure:
        return _unanswered(asked, failure)
    except HttpFailure as failure:
        return _failed("webhook.failed", str(failure), {"error": str(failure)})
    return _answered(spec, asked, answer)


def _unanswered(asked: Request, failure: NoAnswer) -> TaskResult:
    said = str(calling.masked(str(failure), asked.headers))
    if failure.was_sent and asked.method not in SAFE:
        problem = Problem(
            code="effect.unknown",
            message=f"{said} The webhook may have done its work nevertheless.",
            remedy="Look at the target whether it happened; then restart the stage, or ignore the failure.",
        )
        return Failed(problem=problem, context={"webhook": {"error": said}})
    return _again(asked, f"an answer: {said}", {"error": said})


def _answered(spec: Spec, asked: Request, answer: HttpAnswer) -> TaskResult:
    webhook = calling.shown(answer, asked)
    status = answer.status
    if status in spec.fail_fast_status_codes:
        said = f"The webhook answered {status}, a status that fails at once."
        return _failed("webhook.status", said, {**webhook, "error": said})
    if 200 <= status < 400:
        return _accepted(spec, asked, answer, webhook)
    said = f"The request did not succeed: {asked.url} answered {status}."
    if status >= 500 or status in _DEFAULT_RETRIES or status in spec.webhook_retry_status_codes:
        return _again(asked, f"{asked.url} to answer otherwise than {status}", {**webhook, "error": said})
    return _failed("webhook.status", said, {**webhook, "error": said})


def _accepted(spec: Spec, asked: Request, answer: HttpAnswer, webhook: JsonObject) -> TaskResult:
    if not spec.wait_for_completion:
        if not spec.expected_artifacts:
            return Done(context={"webhook": webhook})
        artifacts = _artifacts(calling.content(answer))
        if isinstance(artifacts, Problem):
            return _failed(artifacts.code, artifacts.message, {**webhook, "error": artifacts.message})
        return Done(context={"webhook": webhook, "artifacts": artifacts})
    try:
        endpoint = _status_endpoint(spec, asked, answer)
    except json_paths.NotFound as error:
        said = f"Exception while resolving status endpoint: {error}."
        return _failed("webhook.status_url", said, {**webhook, "error": said})
    return Done(context={"webhook": {**webhook, "statusEndpoint": endpoint}, "statusEndpoint": endpoint})


def _status_endpoint(spec: Spec, asked: Request, answer: HttpAnswer) -> str:
    match spec.status_url_resolution:
        case "getMethod":
            return asked.url
        case "locationHeader":
            found: Json = answer.headers.get("location")
        case "webhookResponse":
            found = json_paths.find(spec.status_url_json_path or "$", calling.content(answer))
        case other:
            raise json_paths.NotFound(f"{other!r} is no way to resolve it; use {', '.join(RESOLUTIONS)}")
    if not isinstance(found, str) or not found.strip():
        raise json_paths.NotFound("the answer names no status URL")
    return _with_scheme_of(asked.url, urljoin(asked.url, found.strip()))


def _with_scheme_of(original: str, found: str) -> str:
    """The scheme of the call where the host is the same: behind a proxy services often don't know their own."""
    try:
        first, second = urlsplit(original), urlsplit(found)
        is_same = first.hostname == second.hostname
    except ValueError as error:
        raise json_paths.NotFound(f"{found!r} is no URL") from error
    return second._replace(scheme=first.scheme).geturl() if is_same else found


def _artifacts(body: Json) -> list[Json] | Problem:
    """The artifacts that the answer lists."""
    given = body.get("artifacts") if isinstance(body, dict) else None
    if not isinstance(given, list):
        return Problem(code="webhook.artifacts", message="Expected artifacts in webhook response but none were found.")
    try:
        for one in given:
            artifact_matching.read(msgspec.convert(one, JsonObject))
    except msgspec.ValidationError as error:
        return Problem(code="webhook.artifacts", message=f"The webhook's artifacts can't be read: {error}.")
    return given


def _again(asked: Request, reason: str, webhook: JsonObject) -> Again:
    waiting_for = waiting.ForObject(reason=reason, kind="url", name=asked.url, observed=str(webhook.get("error", "")))
    return Again(after=_TRY_AGAIN, waiting_for=waiting_for, context={"webhook": webhook})


def _failed(code: str, message: str, webhook: JsonObject) -> Failed:
    return Failed(problem=Problem(code=code, message=message), context={"webhook": webhook})


def check(spec: Spec) -> None:
    """What can be known to be wrong before anything is called. Raises Refused."""
    if spec.monitor_only and not spec.wait_for_completion:
        raise Refused(
            Problem(
                code="webhook.monitor_only",
                message="A webhook stage with `monitorOnly` must also have `waitForCompletion`.",
                remedy="Set `waitForCompletion`, or remove `monitorOnly`.",
            )
        )


task = TaskType(
    name="createWebhook",
    run=create,
    stop=cancelling.cancel,
    timeout=timedelta(minutes=5),
    is_timeout_overridable=False,
    effect_class=EffectClass.AT_MOST_TWICE,
)
