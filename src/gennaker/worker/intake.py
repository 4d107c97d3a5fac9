"""Intake: webhooks, pollers' events and manual starts become executions, each once.

The pure decisions are in triggers/; here pipelines are loaded, executions submitted under keys that make a repeat harmless,
and refusals recorded.
"""

import asyncio
import difflib
import hashlib
import threading
from collections.abc import Iterable

import msgspec
import structlog

from gennaker.access.refusals import Refusals, sender_of
from gennaker.interfaces.clock import Clock, Ids
from gennaker.interfaces.definitions import Definition, Definitions
from gennaker.interfaces.executions import Executions, Submission
from gennaker.interfaces.intake import Answer, Delivery, OutsideEvent
from gennaker.model import artifact_matching, saved_pipelines
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import Json, JsonObject, decode_json, encode_sorted, to_json, why_not_json
from gennaker.model.principal import ANONYMOUS, Principal
from gennaker.model.problems import Problem, Refused
from gennaker.triggers import manual, matching, scm, webhook_artifacts
from gennaker.worker import hydrating

log = structlog.get_logger()

_UNSIGNED = 401
_FORBIDDEN = 403
_NAMED = 20
"""Pipelines that a problem lists."""
_SENT_AGAIN_HEADERS = ("x-github-delivery", "x-gitlab-event-uuid", "x-request-id")
"""Headers that name a delivery for ever: sent again, it starts nothing again."""


class LocalIntake:
    """Intake over this process's definitions and executions."""

    def __init__(
        self, *, definitions: Definitions, executions: Executions, refusals: Refusals, clock: Clock, ids: Ids
    ) -> None:
        """All of them over the same store."""
        self._definitions = definitions
        self._executions = executions
        self._refusals = refusals
        self._clock = clock
        self._ids = ids
        self._matching = asyncio.Lock()

    async def deliver(self, delivery: Delivery) -> Answer:
        """Answers as Echo does, but 401 where only the signature kept the delivery from starting something."""
        body = _body(delivery)
        source = delivery.source or str(body.get("source") or "")
        content: JsonObject = dict(body)
        if delivery.headers.get("x-event-key"):
            content["event_type"] = delivery.headers["x-event-key"][0]
        if delivery.type.lower() == "git":
            normalised = scm.normalise(source, content, delivery.headers)
            if normalised is None:
                return Answer(status=200, body={"eventProcessed": False, "eventId": None})
            content = normalised
        if not content.get("artifacts"):
            content["artifacts"] = list[Json](webhook_artifacts.extract(delivery.type.lower(), source, body))
        _check_artifacts(content["artifacts"])
        event = OutsideEvent(
            type=delivery.type,
            source=source,
            content=content,
            payload=body if delivery.source else {},
            raw=delivery.raw,
            headers=delivery.headers,
            event_id=self._event_id(delivery),
            at=delivery.received_at,
        )
        matches = await self._matches(event)
        if matches.unsigned:
            await self._tell_unsigned(event, matches.unsigned, delivery.address)
            if not matches.found:
                return _unsigned()
        await self._submit(event, matches)
        return Answer(status=200, body={"eventProcessed": True, "eventId": event.event_id})

    async def take(self, event: OutsideEvent) -> tuple[str, ...]:
        """Starts what the event triggers."""
        return await self._submit(event, await self._matches(event))

    async def start(
        self, application: str, name_or_id: str, trigger: JsonObject, principal: Principal, *, key: str = ""
    ) -> str:
        """Starts a pipeline by hand."""
        definition = _only(await self._definitions.list("pipeline", application), application, name_or_id)
        problems = manual.problems(await self._hydrated(definition), trigger)
        if problems:
            raise Refused(*problems)
        config = hydrating.stored(definition)
        complete: JsonObject = {"type": "manual", "eventId": self._ids.uuid(), **trigger, "user": principal.name}
        return await self._executions.submit(Submission(config=config, trigger=complete, key=key), principal)

    async def _matches(self, event: OutsideEvent) -> matching.Matches:
        attributes = event.content.get("attributes")
        facts = matching.EventFacts(
            type=event.type,
            source=event.source,
            content=event.content,
            payload=event.payload,
            raw=event.raw,
            headers=event.headers,
            attributes={k: str(v) for k, v in attributes.items()} if isinstance(attributes, dict) else {},
            event_id=event.event_id,
        )
        stopped = threading.Event()
        # A pattern may take seconds for what somebody sends: by a thread, and by one of those that all share.
        async with self._matching:
            known = await self._known()
            try:
                return await asyncio.to_thread(_matched, facts, known, stopped)
            except asyncio.CancelledError:
                stopped.set()
                raise

    async def _known(self) -> list[tuple[Definition, JsonObject]]:
        """All pipelines, each as it is saved and as it is started."""
        known = []
        for definition in await self._definitions.list("pipeline"):
            try:
                known.append((definition, await self._hydrated(definition)))
            except msgspec.ValidationError as error:
                _tell_unreadable(definition, error)
        return known

    async def _hydrated(self, definition: Definition) -> JsonObject:
        return await hydrating.hydrated(definition, self._definitions, at=self._clock.now())

    async def _submit(self, event: OutsideEvent, matches: matching.Matches) -> tuple[str, ...]:
        started = []
        for match in matches.found:
            trigger: JsonObject = {**match.trigger, "artifacts": [to_json(a) for a in match.artifacts]}
            user = str(match.trigger.get("runAsUser") or "anonymous").strip()
            submission = Submission(config=match.pipeline, trigger=trigger, key=_key(event, match))
            principal = Principal(name=user, via=f"trigger:{match.trigger.get('type')}")
            try:
                started.append(await self._executions.submit(submission, principal))
            except Refused as refused:
                if refused.status != _FORBIDDEN:
                    raise
                # Whom the trigger runs as may not start this one; the others are none of its business.
                await self._tell_forbidden(event, match.pipeline, principal, refused)
        log.info("event.taken", type=event.type, source=event.source, event_id=event.event_id, executions=started)
        return tuple(started)

    async def _tell_forbidden(
        self, event: OutsideEvent, pipeline: JsonObject, principal: Principal, refused: Refused
    ) -> None:
        details: JsonObject = {
            "why": str(refused.problems[0]),
            "code": refused.problems[0].code,
            "application": pipeline.get("application"),
            "eventId": event.event_id,
        }
        subject = f"pipeline:{pipeline.get('id')}"
        entry = AuditEntry(
            at=self._clock.now(), actor=principal.name, action="execution.refused", subject=subject, details=details
        )
        await self._refusals.tell(entry, sender=f"trigger:{pipeline.get('id')}")

    async def _tell_unsigned(self, event: OutsideEvent, unsigned: int, address: str) -> None:
        entry = AuditEntry(
            at=self._clock.now(),
            actor=ANONYMOUS.name,
            action="webhook.refused",
            subject=f"webhook:{event.type}/{event.source}",
            details={"reason": "signature", "triggers": unsigned, "eventId": event.event_id, "address": address},
        )
        await self._refusals.tell(entry, sender=sender_of(ANONYMOUS, address))

    def _event_id(self, delivery: Delivery) -> str:
        for name in _SENT_AGAIN_HEADERS:
            values = delivery.headers.get(name)
            if values and values[0]:
                return values[0]
        return self._ids.uuid()


