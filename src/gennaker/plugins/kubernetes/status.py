"""Status: whether an object has become what its manifest says, by Clouddriver's rules for each kind. Pure.

Four conditions, each with a message for people. Who waits looks at `failed` first, then at `stable`; `available` and
`paused` are for showing. A kind that nobody has rules for is stable as it is.
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import kinds, manifests
from gennaker.plugins.kubernetes.manifests import count

_OLD_GENERATION = "Waiting for status generation to match updated object generation"
_UPDATED = "Waiting for all replicas to be updated"
_OLD_REPLICAS = "Waiting for old replicas to finish termination"
_LABELLED = "Waiting for all replicas to be fully-labeled"
_AVAILABLE = "Waiting for all replicas to be available"
_READY = "Waiting for all replicas to be ready"
_SCHEDULED = "Waiting for all replicas to be scheduled"
_UPDATED_SCHEDULED = "Waiting for all updated replicas to be scheduled"
_PHASES = {"Pending": "Pod is pending", "Failed": "Pod has failed", "Running": "", "Succeeded": ""}
_UNKNOWN_PHASE = "Pod phase is unknown"
_PARTITIONED = "Partitioned roll out complete"
_APPS = "apps/v1"


class Condition(msgspec.Struct, frozen=True):
    """One of the four."""

    state: bool
    message: str | None = None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What Clouddriver says of an object."""

    stable: Condition = Condition(state=True)
    available: Condition = Condition(state=True)
    paused: Condition = Condition(state=False)
    failed: Condition = Condition(state=False)


NONE_REPORTED = Status(
    stable=Condition(state=False, message="No status reported yet"),
    available=Condition(state=False, message="No availability reported"),
)


def of(manifest: JsonObject) -> Status:
    """The status of a live object. Raises Refused for an API version of a workload that isn't understood."""
    kind = kinds.of(manifest)
    rule = _RULES.get(kind.name)
    if rule is None or kind.group:
        return Status()
    if kind.name in _OF_APPS and manifest.get("apiVersion") != _APPS:
        raise Refused(_unsupported(manifest))
    return rule(manifest)


def _unstable(message: str, *, is_available: bool = True) -> Status:
    return Status(
        stable=Condition(state=False, message=message),
        available=Condition(state=True) if is_available else Condition(state=False, message=message),
    )


def _has_status(manifest: JsonObject) -> bool:
    return isinstance(manifest.get("status"), dict)


def _is_observed(manifest: JsonObject) -> bool:
    observed = manifests.whole(manifests.status(manifest).get("observedGeneration"))
    return observed is not None and observed == manifests.whole(manifests.metadata(manifest).get("generation"))


def _deployment(manifest: JsonObject) -> Status:
    if not _has_status(manifest):
        return NONE_REPORTED
    if not _is_observed(manifest):
        return _unstable(_OLD_GENERATION)
    found = Status()
    for one in manifests.conditions(manifest):
        found = _with_condition(found, one)
    waits = _deployment_waits(manifest)
    return replace(found, stable=Condition(state=False, message=waits)) if waits else found


def _with_condition(found: Status, condition: JsonObject) -> Status:
    said, is_of = foreign.text_at(condition, "message"), foreign.text_at(condition, "type").lower()
    reason = foreign.text_at(condition, "reason").lower()
    if reason == "deploymentpaused" and not found.paused.state:
        return replace(found, paused=Condition(state=True, message=said))
    if is_of == "available" and foreign.text_at(condition, "status").lower() == "false" and found.available.state:
        return replace(
            found, stable=Condition(state=False, message=said), available=Condition(state=False, message=said)
        )
    if is_of == "progressing" and reason == "progressdeadlineexceeded":
        return replace(found, failed=Condition(state=True, message="Deployment exceeded its progress deadline"))
    return found


def _deployment_waits(manifest: JsonObject) -> str:
    own, desired = manifests.status(manifest), count(manifests.spec(manifest).get("replicas"))
    updated = count(own.get("updatedReplicas"))
    if updated < desired:
        return _UPDATED
    if count(own.get("replicas")) > updated:
        return _OLD_REPLICAS
    if count(own.get("availableReplicas")) < desired:
        return _AVAILABLE
    return _READY if count(own.get("readyReplicas")) < desired else ""


