"""Firing: starts pipelines when their cron triggers are due, each due time once.

Theory of operation. One server of an installation does it. It lists the pipelines every `_LISTED_EVERY`, knows from then on the
next due time of each trigger, and sleeps until the first. A document says up to which instant all due times have been
dealt with; it is written after each listing. Killed in between, the next server deals with those since then once more:
their executions are submitted under keys that name pipeline, trigger and due time, so that nothing starts twice. For the
same reason a clock that is put back does no harm: what was dealt with by the wrong time counts again from the right one.

A due time that is noticed late (`_TOO_LATE`: no server ran) is left out, as Quartz does with misfires. With the setting
`engine.cron-catch-up-seconds` a trigger's last one of these is made up for, by the rules of Echo's compensation job: only
if its pipeline has run before, and not since.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import structlog

from gennaker.interfaces.definitions import Definition
from gennaker.interfaces.executions import Found, Submission
from gennaker.interfaces.services import Services
from gennaker.model import cron_times
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject
from gennaker.model.execution import ExecutionKind
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.triggers import cron
from gennaker.triggers.cron import Scheduled, Unscheduled

log = structlog.get_logger()

_KIND = "pipeline"
_NAMESPACE = "cron"
_HANDLED = "handled"
_LISTED_EVERY = timedelta(seconds=10)
_TOO_LATE = timedelta(seconds=60)
"""Quartz's misfire threshold."""
_FORBIDDEN = 403


async def run(services: Services) -> None:
    """Fires until cancelled. Raises Refused if the time zone isn't one."""
    if not services.settings.engine.cron_triggers:
        log.warning("cron.off", setting="engine.cron-triggers")
        await asyncio.Event().wait()
    watch = Watch(services, zone_of(services))
    while True:
        await services.clock.sleep_until(await watch.look())


