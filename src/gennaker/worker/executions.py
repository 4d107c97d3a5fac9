"""Executions: the engine's front for the API, pollers, stages and the command line."""

from collections.abc import Sequence
from typing import Protocol

from gennaker.engine import admit
from gennaker.interfaces.clock import Clock, Ids
from gennaker.interfaces.executions import Found, Submission
from gennaker.interfaces.journal import Commit, ExecutionChange, Journal, RecordedEvent, SubmissionExists
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import Json, JsonObject
from gennaker.model.effect import PendingEffect, PrepareSubmission
from gennaker.model.event import Event, NumberAsked, NumberReturned, Submitted
from gennaker.model.execution import Authentication, Execution, Head
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.worker import auditing
from gennaker.worker.loop import Worker
from gennaker.worker.stepping import Stepper

_UNFINISHED = tuple(status for status in Status if not status.is_complete)


class Searches(Protocol):
    """Finding executions in the store."""

    async def find(self, wanted: Found) -> Sequence[Execution]:
        """Newest first."""
        ...


class LocalExecutions:
    """Executions of this process's store and worker."""

    _worker: Worker
    _stepper: Stepper

    def __init__(self, *, journal: Journal, searches: Searches, clock: Clock, ids: Ids) -> None:
        """Journal and searches over the same store. Of use after `connect`."""
        self._journal = journal
        self._searches = searches
        self._clock = clock
        self._ids = ids

    def connect(self, worker: Worker, stepper: Stepper) -> None:
        """The worker performs for stages, and stages may use this: one of the two has to come later."""
        self._worker = worker
        self._stepper = stepper

    async def submit(self, submission: Submission, principal: Principal) -> str:
        """Stores the execution with the effect that prepares it; both or neither."""
        correlated = await self._correlated(submission)
        if correlated:
            return correlated
        head = self._head(submission, principal)
        effect = PendingEffect(effect=PrepareSubmission(key=f"{head.id}/submission"), execution_id=head.id)
        event = Submitted(at=head.build_time, head=head)
        change = ExecutionChange(
            head=head,
            expected_version=0,
            events=(RecordedEvent(number=1, event=event),),
            submission_key=submission.key or f"execution:{head.id}",
        )
        try:
            await self._journal.commit(
                Commit(executions=(change,), effects=(effect,), audit=(_submitted(head, principal),))
            )
        except SubmissionExists as exists:
            return exists.execution_id
        self._worker.take((effect,))
        return head.id

    async def tell(self, execution_id: str, event: Event, principal: Principal) -> Execution:
        """Applies a command; Refused(409) with the engine's reason where it changed nothing."""
        record = auditing.command(principal, event, execution_id)
        applied = await self._worker.apply(execution_id, event, audit=(record,))
        if applied.ignored:
            raise Refused(Problem(code="command.ignored", message=applied.ignored), status=409)
        return applied.execution

    async def get(self, execution_id: str) -> Execution | None:
        """From memory where it is there."""
        return await self._stepper.load(execution_id)

    async def find(self, wanted: Found) -> Sequence[Execution]:
        """From the store."""
        return await self._searches.find(wanted)

    async def reserve_number(self, cluster: str, holder: str, *, taken: tuple[int, ...], newest: int | None) -> int:
        """One transaction on the cluster's queue."""
        asked = NumberAsked(at=self._clock.now(), holder=holder, taken=taken, newest=newest)
        queue = await self._stepper.change_queue(f"cluster:{cluster}", lambda queue: admit.admit(queue, asked).queue)
        return queue.numbers[holder]

    async def return_number(self, cluster: str, holder: str) -> None:
        """One transaction on the cluster's queue."""
        returned = NumberReturned(at=self._clock.now(), holder=holder)
        await self._stepper.change_queue(f"cluster:{cluster}", lambda queue: admit.admit(queue, returned).queue)

    async def _correlated(self, submission: Submission) -> str:
        """Orca's rule: an unfinished execution of the same kind with this correlation id is the answer."""
        correlation_id = submission.trigger.get("correlationId")
        if not isinstance(correlation_id, str) or not correlation_id:
            return ""
        found = await self._searches.find(
            Found(correlation_id=correlation_id, kind=submission.kind, statuses=_UNFINISHED, limit=1)
        )
        return found[0].head.id if found else ""

    def _head(self, submission: Submission, principal: Principal) -> Head:
        config, trigger = submission.config, submission.trigger
        wanted = _text(trigger.get("executionId")) or _text(config.get("executionId"))
        execution_id = wanted or self._ids.ulid()
        parent = trigger.get("parentExecution")
        root = _text(parent.get("rootId")) or _text(parent.get("id")) if isinstance(parent, dict) else ""
        return Head(
            id=execution_id,
            kind=submission.kind,
            application=_text(config.get("application")),
            name=_text(config.get("name")),
            description=_text(config.get("description")),
            root_id=root or execution_id,
            build_time=self._clock.now(),
            trigger=trigger,
            authentication=Authentication(user=_text(trigger.get("runAsUser")) or principal.name),
            origin=_text(config.get("origin")) or principal.via or "api",
            pipeline_config_id=_text(config.get("id")) or None,
            initial_config=config,
            waiting_for="the submission to be prepared",
            version=1,
        )


def _submitted(head: Head, principal: Principal) -> AuditEntry:
    details: JsonObject = {
        "application": head.application,
        "pipeline": head.name,
        "configId": head.pipeline_config_id,
        "triggerType": head.trigger.get("type"),
        "via": principal.via,
    }
    return AuditEntry(
        at=head.build_time,
        actor=principal.name,
        action="execution.submitted",
        subject=f"execution:{head.id}",
        details=details,
    )


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
