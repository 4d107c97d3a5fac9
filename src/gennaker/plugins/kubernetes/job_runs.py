"""A Job that is to be run, and what became of one in the words of Clouddriver's job status. Pure."""

import hashlib
from collections.abc import Collection, Iterable
from datetime import datetime

import msgspec

from gennaker.interfaces.clouds import Health, Job, NewJob, Place
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, milliseconds
from gennaker.plugins.kubernetes import manifests, secret_variables, status
from gennaker.plugins.kubernetes.diagnosing import Trouble
from gennaker.plugins.kubernetes.submitting import EFFECT

RUNNING, SUCCEEDED, FAILED = "Running", "Succeeded", "Failed"
ENDED = ("jobStatus", "completionDetails", "propertyFileContents")
"""Keys of a stage that tell of its job's end."""
_KEPT_SECONDS = 24 * 3600


def made(new: NewJob, secret: Collection[str] = ()) -> JsonObject:
    """The Job of a job that is to be run. `secret`: variables whose values are in its Secret."""
    job_id = f"job-{hashlib.sha256(new.key.encode()).hexdigest()[:20]}"
    variables = secret_variables.variables(new.environment, secret, job_id)
    container: JsonObject = {"name": "main", "image": new.image, "env": variables}
    if new.command:
        container["command"] = [*new.command]
    spec: JsonObject = {
        "backoffLimit": 0,
        "activeDeadlineSeconds": max(1, int(new.timeout.total_seconds())),
        "ttlSecondsAfterFinished": _KEPT_SECONDS,
        "template": {"spec": {"containers": [container], "restartPolicy": "Never"}},
    }
    metadata: JsonObject = {
        "name": job_id,
        "namespace": new.place.region,
        "annotations": {EFFECT: new.key},
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def under_way(job_id: str, place: Place, pods: Iterable[JsonObject], troubles: Iterable[Trouble]) -> Job:
    """One that has neither ended nor failed for good, as the port tells of it."""
    if any(foreign.text_at(manifests.status(one), "phase") == "Running" for one in pods):
        return Job(id=job_id, place=place, state=Health.UP)
    starting = Job(id=job_id, place=place, state=Health.STARTING)
    unplaced = next((one for one in troubles if one.is_unplaced), None)
    if unplaced is None:
        return starting
    return msgspec.structs.replace(starting, reason=str(unplaced), is_unplaced=True, fails_at=unplaced.passes_until)


def state(job: JsonObject) -> str:
    """`Running`, `Succeeded` or `Failed`."""
    if not isinstance(job.get("status"), dict):
        return RUNNING
    wanted = manifests.whole(manifests.spec(job).get("completions"))
    if manifests.count(manifests.status(job).get("succeeded")) >= (1 if wanted is None else wanted):
        return SUCCEEDED
    return FAILED if status.job_failure(job) is not None else RUNNING


def described(job: JsonObject, pods: Iterable[JsonObject], account: str) -> JsonObject:
    """The job's status as stages put it out."""
    listed = sorted(pods, key=manifests.created)
    ended = _ended(listed)
    failure = status.job_failure(job) or {}
    message = foreign.text_at(ended, "message") or foreign.text_at(failure, "message")
    reason = foreign.text_at(ended, "reason") or foreign.text_at(failure, "reason")
    shown: list[Json] = [{"name": manifests.name(one), "status": one.get("status")} for one in listed]
    return {
        "name": manifests.name(job),
        "location": manifests.namespace(job),
        "account": account,
        "provider": "kubernetes",
        "createdTime": _milliseconds(manifests.created(job)),
        "completedTime": _milliseconds(foreign.text_at(manifests.status(job), "completionTime")),
        "jobState": state(job),
        "completionDetails": {
            "exitCode": foreign.said_at(ended, "exitCode"),
            "signal": foreign.said_at(ended, "signal"),
            "message": message,
            "reason": reason,
        },
        "message": message,
        "reason": reason,
        "failureDetails": why_failed(job, listed) if state(job) == FAILED else None,
        "pods": shown,
        "mostRecentPodName": manifests.name(listed[-1]) if listed else "",
    }


def _milliseconds(instant: str) -> int | None:
    """Of what the API server writes, as all of Clouddriver's times are; None: it has written nothing yet."""
    return milliseconds(datetime.fromisoformat(instant)) if instant else None


def why_failed(job: JsonObject, pods: Iterable[JsonObject]) -> str:
    """From the first pod with a container that ended badly, else from one that never started, else the Job's own word."""
    listed = sorted(pods, key=manifests.created)
    for pod in listed:
        for name, one in _container_states(pod, "terminated"):
            if one.get("exitCode"):
                reason = foreign.text_at(one, "reason")
                said = f" ({reason})" if reason else ""
                return f"pod {manifests.name(pod)}, container {name} ended with exit code {one['exitCode']}{said}"
    for pod in listed:
        for name, one in _container_states(pod, "waiting"):
            reason, message = foreign.text_at(one, "reason"), foreign.text_at(one, "message")
            return f"pod {manifests.name(pod)}, container {name} never started: {reason} {message}".strip()
    return foreign.text_at(status.job_failure(job) or {}, "message") or "it failed"


def _ended(pods: list[JsonObject]) -> JsonObject:
    for pod in reversed(pods):
        for _, one in _container_states(pod, "terminated"):
            return one
    return {}


def _container_states(pod: JsonObject, state_name: str) -> Iterable[tuple[str, JsonObject]]:
    for key in ("initContainerStatuses", "containerStatuses"):
        for one in foreign.mappings_at(manifests.status(pod), key):
            found = foreign.mapping(one.get("state")).get(state_name)
            if isinstance(found, dict):
                yield foreign.text_at(one, "name"), found
