"""Stability: the task that waits until everything a stage has deployed is stable, or can't become so any more.

It looks at what the shared watches hold and asks nobody. An object that was stable once isn't looked at again. One that
has failed, or whose pods can't start for a reason that waiting doesn't mend, ends the stage at once: the sooner the better.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext
from gennaker.model import foreign, time_limits, waiting
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import asking, cut_off, diagnosing, kinds, manifests, readiness
from gennaker.plugins.kubernetes.diagnosing import Trouble
from gennaker.plugins.kubernetes.kinds import Kind
from gennaker.plugins.kubernetes.manifests import Coordinates
from gennaker.plugins.kubernetes.objects import Objects
from gennaker.plugins.kubernetes.pod_events import PodEvents

NAMES = "outputs.manifestNamesByNamespace"
_WRITTEN = "outputs.manifests"
_VERSIONS = "changedManifests"
_TIMEOUT = "stableManifestTimeoutMinutes"
_LOOKS_AGAIN = timedelta(milliseconds=500)
_MOST_MINUTES = 525_600
_LOG_LINES = 20
_REFUSED = "eventsRefused"
_WITH_PODS = frozenset({"deployment", "replicaSet", "statefulSet", "daemonSet", "job", "pod"})


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One object as it is seen now."""

    where: Coordinates
    is_stable: bool = False
    failure: str = ""
    waits_for: str = ""
    trouble: Trouble | None = None


async def wait(context: TaskContext) -> TaskResult:
    """Ends when all are stable, or one has failed."""
    objects = asking.objects(context)
    own = context.stage.context
    stable = {_remembered(one): one for one in foreign.items(own.get("stableManifests"))}
    left = [one for one in named(own.get(NAMES)) if _key(one) not in stable]
    events = PodEvents(lambda: context.at, context.task.memory.get(_REFUSED))
    looking = _Looking(
        at=context.at,
        began=context.stage.start_time,
        events=events,
        says_how_long=_says_how_long(context),
        least=_least_versions(own),
    )
    seen = [await _look(objects, one, looking) for one in left]
    newly = {_key(one.where): _identified(one.where) for one in seen if one.is_stable}
    # Only what has changed is written: one of thousands that takes minutes would have all names written twice a second.
    remembered: JsonObject = {"stableManifests": [*(stable | newly).values()]} if newly else {}
    failed = [one for one in seen if one.failure]
    open_ = [one for one in seen if not one.is_stable]
    if failed:
        told = _told(objects.account.name, failed, [one for one in open_ if one not in failed])
        return Failed(problem=await _problem(objects, failed), context=remembered | told)
    if not open_:
        return Done(context=remembered | _told(objects.account.name, [], []))
    if newly or "messages" not in own:
        remembered |= _waited_for(objects.account.name, open_)
    first = min(open_, key=_urgency)
    said = f"{first.where.full_name} to become stable: {first.waits_for}"
    said += f"; {first.trouble}" if first.trouble else ""
    more = f" and {len(open_) - 1} more" if len(open_) > 1 else ""
    return Again(
        after=_LOOKS_AGAIN,
        context=remembered,
        memory={_REFUSED: remembered_events} if (remembered_events := events.remembered) else {},
        waiting_for=waiting.ForObject(
            reason=f"{said}{more}",
            kind="manifest",
            name=first.where.full_name,
            observed=first.waits_for,
            place=f"{objects.account.name}/{first.where.namespace}",
            gives_up_at=first.trouble.passes_until if first.trouble else None,
        ),
    )


def _urgency(one: Seen) -> tuple[bool, datetime]:
    """What has any trouble comes first, and of that what is given up first."""
    until = one.trouble.passes_until if one.trouble else None
    return one.trouble is None, until or datetime.max.replace(tzinfo=UTC)


def _told(account: str, failed: list[Seen], open_: list[Seen]) -> JsonObject:
    """What Orca's task leaves in the context, at the end: expressions and notifications read it."""
    return {
        "failedManifests": [_identified(one.where) for one in failed],
        "messages": [
            f"{_located(one, account)}: {said}"
            for one in (*failed, *open_)
            for said in (one.failure or one.waits_for or "is not yet stable",)
        ],
    }