def _stateful_set(manifest: JsonObject) -> Status:
    update = foreign.mapping(manifests.spec(manifest).get("updateStrategy"))
    kind = foreign.text_at(update, "type").lower()
    if kind == "ondelete":
        return Status()
    if not _has_status(manifest):
        return NONE_REPORTED
    if not _is_observed(manifest):
        return _unstable(_OLD_GENERATION)
    own, desired = manifests.status(manifest), count(manifests.spec(manifest).get("replicas"))
    if desired > count(own.get("replicas")):
        return _unstable("Waiting for at least the desired replica count to be met")
    if desired > count(own.get("readyReplicas")):
        return _unstable("Waiting for all updated replicas to be ready")
    rolling, updated = update.get("rollingUpdate"), manifests.whole(own.get("updatedReplicas"))
    if kind == "rollingupdate" and updated is not None and isinstance(rolling, dict):
        return _partitioned(own, updated, manifests.whole(rolling.get("partition")))
    if desired > count(own.get("currentReplicas")):
        return _unstable(_UPDATED_SCHEDULED)
    if own.get("currentRevision") != own.get("updateRevision"):
        return _unstable("Waiting for the updated revision to match the current revision")
    return Status()


def _partitioned(own: JsonObject, updated: int, partition: int | None) -> Status:
    replicas = manifests.whole(own.get("replicas"))
    if replicas is not None and partition is not None and updated < replicas - partition:
        return _unstable("Waiting for partitioned roll out to finish")
    return Status(stable=Condition(state=True, message=_PARTITIONED))


def _daemon_set(manifest: JsonObject) -> Status:
    if not _has_status(manifest):
        return NONE_REPORTED
    if not _is_observed(manifest):
        return _unstable(_OLD_GENERATION)
    update = foreign.mapping(manifests.spec(manifest).get("updateStrategy"))
    if foreign.text_at(update, "type").lower() != "rollingupdate":
        return Status()
    own = manifests.status(manifest)
    desired = count(own.get("desiredNumberScheduled"))
    for key, message in (
        ("currentNumberScheduled", _SCHEDULED),
        ("updatedNumberScheduled", _UPDATED_SCHEDULED),
        ("numberAvailable", _AVAILABLE),
        ("numberReady", _READY),
    ):
        if desired > count(own.get(key)):
            return _unstable(message)
    return Status()


def _replica_set(manifest: JsonObject) -> Status:
    if not _has_status(manifest):
        return NONE_REPORTED
    own, desired = manifests.status(manifest), count(manifests.spec(manifest).get("replicas"))
    for key, message in (
        ("fullyLabeledReplicas", _LABELLED),
        ("readyReplicas", _READY),
        ("availableReplicas", _AVAILABLE),
    ):
        if desired > count(own.get(key)):
            return _unstable(message, is_available=False)
    return Status() if _is_observed(manifest) else _unstable("Waiting for replicaset spec update to be observed")


def _job(manifest: JsonObject) -> Status:
    if not _has_status(manifest):
        return NONE_REPORTED
    wanted = manifests.whole(manifests.spec(manifest).get("completions"))
    if count(manifests.status(manifest).get("succeeded")) >= (1 if wanted is None else wanted):
        return Status()
    failed = job_failure(manifest)
    if failed is None:
        return _unstable("Waiting for jobs to finish")
    return Status(failed=Condition(state=True, message=foreign.text_at(failed, "message")))


def job_failure(manifest: JsonObject) -> JsonObject | None:
    """The condition by which a Job has failed; None: it hasn't."""
    for one in manifests.conditions(manifest):
        is_true = foreign.text_at(one, "status").lower() == "true"
        if is_true and foreign.text_at(one, "type").lower() == "failed":
            return one
    return None


def _cron_job(manifest: JsonObject) -> Status:
    return Status() if _has_status(manifest) else NONE_REPORTED


def _pod(manifest: JsonObject) -> Status:
    if not _has_status(manifest):
        return NONE_REPORTED
    message = _PHASES.get(foreign.text_at(manifests.status(manifest), "phase"), _UNKNOWN_PHASE)
    return _unstable(message, is_available=False) if message else Status()


def _autoscaler(manifest: JsonObject) -> Status:
    if not _has_status(manifest):
        return NONE_REPORTED
    own = manifests.status(manifest)
    desired, current = count(own.get("desiredReplicas")), count(own.get("currentReplicas"))
    if desired == current:
        return Status()
    way = "up" if desired > current else "down"
    return _unstable(f"Waiting for HPA to complete a scale {way}, current: {current} desired: {desired}")


_OF_APPS = frozenset({"deployment", "statefulSet", "daemonSet", "replicaSet"})
_RULES: dict[str, Callable[[JsonObject], Status]] = {
    "deployment": _deployment,
    "statefulSet": _stateful_set,
    "daemonSet": _daemon_set,
    "replicaSet": _replica_set,
    "job": _job,
    "cronJob": _cron_job,
    "pod": _pod,
    "horizontalpodautoscaler": _autoscaler,
}


def _unsupported(manifest: JsonObject) -> Problem:
    return Problem(
        code="manifest.api_version",
        message=f"The status of {manifests.full_name(manifest)} can't be told: its API version is "
        f"{manifest.get('apiVersion')!r}.",
        remedy=f"Write it with `apiVersion: {_APPS}`.",
        pointer="/apiVersion",
    )
