"""Executions: the engine's front for the API, pollers, stages and the command line."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

import msgspec

from gennaker.engine import admit, naming
from gennaker.interfaces.access import Authoriser
from gennaker.interfaces.clock import Clock, Ids
from gennaker.interfaces.definitions import Definitions
from gennaker.interfaces.executions import Found, Listed, Submission
from gennaker.interfaces.inspection import Facts, Work
from gennaker.interfaces.journal import (
    Commit,
    Conflict,
    ExecutionChange,
    Journal,
    OwnedElsewhere,
    RecordedEvent,
    SubmissionExists,
)
from gennaker.interfaces.servers import Servers
from gennaker.migration import shadowing
from gennaker.migration.phases import Phases
from gennaker.model import depth, foreign, needs, trigger_secrets
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject
from gennaker.model.effect import Deliver, PendingEffect, PrepareSubmission
from gennaker.model.event import Event, NumberAsked, NumberReturned, RestartAsked, Submitted
from gennaker.model.execution import Authentication, Execution, ExecutionKind, Head
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.model.queue import Queue
from gennaker.model.statuses import UNFINISHED, Status
from gennaker.model.waiting import ForWork
from gennaker.settings import EngineSettings
from gennaker.worker import auditing, buffering, inspecting
from gennaker.worker.pacing import Pace
from gennaker.worker.shells import Shell
from gennaker.worker.stepping import Stepper

_EXECUTION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""An id that a caller chooses: it stands in keys, paths and addresses."""


_OWNER_ANSWERS_SECONDS = 60.0
"""How long the server that owns an execution, or takes it over, may take to apply a command."""
_OWNER_ASKED_EVERY_SECONDS = 0.02


_AUTOMATIC = "trigger:"
"""How triggers come that fire by themselves."""
_OF_A_STAGE = "pipeline"
"""How children are started (plugins/flow): their parents run already, and wait for them."""
_FOLLOWING = (_OF_A_STAGE, f"{_AUTOMATIC}pipeline")
"""How executions start others: these are in shadow as they are."""


class Searches(Protocol):
    """Finding executions in the store."""

    async def find(self, wanted: Found) -> Sequence[Execution]:
        """Newest first, unless told otherwise."""
        ...

    async def listed(self, wanted: Found) -> Sequence[Listed]:
        """The same without reading the executions themselves."""
        ...

    async def several(self, ids: Sequence[str]) -> Sequence[Execution]:
        """Those of these that are there, in this order."""
        ...

    async def triggers(self, ids: Sequence[str]) -> Mapping[str, JsonObject]:
        """What has started those of these that are there."""
        ...

    async def count(self, status: Status) -> int:
        """How many executions have this status."""
        ...


