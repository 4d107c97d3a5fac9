"""Why pods can't start: the object, the reason, and whether waiting could still help. Pure.

Only pods that the present version of a workload has made are looked at: those of an older, broken one may crash for as
long as the new one isn't there.
"""

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.plugins.kubernetes import annotations, kinds, manifests

_HOPELESS = {
    "ImagePullBackOff": "its image can't be pulled",
    "InvalidImageName": "the name of its image is malformed",
    "ErrImageNeverPull": "its image isn't on the node and may not be pulled",
    "CreateContainerConfigError": "its configuration can't be used",
    "RunContainerError": "it can't be started",
}
_CRASHING = "CrashLoopBackOff"
_UNREADY = "ContainersNotReady"
CRASHES_UNTIL_HOPELESS = 3
_REFUSED_FOR = timedelta(minutes=1)
"""So long pods may be refused by a quota or an admission rule."""
_CLOCKS_DIFFER = timedelta(seconds=30)
"""So much a cluster's clock may be behind: what was refused a little before a stage began may have been refused in it."""
_ABSENT_FOR = timedelta(minutes=1)
"""So long what a pod mounts may be missing: Secrets come a little later than pods."""
_NOT_PREPARED_FOR = timedelta(minutes=10)
"""So long anything else may be in the way: a volume is given up by a node that has gone after six minutes."""
_ABSENT = re.compile(
    r'\b(?:secret|configmap|persistentvolumeclaim) "[^"]*" not found|references non-existent', re.IGNORECASE
)
_PREPARING = frozenset({"ContainerCreating", "PodInitializing"})
_OF_PREPARING = frozenset({"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"})
"""Reasons of events: nothing but events says why a pod isn't made ready for its containers."""
_NOT_CREATED = "FailedCreate"
_BY_EVENTS = frozenset({"statefulSet", "daemonSet", "job"})
_OF_CONTAINERS = frozenset({"Pulling", "Pulled", "Created", "Started"})
"""Reasons of events that come when a pod is ready for its containers: what was in the way before no longer is."""
_UNSCHEDULED_FOR = timedelta(minutes=5)
"""So long a pod may find no node, unless the stage says how long: an autoscaler needs minutes for one."""
_REVISION_HASH = "controller-revision-hash"
_TEMPLATE_GENERATION, _POD_GENERATION = "deprecated.daemonset.template.generation", "pod-template-generation"
_OBSERVED = frozenset({"deployment", "replicaSet", "statefulSet", "daemonSet"})
"""Kinds whose controllers say which generation they have seen: before, everything is said of the version before."""


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps a workload from becoming stable."""

    name: str
    """Of the object that has it: `pod web-v003-x7f2q`."""
    reason: str
    """The cluster's word: `ImagePullBackOff`."""
    message: str
    is_final: bool
    """Waiting won't help."""
    pod: str = ""
    container: str = ""
    """Whose log may say more."""
    has_log: bool = False
    """The end of its log may say why: it has run."""
    passes_until: datetime | None = None
    """What may pass by itself (a quota that is freed, a node that comes) is final when it hasn't by then."""
    is_unplaced: bool = False
    """No node has room for it: whoever knows how long one takes to come may wait longer."""

    def is_hopeless(self, at: datetime) -> bool:
        """Whether to give up now."""
        return self.is_final or (self.passes_until is not None and at >= self.passes_until)

    def __str__(self) -> str:
        """In one sentence."""
        container = f", container {self.container}" if self.container else ""
        return f"{self.name}{container}: {self.message} ({self.reason})."


def troubles(
    workload: JsonObject, pods: Iterable[JsonObject], replica_sets: Iterable[JsonObject] = ()
) -> list[Trouble]:
    """What is wrong with a workload and its pods, what is final first. Nothing before its controller has seen how it is now."""
    if not _is_observed(workload):
        return []
    sets = _present_sets(workload, replica_sets)
    # Where its present ReplicaSet has none, a Deployment has the condition of a replaced one.
    holders = sets if kinds.of(workload).name == "deployment" else [workload]
    found = [one for holder in holders for one in _of_conditions(holder, manifests.full_name(workload))]
    for pod in own_pods(workload, pods, sets):
        found += _of_pod(pod)
    return sorted(found, key=lambda one: not one.is_final)


def with_patience(found: Iterable[Trouble]) -> list[Trouble]:
    """As they are where the stage says how long it waits: a node may come at any time."""
    return [msgspec.structs.replace(one, passes_until=None) if one.is_unplaced else one for one in found]


