"""Cutting over: from now on an imported application is run here, which is recorded with what its Spinnaker could still start."""

import msgspec

from gennaker.interfaces.executions import Found
from gennaker.migration import bundle as bundles
from gennaker.migration.phases import Phase, Standing
from gennaker.model import foreign, saved_pipelines
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.foreign import mapping
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import UNFINISHED
from gennaker.web import preconditions
from gennaker.web.ports import WebPorts
from gennaker.web.preconditions import NO_CONDITIONS, Conditions


class CutOver(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What whoever cuts over has seen."""

    left_there: tuple[str, ...] = ()
    """What Spinnaker could still start, in words."""


async def cut_over(
    ports: WebPorts, principal: Principal, application: str, given: CutOver, conditions: Conditions = NO_CONDITIONS
) -> JsonObject:
    """Raises Refused: 404 for what wasn't imported, 409 where it is done already, or plans of the shadow are under way.

    412 where it no longer stands as the conditions say.
    """
    standing = await ports.phases.of(application)
    present = shown(standing) if standing else None
    conditions.refuse(
        foreign.text_at(present, "etag") or None, preconditions.changed(f"import of {application}", present)
    )
    if standing is None:
        raise Refused(_not_imported(application), status=404)
    if standing.phase is Phase.LIVE:
        # One that was cut off after the record, and before all triggers were on, is finished.
        if armed := await _armed(ports, principal, standing.application):
            return {**mapping(to_json(standing)), "pipelinesArmed": armed}
        raise Refused(_done(standing), status=409)
    await _refuse_plans(ports, standing)
    now = ports.services.clock.now()
    after = msgspec.structs.replace(
        standing, phase=Phase.LIVE, since=now, by=principal.name, left_there=given.left_there
    )
    # First that it is live: a trigger that is on already must not be planned only, one that isn't can wait.
    with conditions.writing():
        await ports.phases.change(after, before=standing, audit=(_entry(standing, after),))
    armed = await _armed(ports, principal, standing.application)
    return {**mapping(to_json(after)), "pipelinesArmed": armed}


def shown(standing: Standing) -> JsonObject:
    """Where an application stands, with the tag of it."""
    shape = mapping(to_json(standing))
    return {**shape, "etag": preconditions.of_content(shape)}


async def _refuse_plans(ports: WebPorts, standing: Standing) -> None:
    wanted = Found(application=standing.application, statuses=UNFINISHED, limit=1)
    if await ports.services.executions.find(wanted):
        raise Refused(_planning(standing.application), status=409)


async def _armed(ports: WebPorts, principal: Principal, application: str) -> int:
    """Turns the triggers on that were on before the import; how many pipelines that were."""
    count = 0
    for kind in (saved_pipelines.PIPELINE, saved_pipelines.STRATEGY):
        for one in await ports.services.definitions.list(kind, application):
            if bundles.has_disarmed(one.body):
                await ports.services.definitions.save(
                    kind, one.id, bundles.armed(one.body), author=principal.name, if_revision=one.revision
                )
                count += 1
    return count


def _entry(before: Standing, after: Standing) -> AuditEntry:
    left: list[Json] = [*after.left_there]
    return AuditEntry(
        at=after.since,
        actor=after.by,
        action="application.cut_over",
        subject=f"application:{after.application}",
        details={"before": before.phase.value, "after": after.phase.value, "source": before.source, "leftThere": left},
    )


def _not_imported(application: str) -> Problem:
    return Problem(
        code="cut_over.not_imported",
        message=f"The application {application} wasn't imported: there is nothing to cut over.",
        remedy="`gennaker import` brings it here.",
    )


def _done(standing: Standing) -> Problem:
    return Problem(
        code="cut_over.done",
        message=f"{standing.by} has cut {standing.application} over at {standing.since:%Y-%m-%d %H:%M} UTC.",
        remedy="There is nothing left to do.",
    )


def _planning(application: str) -> Problem:
    return Problem(
        code="cut_over.planning",
        message=f"Runs of {application} from before the cut-over are not over.",
        remedy="Cut over again when they are; `gennaker list executions --status RUNNING` shows them.",
    )
