"""Importing: stores a bundle from a Spinnaker, application by application, and says every gap.

Nothing of an application is stored that is live, or that was made here: its definitions are kept here. A definition that
can't be kept is told as refused and the others are stored; what hasn't changed gets no new revision.
"""

from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from gennaker.interfaces.definitions import Definition
from gennaker.interfaces.executions import Found
from gennaker.migration import bundle as bundles
from gennaker.migration import gaps
from gennaker.migration.brought import Brought
from gennaker.migration.bundle import Bundle
from gennaker.migration.gaps import Gap, Known, Weight
from gennaker.migration.phases import Phase, Standing
from gennaker.model import (
    application_notifications,
    foreign,
    names,
    saved_pipelines,
    template_references,
    trigger_secrets,
)
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.execution import ExecutionKind
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import UNFINISHED
from gennaker.web.ports import WebPorts

_AT_ONCE = 100
_UNKNOWN_TYPES = ("stage.unknown_type", "stage.not_offered")


class Importing(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is to be imported, and how."""

    bundle: Bundle
    source: str
    """Where it was read."""
    is_shadow: bool = False
    is_trial: bool = False
    """Nothing is stored; the report is the same."""
    also_templates: tuple[JsonObject, ...] = ()
    """That pipelines are made from and that aren't stored, as this is a trial."""


class Counts(msgspec.Struct, kw_only=True, rename="camel"):
    """Definitions by what became of them."""

    stored: int = 0
    unchanged: int = 0
    refused: int = 0


class Report(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What came of it."""

    applications: dict[str, Phase]
    """Phases of those that were imported."""
    counts: dict[str, Counts]
    """By kind of definition."""
    gaps: tuple[Gap, ...]


_Stored: TypeAlias = "tuple[str, str, JsonObject]"
"""Kind, id and body of a definition."""


async def take(ports: WebPorts, principal: Principal, wanted: Importing) -> Report:
    """Imports."""
    taking = _Taking(ports, principal, wanted, await _known(ports))
    await taking.shared()
    for name in wanted.bundle.names():
        await taking.application(name)
    report = taking.report()
    if not wanted.is_trial:
        counts: JsonObject = {kind: to_json(one) for kind, one in report.counts.items()}
        details: JsonObject = {"source": wanted.source, "counts": counts, "gaps": len(report.gaps)}
        named: list[Json] = [f"{name}: {phase}" for name, phase in report.applications.items()]
        entry = AuditEntry(
            at=ports.services.clock.now(),
            actor=principal.name,
            action="import.taken",
            subject=f"import:{wanted.source}",
            details={**details, "applications": named},
        )
        await ports.services.audit.record(entry)
    return report


def _placed(before: Standing | None, after: Standing) -> AuditEntry:
    """From now on, what starts of the application is planned, or nothing of it starts."""
    return AuditEntry(
        at=after.since,
        actor=after.by,
        action="application.imported",
        subject=f"application:{after.application}",
        details={
            "before": before.phase.value if before else None,
            "after": after.phase.value,
            "source": after.source,
        },
    )


async def _known(ports: WebPorts) -> Known:
    services = ports.services
    people = await ports.sign_in.identities.people()
    accounts = await ports.sign_in.identities.service_accounts()
    held = [*(one.roles for one in people), *(one.roles for one in accounts)]
    places = [place for provider in services.clouds.values() for place in await provider.places()]
    return Known(
        accounts=frozenset({place.account for place in places} | set(services.api_servers)),
        registries=frozenset(services.registries),
        artifact_accounts=frozenset(services.artifacts),
        ci=frozenset(services.ci),
        notifiers=frozenset(services.notifiers),
        query_types=frozenset(services.metrics),
        service_accounts=frozenset(one.name.lower() for one in accounts if not one.is_disabled),
        roles=frozenset(role.lower() for roles in held for role in roles),
    )


class _Taking:
    """One import under way."""

    def __init__(self, ports: WebPorts, principal: Principal, wanted: Importing, known: Known) -> None:
        self._ports = ports
        self._definitions = ports.services.definitions
        self._brought = Brought(ports.services.documents)
        self._principal = principal
        self._wanted = wanted
        self._known = known
        self._templates = bundles.template_keys((*wanted.bundle.templates, *wanted.also_templates))
        self._gaps: list[Gap] = []
        self._counts: dict[str, Counts] = {}
        self._phases: dict[str, Phase] = {}

    def report(self) -> Report:
        return Report(applications=self._phases, counts=self._counts, gaps=tuple(self._gaps))

    async def shared(self) -> None:
        """What belongs to no application, or to several."""
        for kind, one in self._wanted.bundle.homeless():
            await self._keep((kind, "", one), (_homeless(),))
        for key, template in bundles.template_keys(self._wanted.bundle.templates).items():
            await self._keep((template_references.KIND, key, template), self._ports.services.checks.template(template))
        for config in self._wanted.bundle.canary_configs:
            self._gaps += gaps.of_canary_config(config, self._known)
            named = foreign.text_at(config, "id") or foreign.text_at(config, "name")
            await self._keep(("canary-config", named, config), () if named else (_nameless("canary config"),))
        for project in self._wanted.bundle.projects:
            named = foreign.text_at(project, "id") or foreign.text_at(project, "name")
            await self._keep(("project", named, project), () if named else (_nameless("project"),))

    async def application(self, name: str) -> None:
        """One application with its pipelines and strategies."""
        own = self._wanted.bundle.of_application(name)
        phase = await self._phase(name, own)
        if phase is None:
            return
        self._phases[name] = phase
        for attributes in own.applications:
            self._gaps += gaps.of_application(attributes, self._known)
            await self._keep(("application", name, {**attributes, "name": name}))
        for notifications in own.notifications:
            self._gaps += gaps.of_notifications(notifications, self._known)
            body: JsonObject = {**notifications, "application": name}
            await self._keep((application_notifications.KIND, name, body), _wrong_with(notifications))
        for kind, given in ((saved_pipelines.PIPELINE, own.pipelines), (saved_pipelines.STRATEGY, own.strategies)):
            listed = await self._definitions.list(kind, name) if given else ()
            stored = {one.id: one.body for one in listed}
            for pipeline in given:
                await self._pipeline(kind, pipeline, stored, phase)

    async def _phase(self, name: str, own: Bundle) -> Phase | None:
        """The phase that it is in from now on; None: it is left alone."""
        wanted = Phase.SHADOW if self._wanted.is_shadow else Phase.IMPORTED
        standing = await self._ports.phases.of(name) if await self._is_here(name) else None  # deleted: it comes anew
        problem = await self._in_the_way(name, standing, wanted)
        if problem is not None:
            is_live = standing is not None and standing.phase is Phase.LIVE
            subject = gaps.Subject(kind="application", application=name, name=name)
            self._gaps.append(subject.gap(Weight.NOTE if is_live else Weight.REFUSED, problem))
            self._count_all(own, is_refused=not is_live)
            return None
        phase = standing.phase if standing is not None and standing.phase is Phase.SHADOW else wanted
        if not self._wanted.is_trial and (standing is None or standing.phase is not phase):
            now = self._ports.services.clock.now()
            after = Standing(
                application=name,
                phase=phase,
                source=self._wanted.source,
                since=now,
                by=self._principal.name,
                imported_at=now,
            )
            await self._ports.phases.put(after, audit=(_placed(standing, after),))
        return phase

    async def _has_run(self, name: str) -> bool:
        """Otherwise than as a plan."""
        before: str | None = None
        while True:
            wanted = Found(application=name, kind=ExecutionKind.PIPELINE, limit=_AT_ONCE, before_id=before)
            found = await self._ports.services.executions.find(wanted)
            if any(not foreign.flag(one.head.trigger.get("dryRun")) for one in found):
                return True
            if len(found) < _AT_ONCE:
                return False
            before = found[-1].head.id

    async def _runs(self, name: str) -> bool:
        """From before: what isn't a plan would go on to act."""
        wanted = Found(application=name, kind=ExecutionKind.PIPELINE, statuses=UNFINISHED, limit=1)
        return bool(await self._ports.services.executions.find(wanted))

    async def _is_here(self, name: str) -> bool:
        found = await self._definitions.get("application", name)
        return found is not None or bool(await self._definitions.list(saved_pipelines.PIPELINE, name))

    async def _in_the_way(self, name: str, standing: Standing | None, wanted: Phase) -> Problem | None:
        if (problem := names.application_problem(name)) is not None:
            return problem
        if standing is None and await self._is_here(name):
            return _made_here(name)
        if standing is None and await self._runs(name):
            return _running(name)
        if standing is not None and standing.phase is Phase.LIVE:
            return _live(name)
        if wanted is Phase.SHADOW and (standing is None or standing.phase is not Phase.SHADOW):
            return _has_run(name) if await self._has_run(name) else None
        return None

    async def _pipeline(self, kind: str, given: JsonObject, stored: dict[str, JsonObject], phase: Phase) -> None:
        """`stored`: all of the application, to which it is added."""
        pipeline_id = foreign.text_at(given, "id") or self._id_of(given, stored)
        body: JsonObject = {**given, "id": pipeline_id}
        checked = await self._ports.services.checks.pipeline(body, instead=self._templates)
        problems = list(checked.problems)
        if pipeline_id not in stored:
            problems += [*_name_taken(body, stored), *await self._id_taken(kind, pipeline_id)]
        subject = gaps.subject_of(kind, body)
        for warning in checked.warnings:
            weight = Weight.STOPS if warning.code in _UNKNOWN_TYPES else Weight.DIFFERS
            self._gaps.append(subject.gap(weight, warning))
        self._gaps += gaps.of_pipeline(body, self._known)
        body = _with_secrets(body, stored.get(pipeline_id))
        await self._keep((kind, pipeline_id, body if phase is Phase.SHADOW else bundles.disarmed(body)), problems)
        if not problems:
            stored[pipeline_id] = body

    async def _id_taken(self, kind: str, pipeline_id: str) -> list[Problem]:
        """By another application's: it would be taken away from that."""
        other = await self._definitions.get(kind, pipeline_id)
        if other is None:
            return []
        named = f"{foreign.text_at(other.body, 'application')}: {foreign.text_at(other.body, 'name')}"
        return [
            Problem(
                code="import.id_taken",
                message=f"Its id {pipeline_id} is that of another one here: {named}.",
                remedy="Delete that one here if it was moved in Spinnaker, and import again.",
                pointer="/id",
            )
        ]

    def _id_of(self, given: JsonObject, stored: dict[str, JsonObject]) -> str:
        """That of the one of the same name, else a new one."""
        for key, one in stored.items():
            if saved_pipelines.is_same_name(one.get("name"), given.get("name")):
                return key
        return self._ports.services.ids.uuid()

    async def _keep(self, stored: _Stored, problems: Iterable[Problem] = ()) -> None:
        kind, definition_id, body = stored
        refused = [gaps.subject_of(kind, body).gap(Weight.REFUSED, one) for one in problems]
        self._gaps += refused
        if refused:
            self._count(kind).refused += 1
            return
        before = await self._definitions.get(kind, definition_id)
        if before is not None and _is_same(before.body, body):
            self._count(kind).unchanged += 1
            await self._catch_up(kind, before)
            return
        if before is not None and (problem := await self._changed_here(kind, before)) is not None:
            self._gaps.append(gaps.subject_of(kind, body).gap(Weight.DIFFERS, problem))
            self._count(kind).unchanged += 1
            return
        self._count(kind).stored += 1
        if not self._wanted.is_trial:
            revision = before.revision if before else None
            author = self._principal.name
            await self._definitions.save(kind, definition_id, body, author=author, if_revision=revision)
            await self._brought.note(kind, definition_id, body)

    async def _catch_up(self, kind: str, before: Definition) -> None:
        """An import that was cut off between storing and noting, or a change here that Spinnaker has made as well."""
        if not self._wanted.is_trial and await self._brought.is_untouched(kind, before.id, before.body) is False:
            await self._brought.note(kind, before.id, before.body)

    async def _changed_here(self, kind: str, before: Definition) -> Problem | None:
        """Why it must not be replaced: somebody has made it here, or mended what was brought."""
        match await self._brought.is_untouched(kind, before.id, before.body):
            case True:
                return None
            case False:
                return _mended(before)
            case None:
                return _own(before)

    def _count_all(self, own: Bundle, *, is_refused: bool) -> None:
        """Of an application that is left alone."""
        listed = (
            ("application", own.applications),
            (application_notifications.KIND, own.notifications),
            ("pipeline", own.pipelines),
            ("strategy", own.strategies),
        )
        for kind, definitions in listed:
            if definitions and is_refused:
                self._count(kind).refused += len(definitions)
            elif definitions:
                self._count(kind).unchanged += len(definitions)

    def _count(self, kind: str) -> Counts:
        return self._counts.setdefault(kind, Counts())


def _wrong_with(notifications: JsonObject) -> tuple[Problem, ...]:
    try:
        application_notifications.checked(notifications)
    except Refused as refused:
        return refused.problems
    return ()


def _name_taken(body: JsonObject, stored: dict[str, JsonObject]) -> tuple[Problem, ...]:
    try:
        saved_pipelines.refuse_name(body, str(body["id"]), stored)
    except Refused as refused:
        return refused.problems
    return ()


def _is_same(before: JsonObject, after: JsonObject) -> bool:
    """Triggers that are on are told from those that wait."""
    is_waiting = bundles.has_disarmed(before) == bundles.has_disarmed(after)
    return is_waiting and bundles.content(before) == bundles.content(after)


def _with_secrets(body: JsonObject, existing: JsonObject | None) -> JsonObject:
    """A masked secret is the one that is stored; where none is, its trigger is off: without one it would take any delivery."""
    try:
        return trigger_secrets.unmasked(body, existing)
    except Refused:
        triggers: list[Json] = [
            {**{key: value for key, value in one.items() if key != "secret"}, "enabled": False}
            if isinstance(one, dict) and one.get("secret") == trigger_secrets.MASK
            else one
            for one in foreign.items(body.get("triggers"))
        ]
        return {**body, "triggers": triggers}


def _nameless(what: str) -> Problem:
    return Problem(code="import.nameless", message=f"A {what} has neither an id nor a name.", remedy="Give it one.")


def _homeless() -> Problem:
    return Problem(
        code="import.no_application",
        message="It doesn't say, as text, to which application it belongs.",
        remedy="Give an application its `name`, and a pipeline its `application`.",
    )


def _made_here(name: str) -> Problem:
    return Problem(
        code="import.made_here",
        message=f"There is an application {name} here that wasn't imported: nothing of it was touched.",
        remedy="Delete it here, if it isn't needed, and import again.",
    )


def _mended(before: Definition) -> Problem:
    return Problem(
        code="import.changed_here",
        message=f"{before.author} has changed it here since it was imported: it was left alone.",
        remedy="Delete it here, if Spinnaker's is wanted, and import again.",
    )


def _own(before: Definition) -> Problem:
    return Problem(
        code="import.own",
        message=f"There is another {before.id} here, of {before.author}, which wasn't imported: it was left alone.",
        remedy="Delete it here, if Spinnaker's is wanted, and import again.",
    )


def _running(name: str) -> Problem:
    return Problem(
        code="import.running",
        message=f"Pipelines of an application {name} that was deleted here are still running: they would go on to act.",
        remedy="Cancel them, or wait for their end, and import again.",
    )


def _live(name: str) -> Problem:
    return Problem(
        code="import.live",
        message=f"The cut-over of {name} is recorded: its definitions are kept here now, and none was touched.",
        remedy="Change them here.",
    )


def _has_run(name: str) -> Problem:
    return Problem(
        code="import.has_run",
        message=f"Pipelines of {name} have run here, so it can't be put in shadow: what they have made would still be looked after.",
        remedy="Import it without shadow, or delete these executions, and what they have made, first.",
    )