def own_pods(
    workload: JsonObject, pods: Iterable[JsonObject], replica_sets: Iterable[JsonObject] = ()
) -> list[JsonObject]:
    """The pods that the present version of a workload has made."""
    kind = kinds.of(workload).name
    uid = manifests.metadata(workload).get("uid")
    if kind == "pod":
        return [workload]
    if kind == "deployment":
        owners = {manifests.metadata(one).get("uid") for one in _present_sets(workload, replica_sets)}
        return [one for one in pods if any(owned_by(one, owner) for owner in owners)]
    found = [one for one in pods if owned_by(one, uid)]
    if kind == "statefulSet":
        revision = foreign.text_at(manifests.status(workload), "updateRevision")
        return [one for one in found if manifests.labels(one).get(_REVISION_HASH) == revision]
    if kind == "daemonSet" and (generation := manifests.annotations(workload).get(_TEMPLATE_GENERATION)):
        return _of_template(found, generation)
    return found


def _of_template(pods: list[JsonObject], generation: object) -> list[JsonObject]:
    """Those of a DaemonSet's template: also pods that were made of it before another was tried and taken back."""
    made = [one for one in pods if manifests.labels(one).get(_POD_GENERATION) == generation]
    hashes = {manifests.labels(one).get(_REVISION_HASH) for one in made} - {None}
    return [one for one in pods if one in made or manifests.labels(one).get(_REVISION_HASH) in hashes]


def _present_sets(workload: JsonObject, replica_sets: Iterable[JsonObject]) -> list[JsonObject]:
    """The ReplicaSets of a Deployment's present revision."""
    if kinds.of(workload).name != "deployment":
        return []
    uid, revision = manifests.metadata(workload).get("uid"), manifests.annotations(workload).get(annotations.REVISION)
    return [
        one
        for one in replica_sets
        if owned_by(one, uid) and manifests.annotations(one).get(annotations.REVISION) == revision
    ]


def _is_observed(workload: JsonObject) -> bool:
    if kinds.of(workload).name not in _OBSERVED:
        return True
    seen = manifests.status(workload).get("observedGeneration")
    return seen == manifests.metadata(workload).get("generation")


def is_preparing(pod: JsonObject) -> bool:
    """Whether a node has a pod and its containers aren't made yet: if it stays so, only events say why."""
    statuses = foreign.mappings_at(manifests.status(pod), "containerStatuses")
    waiting = [foreign.mapping(foreign.mapping(one.get("state")).get("waiting")) for one in statuses]
    return any(foreign.text_at(one, "reason") in _PREPARING for one in waiting)


def of_events(pods: Iterable[JsonObject], events: Iterable[JsonObject]) -> list[Trouble]:
    """What events say of pods that are being prepared, the newest of each pod."""
    uids = {manifests.metadata(one).get("uid"): one for one in pods if is_preparing(one)}
    told = [(foreign.mapping(one.get("involvedObject")).get("uid"), one) for one in events] if uids else []
    ready = {uid for uid, one in told if foreign.text_at(one, "reason") in _OF_CONTAINERS}
    found: dict[str, tuple[str, Trouble]] = {}
    for uid, one in told:
        pod = uids.get(uid)
        if pod is None or uid in ready or foreign.text_at(one, "reason") not in _OF_PREPARING:
            continue
        name, at = manifests.name(pod), foreign.text_at(one, "lastTimestamp")
        if name not in found or found[name][0] < at:
            found[name] = at, _of_event(pod, one)
    return [trouble for _, trouble in found.values()]


def says_by_events(workload: JsonObject) -> bool:
    """Whether its controller tells by events alone that the cluster refuses its pods."""
    return kinds.of(workload).name in _BY_EVENTS


def lacks_pods(workload: JsonObject, own: Collection[JsonObject]) -> bool:
    """Whether it has too few pods, and its controller says by events alone that they are refused."""
    status, there = manifests.status(workload), sum("deletionTimestamp" not in manifests.metadata(one) for one in own)
    match kinds.of(workload).name:
        case "statefulSet":
            wanted = manifests.replicas(workload)
            return there < (1 if wanted is None else wanted)
        case "daemonSet":
            return there < manifests.count(status.get("desiredNumberScheduled"))
        case "job":
            return not manifests.count(status.get("active"))
        case _:
            return False


def of_refusals(
    workload: JsonObject, own: Collection[JsonObject], events: Iterable[JsonObject], *, began: datetime | None = None
) -> list[Trouble]:
    """That pods of it are refused (quota, admission), where that came after what was applied last, and after its newest pod.

    `began`: when whoever waits began. Events live for an hour, and what was refused before may be allowed by now.
    """
    if not _is_observed(workload) or not lacks_pods(workload, own):
        return []
    uid, since = manifests.metadata(workload).get("uid"), max(map(manifests.created, own), default="")
    since = max(since, _applied_at(workload))
    least = since if began is None else max(since, _instant(began - _CLOCKS_DIFFER))
    refusals = [
        one
        for one in events
        if foreign.text_at(one, "reason") == _NOT_CREATED
        and foreign.mapping(one.get("involvedObject")).get("uid") == uid
        and foreign.text_at(one, "lastTimestamp") >= least
    ]
    if not refusals:
        return []
    first = max(since, min(foreign.text_at(one, "firstTimestamp") for one in refusals))
    first = first if began is None else max(first, _instant(began))
    newest = max(refusals, key=lambda one: foreign.text_at(one, "lastTimestamp"))
    return [
        Trouble(
            name=manifests.full_name(workload),
            reason=_NOT_CREATED,
            message=foreign.text_at(newest, "message"),
            is_final=False,
            passes_until=_after(first, _REFUSED_FOR),
        )
    ]