class LocalExecutions:
    """Executions of this process's store and worker."""

    _worker: Shell
    _stepper: Stepper

    def __init__(  # noqa: PLR0913 - given by name, in one place
        self,
        *,
        journal: Journal,
        authoriser: Authoriser,
        definitions: Definitions,
        phases: Phases,
        searches: Searches,
        clock: Clock,
        ids: Ids,
        servers: Servers,
        settings: EngineSettings,
        pace: Pace | None = None,
    ) -> None:
        """Journal and searches over the same store, which `servers` share. Of use after `connect`.

        `pace` says when a new execution may come; None: at once.
        """
        self._pace = pace
        self._authoriser = authoriser
        self._definitions = definitions
        self._phases = phases
        self._settings = settings
        self._servers = servers
        self._journal = journal
        self._searches = searches
        self._clock = clock
        self._ids = ids
        self._correlating = asyncio.Lock()

    def connect(self, worker: Shell, stepper: Stepper) -> None:
        """The worker performs for stages, and stages may use this: one of the two has to come later."""
        self._worker = worker
        self._stepper = stepper

    async def submit(self, submission: Submission, principal: Principal) -> str:
        """Stores the execution with the effect that prepares it; both or neither."""
        for what, document in (("pipeline", submission.config), ("trigger", submission.trigger)):
            if depth.is_too_deep(document):
                raise Refused(depth.problem(what), status=400)
        principal = await self._authorised(submission, principal)
        submission = await self._in_its_phase(submission, principal)
        await self._worker.ready()
        if self._pace is not None and principal.via != _OF_A_STAGE:
            await self._pace.turn()
        correlation_id = _correlation_id(submission)
        if not correlation_id:
            return await self._worker.to_the_end(lambda: self._submit(submission, principal))
        # Looking and storing must not be parted: two submissions at the same time would both find nothing.
        async with self._correlating:
            if self._servers.is_alone:
                return await self._correlated(submission, correlation_id) or await self._worker.to_the_end(
                    lambda: self._submit(submission, principal)
                )
            return await self._submit_guarded(submission, principal, correlation_id)

    async def _authorised(self, submission: Submission, principal: Principal) -> Principal:
        """On whose behalf it will run. Raises Refused(403)."""
        run_as = foreign.text(submission.trigger.get("runAsUser")).strip()
        is_automatic = principal.via.startswith(_AUTOMATIC)
        # Of a trigger that fires by itself, whoever saved it was asked.
        problem = None if is_automatic else await self._authoriser.refusal_to_act_as(principal, run_as)
        acting = principal
        if run_as or is_automatic:
            acting = await self._authoriser.acting_as(run_as or principal.name, via=principal.via)
            behind = principal.behind or ("" if is_automatic else principal.name)
            acting = msgspec.structs.replace(acting, headers=principal.headers, behind=behind)
        of_kind = needs.of_jobs if submission.kind is ExecutionKind.ORCHESTRATION else needs.of_pipeline_start
        needed = of_kind(submission.config)
        if not is_automatic and principal.via != _OF_A_STAGE:  # those start what is stored, as it is
            needed += await naming.asked_for(submission, self, self._definitions)
        problem = problem or await self._authoriser.refusal(acting, *needed)
        if problem is not None:
            raise Refused(problem, status=403)
        return acting

    async def _in_its_phase(self, submission: Submission, principal: Principal) -> Submission:
        """What becomes of it while its application is not cut over yet. Raises Refused(409)."""
        if await self._phases.is_held(foreign.text(submission.config.get("application"))):
            return shadowing.kept_inside(submission)
        return submission if principal.via in _FOLLOWING else shadowing.taken_out(submission)

    async def _submit_guarded(self, submission: Submission, principal: Principal, correlation_id: str) -> str:
        """As `submit`, among servers: a queue's version tells whether another server has submitted meanwhile."""
        key = f"correlation:{submission.kind}:{correlation_id}"
        while True:
            guard = await self._journal.load_queue(key)
            found = await self._correlated(submission, correlation_id)
            if found:
                return found
            following = msgspec.structs.replace(guard, version=guard.version + 1)
            try:
                return await self._worker.to_the_end(partial(self._submit, submission, principal, (following,)))
            except Refused:
                if (await self._journal.load_queue(key)).version == guard.version:
                    raise  # it wasn't the guard

    async def _submit(self, submission: Submission, principal: Principal, queues: tuple[Queue, ...] = ()) -> str:
        head = self._head(submission, principal)
        prepare = PendingEffect(effect=PrepareSubmission(key=f"{head.id}/submission"), execution_id=head.id)
        effects: tuple[PendingEffect, ...] = (prepare,)
        if await self._is_full_for(submission):
            head, effects = buffering.held_back(head, most=self._settings.most_running), ()
        event = Submitted(at=head.build_time, head=head)
        change = ExecutionChange(
            head=head,
            expected_version=0,
            events=(RecordedEvent(number=1, event=event),),
            submission_key=submission.key or f"execution:{head.id}",
        )
        try:
            await self._stepper.accept(
                Execution(head=head),
                Commit(executions=(change,), queues=queues, effects=effects, audit=(_submitted(head, principal),)),
            )
        except SubmissionExists as exists:
            return exists.execution_id
        except Conflict as conflict:
            raise Refused(_id_is_taken(head.id), status=409) from conflict
        self._worker.take(effects)
        return head.id

    async def _is_full_for(self, submission: Submission) -> bool:
        most = self._settings.most_running
        if not most or not buffering.may_be_held_back(submission):
            return False
        return await self._searches.count(Status.RUNNING) >= most

    async def tell(self, execution_id: str, event: Event, principal: Principal) -> Execution:
        """Applies a command; Refused(409) with the engine's reason where it changed nothing."""
        if isinstance(event, RestartAsked):
            await self._refuse_restart(execution_id)
        record = auditing.command(principal, event, execution_id)
        try:
            applied = await self._worker.apply(execution_id, event, audit=(record,))
        except OwnedElsewhere:
            return await self._tell_owner(execution_id, event, record)
        if applied.ignored:
            raise Refused(Problem(code="command.ignored", message=applied.ignored), status=409)
        return applied.execution

    async def _refuse_restart(self, execution_id: str) -> None:
        """Of what ran before its application came into shadow: it would act."""
        found = await self.get(execution_id)
        if found is None or foreign.flag(found.head.trigger.get(shadowing.SHADOW)):
            return
        if await self._phases.is_held(found.head.application):
            raise Refused(shadowing.refusal(found.head.application, f"a restart of {execution_id}"), status=409)

    async def _tell_owner(self, execution_id: str, event: Event, record: AuditEntry) -> Execution:
        """By way of the outbox; the answer is read from the journal when the owner has applied the command."""
        before = await self._loaded(execution_id)
        key = f"{execution_id}/command/{self._ids.ulid()}"
        deliver = Deliver(key=key, execution_id=execution_id, event=event, audit=(record,))
        await self._servers.hand_over(PendingEffect(effect=deliver, execution_id=execution_id))
        try:
            async with asyncio.timeout(_OWNER_ANSWERS_SECONDS):
                while await self._servers.is_pending(key):  # noqa: ASYNC110 - another process ends it
                    await asyncio.sleep(_OWNER_ASKED_EVERY_SECONDS)
        except TimeoutError as error:
            raise Refused(
                _unanswered(execution_id), status=504
            ) from error  # not 503: told again, it would happen twice
        events = await self._journal.events(execution_id, after=before.head.version)
        ignored = next((one.ignored for one in events if one.event == event), "")
        if ignored:
            raise Refused(Problem(code="command.ignored", message=ignored), status=409)
        return await self._loaded(execution_id)

    async def _loaded(self, execution_id: str) -> Execution:
        found = await self._journal.load(execution_id)
        assert found is not None, "an execution that another server owns is there"
        return found

    async def delete(self, execution_id: str, principal: Principal) -> None:
        """In one transaction with its audit record."""
        found = await self.get(execution_id)
        if found is None:
            raise Refused(_unknown(execution_id), status=404)
        head = found.head
        if not head.status.is_complete:
            raise Refused(_not_over(head), status=409)
        details: JsonObject = {"application": head.application, "name": head.name, "status": head.status.value}
        entry = AuditEntry(
            at=self._clock.now(),
            actor=principal.name,
            action="execution.deleted",
            subject=f"execution:{execution_id}",
            details=details,
        )
        try:
            await self._journal.delete(execution_id, (entry,))
        except Conflict as conflict:
            raise Refused(_not_over(head), status=409) from conflict
        self._stepper.forget(execution_id)

    async def get(self, execution_id: str) -> Execution | None:
        """From memory where it is there."""
        return await self._stepper.load(execution_id)

    async def find(self, wanted: Found) -> Sequence[Execution]:
        """From the store."""
        return await self._searches.find(wanted)

    async def listed(self, wanted: Found) -> Sequence[Listed]:
        """From the store."""
        return await self._searches.listed(wanted)

    async def several(self, ids: Sequence[str]) -> Sequence[Execution]:
        """From the store."""
        return await self._searches.several(ids)

    async def triggers(self, ids: Sequence[str]) -> Mapping[str, JsonObject]:
        """From the store."""
        return await self._searches.triggers(ids)

    async def count(self, status: Status) -> int:
        """From the store."""
        return await self._searches.count(status)

    async def facts(self, execution_id: str) -> Facts:
        """From the store and the worker."""
        workforce = self._worker.workforce()
        others = await self._servers.elsewhere()
        if others:
            theirs = {key: Work(worker=name, is_elsewhere=True) for key, name in others.items()}
            workforce = msgspec.structs.replace(workforce, at_work={**theirs, **workforce.at_work})
        return await inspecting.facts(self._journal, execution_id, at=self._clock.now(), workforce=workforce)

    async def events(self, execution_id: str, *, after: int = 0) -> tuple[RecordedEvent, ...]:
        """From the store."""
        if await self.get(execution_id) is None:
            raise Refused(_unknown(execution_id), status=404)
        return await self._journal.events(execution_id, after=after)

    async def engine_versions(self, execution_id: str) -> tuple[str, ...]:
        """From the store."""
        return await self._journal.engine_versions(execution_id)

    async def reserve_number(self, cluster: str, holder: str, *, taken: tuple[int, ...], newest: int | None) -> int:
        """One transaction on the cluster's queue."""
        asked = NumberAsked(at=self._clock.now(), holder=holder, taken=taken, newest=newest)
        queue = await self._stepper.change_queue(f"cluster:{cluster}", lambda queue: admit.admit(queue, asked).queue)
        number = admit.number_of(queue, holder)
        if number is None:
            raise Refused(_no_number(cluster), status=409)
        return number

    async def return_number(self, cluster: str, holder: str) -> None:
        """One transaction on the cluster's queue."""
        returned = NumberReturned(at=self._clock.now(), holder=holder)
        await self._stepper.change_queue(f"cluster:{cluster}", lambda queue: admit.admit(queue, returned).queue)

    async def _correlated(self, submission: Submission, correlation_id: str) -> str:
        """Orca's rule: an unfinished execution of the same kind with this correlation id is the answer."""
        found = await self._searches.find(
            Found(correlation_id=correlation_id, kind=submission.kind, statuses=UNFINISHED, limit=1)
        )
        return found[0].head.id if found else ""

    def _head(self, submission: Submission, principal: Principal) -> Head:
        config, trigger = submission.config, submission.trigger
        wanted = foreign.text(trigger.get("executionId")) or foreign.text(config.get("executionId"))
        if wanted and not _EXECUTION_ID.fullmatch(wanted):
            raise Refused(_no_id(wanted))
        execution_id = wanted or self._ids.ulid()
        parent = trigger.get("parentExecution")
        root = foreign.text(parent.get("rootId")) or foreign.text(parent.get("id")) if isinstance(parent, dict) else ""
        build_time = self._clock.now()
        return Head(
            id=execution_id,
            kind=submission.kind,
            application=foreign.text(config.get("application")),
            name=foreign.text(config.get("name")),
            description=foreign.text(config.get("description")),
            root_id=root or execution_id,
            build_time=build_time,
            trigger=trigger_secrets.masked_trigger(trigger),
            authentication=Authentication(user=principal.name),
            roles=tuple(sorted(principal.roles)),
            behind=principal.behind,
            origin=foreign.text(config.get("origin")) or _origin(submission.kind, principal),
            pipeline_config_id=foreign.text(config.get("id")) or None,
            initial_config=trigger_secrets.masked(config),
            partition=self._settings.partition or None,
            additional_headers=principal.headers,
            waiting_for=ForWork(reason="the submission to be prepared", what="submission", since=build_time),
            version=1,
        )