def _waited_for(account: str, open_: list[Seen]) -> JsonObject:
    """What Orca's task leaves there meanwhile, each once; what they wait for changes too often to be written."""
    return {
        "failedManifests": [],
        "messages": [f"{_located(one, account)}: waiting for manifest to stabilize" for one in open_],
    }


def _located(one: Seen, account: str) -> str:
    return f"'{one.where.full_name}' in '{one.where.namespace}' for account {account}"


def _identified(where: Coordinates) -> JsonObject:
    return {"manifestName": where.full_name, "location": where.namespace}


def _remembered(one: Json) -> str:
    """A stage that began under an earlier version has remembered the bare text."""
    return one if isinstance(one, str) else f"{foreign.text_at(one, 'location')}/{foreign.text_at(one, 'manifestName')}"


def _says_how_long(context: TaskContext) -> bool:
    limit = time_limits.around(context.execution.stages, context.stage)
    return bool(foreign.said_at(context.stage.context, _TIMEOUT)) or limit is not None


def named(by_namespace: Json) -> list[Coordinates]:
    """The objects in `{namespace: ["kind name"]}`."""
    found: list[Coordinates] = []
    for namespace, names in foreign.mapping(by_namespace).items():
        for one in foreign.items(names):
            kind, name = kinds.parse_full_name(foreign.text(one))
            found.append(Coordinates(kind=kind, namespace=namespace, name=name))
    return found


class _Looking(msgspec.Struct, frozen=True, kw_only=True):
    """How objects are looked at."""

    at: datetime
    began: datetime | None
    """When the stage did."""
    events: PodEvents
    says_how_long: bool
    """The stage does: its pods wait for room as long as it says."""
    least: Mapping[str, int]
    """By `_key`: the version that the stage has written. What a watch still shows of before says nothing about it."""


async def _look(objects: Objects, where: Coordinates, looking: _Looking) -> Seen:
    """An object as the shared watch has it. Raises Refused, ApiFailure."""
    live = await objects.seen(where)
    if live is None:
        return Seen(where=where, waits_for="it isn't there yet")
    if manifests.version(live) < looking.least.get(_key(where), 0):
        return Seen(where=where, waits_for="the watch hasn't shown yet what was changed")
    found = readiness.of(live, objects.account.readiness)
    if found.stable.state and not found.failed.state:
        return Seen(where=where, is_stable=True)
    trouble = await _trouble(objects, where, live, looking)
    if found.failed.state:
        said = (found.failed.message or "It has failed").rstrip(".")
        return Seen(where=where, failure=f"{said}: {trouble}" if trouble else f"{said}.", trouble=trouble)
    return Seen(
        where=where,
        waits_for=found.stable.message or "",
        trouble=trouble,
        failure=str(trouble) if trouble is not None and trouble.is_hopeless(looking.at) else "",
    )


async def _trouble(objects: Objects, where: Coordinates, live: JsonObject, looking: _Looking) -> Trouble | None:
    """The one that is given up first."""
    if where.kind.group or where.kind.name not in _WITH_PODS:
        return None
    pods = [] if where.kind.name == "pod" else [*(await objects.all_seen(Kind("pod"), where.namespace)).values()]
    sets: list[JsonObject] = []
    if where.kind.name == "deployment":
        sets = [*(await objects.all_seen(Kind("replicaSet"), where.namespace)).values()]
    found = diagnosing.troubles(live, pods, sets)
    own = diagnosing.own_pods(live, pods, sets)
    if not found and (any(map(diagnosing.is_preparing, own)) or diagnosing.lacks_pods(live, own)):
        told = await looking.events.of(objects, {where.namespace})
        events = [one for each in told.values() for one in each]
        found = diagnosing.of_events(own, events) + diagnosing.of_refusals(live, own, events, began=looking.began)
    if looking.says_how_long:
        found = diagnosing.with_patience(found)
    return min(found, key=_given_up, default=None)