def _instant(at: datetime) -> str:
    """As the API server writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _applied_at(workload: JsonObject) -> str:
    """When it was last applied, by the API server's clock."""
    entries = foreign.mappings_at(manifests.metadata(workload), "managedFields")
    applied = (foreign.text_at(one, "time") for one in entries if one.get("operation") == "Apply")
    return max((manifests.created(workload), *applied))


def _of_event(pod: JsonObject, event: JsonObject) -> Trouble:
    reason, message = foreign.text_at(event, "reason"), foreign.text_at(event, "message")
    is_absent = reason == "FailedMount" and _ABSENT.search(message) is not None
    return Trouble(
        name=f"pod {manifests.name(pod)}",
        reason=reason,
        message=message,
        is_final=False,
        passes_until=_after(foreign.text_at(event, "firstTimestamp"), _ABSENT_FOR if is_absent else _NOT_PREPARED_FOR),
    )


def owned_by(one: JsonObject, uid: object) -> bool:
    """Whether an object belongs to the one with this uid."""
    owners = foreign.mappings_at(manifests.metadata(one), "ownerReferences")
    return uid is not None and any(owner.get("uid") == uid for owner in owners)


def _of_conditions(holder: JsonObject, name: str) -> Iterable[Trouble]:
    """Pods that the cluster refuses to make: quota, admission, security."""
    for one in manifests.conditions(holder):
        if one.get("type") == "ReplicaFailure" and one.get("status") == "True":
            yield Trouble(
                name=name,
                reason=foreign.text_at(one, "reason"),
                message=foreign.text_at(one, "message"),
                is_final=False,  # a quota may be raised, or freed by the old version's pods
                passes_until=_later(one, _REFUSED_FOR),
            )


def _later(condition: JsonObject, patience: timedelta) -> datetime | None:
    """So long after a condition began; None: it doesn't say when."""
    return _after(foreign.text_at(condition, "lastTransitionTime"), patience)


def _after(instant: str, patience: timedelta) -> datetime | None:
    try:
        return datetime.fromisoformat(instant) + patience
    except ValueError:
        return None


def _of_pod(pod: JsonObject) -> Iterable[Trouble]:
    name = f"pod {manifests.name(pod)}"
    for one in manifests.conditions(pod):
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            reason = foreign.text_at(one, "reason")
            yield Trouble(
                name=name,
                reason=reason,
                message=foreign.text_at(one, "message"),
                is_final=False,
                passes_until=_later(one, _UNSCHEDULED_FOR),
                is_unplaced=True,
            )
    status = manifests.status(pod)
    for key in ("initContainerStatuses", "containerStatuses"):
        for one in foreign.mappings_at(status, key):
            found = _of_container(name, manifests.name(pod), one)
            if found is not None:
                yield found


def _of_container(name: str, pod: str, own: JsonObject) -> Trouble | None:
    state = foreign.mapping(own.get("state"))
    waiting = foreign.mapping(state.get("waiting"))
    reason, restarts = foreign.text_at(waiting, "reason"), manifests.count(own.get("restartCount"))
    container = foreign.text_at(own, "name")
    if reason in _HOPELESS:
        detail = foreign.text_at(waiting, "message")
        said = f"{_HOPELESS[reason]}: {detail}" if detail else _HOPELESS[reason]
        return Trouble(name=name, container=container, pod=pod, reason=reason, message=said, is_final=True)
    # Between two runs it is told as waiting or as terminated, for as long as a minute.
    last = foreign.mapping(foreign.mapping(own.get("lastState")).get("terminated"))
    ended = foreign.mapping(state.get("terminated")) or last
    code = ended.get("exitCode")
    if reason == _CRASHING or (restarts and state.get("terminated") and code):
        why = foreign.text_at(ended, "reason")
        return Trouble(
            name=name,
            container=container,
            pod=pod,
            reason=_CRASHING,
            message=f"it ended {restarts} times, last with exit code {code}" + (f" ({why})" if why else ""),
            is_final=restarts >= CRASHES_UNTIL_HOPELESS,
            has_log=True,
        )
    if reason and reason not in _PREPARING:
        said = foreign.text_at(waiting, "message") or "it waits"
        return Trouble(name=name, container=container, pod=pod, reason=reason, message=said, is_final=False)
    if "running" in state and own.get("started") is not False and own.get("ready") is False:
        before = f" after it ended {restarts} times, last with exit code {code}" if restarts and last else ""
        said = f"it runs{before}, and its readiness probe has no success"
        return Trouble(
            name=name, container=container, pod=pod, reason=_UNREADY, message=said, is_final=False, has_log=True
        )
    return None