def _matched(
    facts: matching.EventFacts, known: Iterable[tuple[Definition, JsonObject]], stopped: threading.Event
) -> matching.Matches:
    """What the event fires of these definitions, each with its hydrated pipeline, unless nobody wants to know any more."""
    found: list[matching.Match] = []
    unsigned = 0
    for definition, pipeline in known:
        if stopped.is_set():
            break
        try:
            matches = matching.match(facts, [pipeline])
        except msgspec.ValidationError as error:
            _tell_unreadable(definition, error)
            continue
        for reason in matches.undecided:
            log.warning("trigger.undecided", pipeline=definition.id, event_id=facts.event_id, reason=reason)
        config = hydrating.stored(definition)
        found += [msgspec.structs.replace(match, pipeline=config) for match in matches.found]
        unsigned += matches.unsigned
    return matching.Matches(found=tuple(found), unsigned=unsigned)


def _tell_unreadable(definition: Definition, error: msgspec.ValidationError) -> None:
    """One pipeline that can't be read must not keep the others from starting."""
    log.error("pipeline.unreadable", pipeline=definition.id, reason=str(error), exc_info=error)


def _unsigned() -> Answer:
    problem = Problem(
        code="webhook.signature",
        message="The delivery's signature is missing or wrong for every trigger that it would start.",
        remedy="Set the same secret at the sender and in the trigger; the signature is an HMAC over the raw body.",
    )
    return Answer(status=_UNSIGNED, body={"eventProcessed": False, "eventId": None, **_problem(problem)})


def _body(delivery: Delivery) -> JsonObject:
    if not delivery.raw.strip():
        if delivery.source == "bitbucket":
            return {}
        raise Refused(Problem(code="webhook.empty", message="The body is empty.", remedy="Send a JSON object."))
    try:
        body = decode_json(delivery.raw)
    except msgspec.DecodeError as error:
        message = f"The body is not JSON: {why_not_json(error, delivery.raw)}."
        raise Refused(Problem(code="webhook.not_json", message=message, remedy="Send a JSON object.")) from error
    if not isinstance(body, dict):
        raise Refused(
            Problem(code="webhook.not_object", message="The body is no JSON object.", remedy="Send a JSON object.")
        )
    return body


def _check_artifacts(artifacts: Json) -> None:
    try:
        for artifact in artifacts if isinstance(artifacts, list) else ():
            if isinstance(artifact, dict):
                artifact_matching.read(artifact)
    except msgspec.ValidationError as error:
        raise Refused(
            Problem(
                code="webhook.artifact",
                message=f"An artifact of the body can't be read: {error}.",
                remedy="Send artifacts with a type, and with name, version and reference as text.",
                pointer="/artifacts",
            )
        ) from error


def _key(event: OutsideEvent, match: matching.Match) -> str:
    """The same event, pipeline and trigger never start a second execution."""
    configured = {key: value for key, value in match.trigger.items() if key != "eventId"}
    fingerprint = hashlib.sha256(encode_sorted(configured)).hexdigest()[:16]
    return f"{event.event_id}/{match.pipeline.get('id')}/{fingerprint}"


def _only(definitions: tuple[Definition, ...], application: str, name_or_id: str) -> Definition:
    named = [d for d in definitions if saved_pipelines.is_same_name(d.body.get("name"), name_or_id)]
    found = named or [d for d in definitions if d.id == name_or_id]
    if not found:
        raise Refused(
            _unknown(application, name_or_id, sorted(str(d.body.get("name")) for d in definitions)), status=404
        )
    return found[0]


def _unknown(application: str, wanted: str, names: list[str]) -> Problem:
    close = difflib.get_close_matches(wanted, names, n=1)
    meant = f"Did you mean {close[0]!r}? " if close else ""
    more = f", and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    has = f"It has: {', '.join(names[:_NAMED])}{more}." if names else "It has none: look whether it is spelled right."
    return Problem(
        code="pipeline.unknown",
        message=f"Application {application!r} has no pipeline {wanted!r}.",
        remedy=f"{meant}{has}",
    )


def _problem(problem: Problem) -> JsonObject:
    return {"code": problem.code, "message": problem.message, "remedy": problem.remedy}