def _given_up(trouble: Trouble) -> tuple[bool, datetime]:
    return not trouble.is_final, trouble.passes_until or datetime.max.replace(tzinfo=UTC)


async def _problem(objects: Objects, failed: list[Seen]) -> Problem:
    said = " ".join(_said(one) for one in failed)
    trouble = next((one.trouble for one in failed if one.trouble is not None and one.trouble.container), None)
    log = await _end_of_log(objects, failed[0].where.namespace, trouble) if trouble else ""
    details: JsonObject = {"manifests": [one.where.full_name for one in failed]}
    if trouble is not None:
        details |= {"object": trouble.name, "reason": trouble.reason}
    if log:
        details["log"] = log
    return Problem(
        code="manifest.failed",
        message=f"{said} Last lines of its log: {log}" if log else said,
        remedy="Mend what it says and deploy again; undoRolloutManifest takes a Deployment back to the revision before.",
        details=details,
    )


def _said(failed: Seen) -> str:
    """Trouble says itself whose it is, and it may be the object's own."""
    name = f"{failed.where.full_name}: "
    return failed.failure if failed.failure.startswith(name) else f"{name}{failed.failure}"


async def _end_of_log(objects: Objects, namespace: str, trouble: Trouble) -> str:
    """Best effort: a container that never ran has no log, and that is no failure of its own."""
    if not trouble.has_log:
        return ""
    found = await objects.log_if_any(namespace, trouble.pod, trouble.container, lines=_LOG_LINES)
    return found.strip()


def _key(where: Coordinates) -> str:
    return f"{where.namespace}/{where.full_name}"


def _least_versions(own: JsonObject) -> dict[str, int]:
    written = foreign.mappings_at(own, _WRITTEN)
    found = {_key(manifests.coordinates(one)): manifests.version(one) for one in written}
    changed = foreign.mapping(own.get(_VERSIONS))
    return found | {key: foreign.natural(foreign.text(one)) or 0 for key, one in changed.items()}


def changed(where: Coordinates, written: JsonObject) -> Done:
    """The end of a task that has changed one object, as the API server gave it back (empty: there was nothing to be changed)."""
    names: JsonObject = {NAMES: {where.namespace: [where.full_name]}}
    versions: JsonObject = {_VERSIONS: {_key(where): str(manifests.version(written))}}
    return Done(context=names | versions, outputs=names)


def names_by_namespace(deployed: list[JsonObject]) -> JsonObject:
    """`{namespace: ["kind name"]}` of live objects."""
    found: dict[str, list[Json]] = {}
    for one in deployed:
        found.setdefault(manifests.namespace(one), []).append(manifests.full_name(one))
    return {**found}


def _planned(stage_type: StageType, context: StageContext) -> Plan:
    """All tasks of a stage in order, with the time that the stage gives its objects (`stableManifestTimeoutMinutes`)."""
    minutes = foreign.said_at(context.stage.context, _TIMEOUT)
    planned = [one.planned() for one in stage_type.tasks]
    if not minutes:
        return Plan(tasks=tuple(planned))
    number = foreign.natural(minutes, most=_MOST_MINUTES)
    if not number:
        raise Refused(
            Problem(
                code="manifest.timeout",
                message=f"`stableManifestTimeoutMinutes` is {minutes!r}, which is no number of minutes, 1 to {_MOST_MINUTES}.",
                pointer="/stableManifestTimeoutMinutes",
            )
        )
    timeout = timedelta(minutes=number)
    return Plan(
        tasks=tuple(msgspec.structs.replace(one, timeout=timeout) if one.name == _NAME else one for one in planned)
    )


RESTART_CLEARS = (_VERSIONS, "stableManifests", "failedManifests", "messages")
_NAME = "waitForManifestToStabilize"
task = asking.task(_NAME, wait, stop=cut_off.stopped_waiting)


def waiting_for_it(stage_type: StageType) -> StageType:
    """The stage type with that time-out."""

    async def planned(spec: StageSpec, context: StageContext) -> Plan:
        del spec
        return _planned(stage_type, context)

    return msgspec.structs.replace(stage_type, plan=planned)