def zone_of(services: Services) -> ZoneInfo:
    """The time zone of all cron triggers. Raises Refused."""
    name = services.settings.engine.time_zone
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        problem = Problem(
            code="cron.zone",
            message=f"No cron trigger fires: the setting `engine.time-zone` is {name!r}, which is no time zone.",
            remedy="Set it to a name like Europe/Berlin.",
        )
        raise Refused(problem) from error


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger that is watched."""

    definition: Definition
    scheduled: Scheduled
    handled: datetime
    """Due times up to here have been dealt with."""
    due: datetime | None
    """The next one; None: there is none."""

    def is_due(self, at: datetime) -> bool:
        return self.due is not None and self.due <= at


class Watch:
    """The triggers of all pipelines, as they were last listed."""

    def __init__(self, services: Services, zone: ZoneInfo) -> None:
        """Nothing is known before the first look."""
        self._services = services
        self._documents = services.documents(_NAMESPACE)
        self._zone = zone
        self._entries: dict[str, _Entry] = {}
        self._listed_at: datetime | None = None
        self._handled = datetime.max.replace(tzinfo=UTC)
        """What the document says."""
        self._told: set[str] = set()

    async def look(self) -> datetime:
        """Starts what is due; returns when to look again."""
        now = self._services.clock.now()
        if self._listed_at is not None and now < self._listed_at:
            self._entries, self._listed_at = {}, None
        lists = self._listed_at is None or now >= self._listed_at + _LISTED_EVERY or await self._has_changed(now)
        if lists:
            await self._list(now)
        for key, entry in self._entries.items():
            if entry.is_due(now):
                self._entries[key] = await self._fired(entry, now)
        if lists and (self._entries or now - self._handled >= _TOO_LATE):
            await self._note(now)
        assert self._listed_at is not None
        dues = [entry.due for entry in self._entries.values() if entry.due is not None]
        return min([*dues, self._listed_at + _LISTED_EVERY])

    async def _has_changed(self, now: datetime) -> bool:
        """Whether a pipeline of which something is due isn't any more what it was."""
        due = {entry.definition.id: entry.definition for entry in self._entries.values() if entry.is_due(now)}
        for definition_id, known in due.items():
            found = await self._services.definitions.get(_KIND, definition_id)
            if found is None or found.revision != known.revision:
                return True
        return False

    async def _list(self, now: datetime) -> None:
        document = await self._documents.get(_HANDLED)
        if document is None:
            await self._note(now)  # what was due before somebody watched is none of ours
        self._handled = min(datetime.fromisoformat(str(document.body["until"])), now) if document else now
        entries: dict[str, _Entry] = {}
        for definition in await self._services.definitions.list(_KIND):
            try:
                entries |= await self._entries_of(definition)
            except (Refused, msgspec.ValidationError) as error:
                # One pipeline that can't be read must not keep the others from starting.
                log.exception("pipeline.unreadable", pipeline=definition.id, reason=str(error))
        self._entries, self._listed_at = entries, now

    async def _note(self, handled: datetime) -> None:
        await self._documents.put(_HANDLED, {"until": handled.isoformat()})
        self._handled = handled

    async def _entries_of(self, definition: Definition) -> dict[str, _Entry]:
        pipeline = await self._services.checks.expanded(_config(definition))
        found = {}
        revisions: Sequence[Definition] | None = None
        for one in cron.of_pipeline(pipeline):
            key = f"{definition.id}/{definition.revision}/{one.trigger}"
            if isinstance(one, Unscheduled):
                self._tell(key, definition, one.trigger, one.why)
                continue
            known = self._entries.get(key)
            if known is None:
                if revisions is None and definition.at > self._handled:
                    revisions = await self._services.definitions.history(_KIND, definition.id)
                known = self._entry(definition, one, self._since(one, revisions or ()))
            if known.due is None:
                self._tell(key, definition, one.trigger, "It never fires any more.")
            found[key] = known
        return found

    def _since(self, scheduled: Scheduled, revisions: Sequence[Definition]) -> datetime:
        """From when on its due times count. Where the pipeline's own revisions don't say it, it comes from a template."""
        said = [(one.at, _config(one)) for one in takewhile(lambda one: not one.is_deleted, revisions)]
        since = cron.in_force_since(scheduled.trigger, said) or self._listed_at
        return self._handled if since is None else max(self._handled, since)

    def _entry(self, definition: Definition, scheduled: Scheduled, handled: datetime) -> _Entry:
        due = cron_times.after(scheduled.expression, handled, self._zone)
        return _Entry(definition=definition, scheduled=scheduled, handled=handled, due=due)

    def _tell(self, key: str, definition: Definition, trigger: JsonObject, why: str) -> None:
        """Once, as it stays so until somebody mends it."""
        if key not in self._told:
            self._told.add(key)
            expression = trigger.get("cronExpression")
            log.warning("cron.never_fires", pipeline=definition.id, expression=expression, why=why)

    async def _fired(self, entry: _Entry, now: datetime) -> _Entry:
        """The entry after everything up to now was dealt with."""
        expression, handled = entry.scheduled.expression, entry.handled
        too_late = now - _TOO_LATE
        if entry.is_due(too_late):
            missed = cron_times.latest(expression, handled, too_late, self._zone)
            assert missed is not None
            await self._missed(entry, missed, now)
            handled = too_late
        due = cron_times.after(expression, handled, self._zone)
        while due is not None and due <= now:
            await self._start(entry, due)
            due = cron_times.after(expression, due, self._zone)
        return msgspec.structs.replace(entry, handled=now, due=due)

    async def _missed(self, entry: _Entry, due: datetime, now: datetime) -> None:
        catch_up = timedelta(seconds=self._services.settings.engine.cron_catch_up_seconds)
        is_made_up_for = due >= now - catch_up and await self._has_not_run_since(entry.definition.id, due)
        log.warning("cron.missed", pipeline=entry.definition.id, due=due.isoformat(), is_made_up_for=is_made_up_for)
        if is_made_up_for:
            await self._start(entry, due)

    async def _has_not_run_since(self, pipeline_id: str, due: datetime) -> bool:
        """Of one that has never run nobody knows whether it should."""
        wanted = Found(config_ids=(pipeline_id,), kind=ExecutionKind.PIPELINE, limit=1)
        newest = next(iter(await self._services.executions.find(wanted)), None)
        return newest is not None and newest.head.start_time is not None and newest.head.start_time < due

    async def _start(self, entry: _Entry, due: datetime) -> None:
        definition, configured = entry.definition, entry.scheduled.trigger
        key = cron.key(definition.id, configured, due)
        user = str(configured.get("runAsUser") or "").strip() or "anonymous"
        principal = Principal(name=user, via=f"trigger:{cron.TYPE}")
        submission = Submission(config=_config(definition), trigger=cron.runtime(configured, key), key=key)
        try:
            execution_id = await self._services.executions.submit(submission, principal)
        except Refused as refused:
            # One pipeline that can't be started must not keep the others from starting.
            log.warning("cron.refused", pipeline=definition.id, due=due.isoformat(), why=str(refused))
            if refused.status == _FORBIDDEN:
                await self._tell_forbidden(definition, due, principal, refused)
        else:
            log.info("cron.fired", pipeline=definition.id, due=due.isoformat(), execution=execution_id)

    async def _tell_forbidden(
        self, definition: Definition, due: datetime, principal: Principal, refused: Refused
    ) -> None:
        details: JsonObject = {
            "why": str(refused.problems[0]),
            "application": definition.body.get("application"),
            "due": due.isoformat(),
        }
        entry = AuditEntry(
            at=self._services.clock.now(),
            actor=principal.name,
            action="execution.refused",
            subject=f"{_KIND}:{definition.id}",
            details=details,
        )
        await self._services.audit.record(entry)


def _config(definition: Definition) -> JsonObject:
    return {**definition.body, "id": definition.id}
