"""The tasks waitBeforeMonitorWebhook and monitorWebhook: asking the status URL until it says how it ended."""

from datetime import timedelta

import structlog

from gennaker.interfaces.stages import TaskContext, TaskType
from gennaker.model import lengths, waiting
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.plugins.webhook import calling, cancelling, json_paths, stage_settings
from gennaker.plugins.webhook.calling import Request
from gennaker.plugins.webhook.stage_settings import Spec
from gennaker.transport.http import HttpAnswer, HttpFailure, NoAnswer

log = structlog.get_logger()

_FREQUENT = timedelta(seconds=1)
_SELDOM = timedelta(seconds=15)
_FREQUENT_FOR = timedelta(minutes=1)
_DEFAULT_RETRIES = frozenset({429})
_ALL = 100


async def wait_before(context: TaskContext) -> TaskResult:
    """Done when `waitBeforeMonitor` seconds are over."""
    spec = stage_settings.read(context)
    began = context.task.start_time or context.at
    ends = began + lengths.of_seconds(spec.wait_before_monitor)
    if ends <= context.at:
        return Done()
    reason = f"{ends:%H:%M:%S} UTC, before the status is asked for"
    return Again(after=ends - context.at, waiting_for=waiting.ForTime(reason=reason, until=ends))


async def monitor(context: TaskContext) -> TaskResult:
    """One look at the status."""
    spec = stage_settings.read(context)
    url = str(context.stage.context.get("statusEndpoint") or "") or (spec.url if spec.monitor_only else "")
    asked = await calling.request(context, spec, method="GET", url=url)
    watch = _Watch(context, spec, asked)
    result = await _look(context, watch, asked)
    if isinstance(result, Failed) and result.status is not Status.CANCELED:
        await _given_up(context)
    return result


async def _look(context: TaskContext, watch: "_Watch", asked: Request) -> TaskResult:
    try:
        answer = await calling.call(context.services, asked)
    except NoAnswer as failure:
        said = str(calling.masked(str(failure), asked.headers))
        return watch.again({"error": said}, f"{asked.url} to answer: {said}")
    except HttpFailure as failure:
        return watch.failed(str(failure), {})
    return watch.judged(answer)


async def _given_up(context: TaskContext) -> None:
    """Tells the target that nobody waits any longer; for a stage that was cancelled the engine asks for it."""
    try:
        await cancelling.cancel(context)
    except Refused as refused:  # the stage's own failure is what counts
        log.warning("webhook.not_cancelled", key=context.key, error=str(refused))


class _Watch:
    """One look and the answers before it."""

    def __init__(self, context: TaskContext, spec: Spec, asked: Request) -> None:
        self._context = context
        self._spec = spec
        self._asked = asked
        webhook = context.stage.context.get("webhook")
        self._webhook: JsonObject = dict(webhook) if isinstance(webhook, dict) else {}
        before = self._webhook.get("monitor")
        past = before.get("pastStatusCodes") if isinstance(before, dict) else None
        self._past: list[Json] = list(past) if isinstance(past, list) else []

    def judged(self, answer: HttpAnswer) -> TaskResult:
        """What the answer means."""
        kept = calling.shown(answer, self._asked)
        if not 200 <= answer.status < 400:
            return self._refused(answer.status, kept)
        if not self._spec.status_json_path:
            return Done(context=self._kept(kept))
        body = calling.content(answer)
        try:
            found = json_paths.find(self._spec.status_json_path, body)
        except json_paths.NotFound as error:
            return self.failed(f"Unable to parse status: {error}", kept)
        progress, problem = self._progress(body)
        if problem:
            return self.failed(problem, kept)
        return self._by_status(found, {**kept, **progress})

    def _refused(self, status: int, kept: JsonObject) -> TaskResult:
        spec = self._spec
        said = f"{self._asked.url} answered {status} when asked for the status"
        budget = spec.retries.get(str(status))
        if budget is not None:
            may_retry = self._past.count(status) < budget.max_attempts
        else:
            may_retry = status >= 500 or status in _DEFAULT_RETRIES or status in spec.retry_status_codes
        if may_retry:
            past: list[Json] = [*self._past, status]
            return self.again({**kept, "pastStatusCodes": past}, f"{self._asked.url} to answer otherwise than {status}")
        return self.failed(f"{said}.", kept)

    def _progress(self, body: Json) -> tuple[JsonObject, str]:
        path = self._spec.progress_json_path
        if not path:
            return {}, ""
        try:
            found = json_paths.find(path, body)
        except json_paths.NotFound as error:
            return {}, f"Unable to parse progress: {error}"
        if not isinstance(found, str):
            return {}, f"Progress: the JSON path '{path}' must give text."
        return {"progressMessage": found}, ""

    def _by_status(self, found: Json, kept: JsonObject) -> TaskResult:
        match found:
            case bool() | str():
                return self._by_word(str(found).strip().upper(), kept)
            case int() | float():
                if found == _ALL and isinstance(found, int):
                    return Done(context=self._kept({**kept, "percentComplete": found}))
                return self.again({**kept, "percentComplete": found}, f"{found} percent to become 100")
            case _:
                said = f"The JSON path '{self._spec.status_json_path}' must give a text, a number or a boolean."
                return self.failed(said, {**kept, "resolvedValue": found})

    def _by_word(self, word: str, kept: JsonObject) -> TaskResult:
        spec = self._spec
        meaning = {
            **dict.fromkeys(_words(spec.success_statuses), Status.SUCCEEDED),
            **dict.fromkeys(_words(spec.canceled_statuses), Status.CANCELED),
            **dict.fromkeys(_words(spec.terminal_statuses), Status.TERMINAL),
        }
        match meaning.get(word):
            case Status.SUCCEEDED:
                return Done(context=self._kept(kept))
            case Status.CANCELED:
                return self.failed(f"The webhook's status is {word}.", kept, status=Status.CANCELED)
            case Status.TERMINAL:
                return self.failed(f"The webhook's status is {word}.", kept)
            case _:
                return self.again(kept, f"the webhook to end; its status is {word}")

    def again(self, kept: JsonObject, reason: str) -> Again:
        """Later once more: often at first, then seldom."""
        began = self._context.task.start_time or self._context.at
        after = _FREQUENT if self._context.at - began < _FREQUENT_FOR else _SELDOM
        progress = kept.get("progressMessage") or ""
        observed = str(kept.get("error") or progress or kept.get("statusCode") or "")
        waiting_for = waiting.ForObject(reason=reason, kind="url", name=self._asked.url, observed=observed)
        return Again(after=after, waiting_for=waiting_for, context=self._kept(kept))

    def failed(self, message: str, kept: JsonObject, *, status: Status = Status.TERMINAL) -> Failed:
        """The end of it."""
        said = str(calling.masked(message, self._asked.headers))
        problem = Problem(code="webhook.status", message=said)
        return Failed(problem=problem, status=status, context=self._kept({**kept, "error": said}))

    def _kept(self, monitor: JsonObject) -> JsonObject:
        past: JsonObject = {"pastStatusCodes": self._past} if self._past else {}
        return {"webhook": {**self._webhook, "monitor": {**past, **monitor}}}


def _words(listed: str) -> list[str]:
    return [word.strip().upper() for word in listed.split(",") if word.strip()]


before = TaskType(name="waitBeforeMonitorWebhook", run=wait_before, stop=cancelling.cancel, timeout=None)
task = TaskType(name="monitorWebhook", run=monitor, stop=cancelling.cancel, timeout=timedelta(hours=1))