def _submitted(head: Head, principal: Principal) -> AuditEntry:
    details: JsonObject = {
        "application": head.application,
        "pipeline": head.name,
        "configId": head.pipeline_config_id,
        "triggerType": head.trigger.get("type"),
        "via": principal.via,
        **({"behind": principal.behind} if principal.behind else {}),
    }
    return AuditEntry(
        at=head.build_time,
        actor=principal.name,
        action="execution.submitted",
        subject=f"execution:{head.id}",
        details=details,
    )


def _origin(kind: ExecutionKind, principal: Principal) -> str:
    """Where it comes from if it doesn't say so: of orchestrations Orca doesn't know."""
    return "unknown" if kind is ExecutionKind.ORCHESTRATION else principal.via or "api"


def _correlation_id(submission: Submission) -> str:
    return foreign.text(submission.trigger.get("correlationId"))


def _unknown(execution_id: str) -> Problem:
    return Problem(code="execution.unknown", message=f"There is no execution {execution_id}.")


def _not_over(head: Head) -> Problem:
    return Problem(
        code="execution.not_over",
        message=f"The execution {head.id} is {head.status.value}, or something of it is still being done.",
        remedy="Cancel it, or wait for its end; then delete it.",
    )


def _no_id(wanted: str) -> Problem:
    return Problem(
        code="execution.bad_id",
        message=f"{wanted[:80]!r} can't be the id of an execution.",
        remedy="Use at most 64 letters, digits, `-`, `_` and `.`, beginning with a letter or digit; or give none.",
        pointer="/executionId",
    )


def _id_is_taken(execution_id: str) -> Problem:
    return Problem(
        code="execution.id_taken",
        message=f"There is already an execution {execution_id}, started by something else.",
        remedy="Give another executionId, or none.",
        pointer="/executionId",
    )


def _unanswered(execution_id: str) -> Problem:
    return Problem(
        code="command.unanswered",
        message=f"The server that owns execution {execution_id} hasn't answered within {_OWNER_ANSWERS_SECONDS:.0f} seconds.",
        remedy="The command is stored and will be carried out once. Look at the execution again.",
    )


def _no_number(cluster: str) -> Problem:
    return Problem(
        code="cluster.no_number",
        message=f"All 1000 server-group numbers of the cluster {cluster} are taken.",
        remedy="Destroy server groups that are no longer needed.",
    )
