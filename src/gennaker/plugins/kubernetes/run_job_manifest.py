"""Run Job (Manifest): runs a Kubernetes Job to its end, keeps its log, and hands on what the log tells.

`propertyFile` names the container whose log is read, as in Spinnaker. A Job that its stage no longer waits for, as that was
cancelled, had no more time or has given it up, is deleted: it could run after all, unseen.
"""

import hashlib
from datetime import timedelta

import msgspec
from msgspec.structs import replace

from gennaker.interfaces import produced
from gennaker.interfaces.evidence import EvidenceItem
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext
from gennaker.model import foreign, time_limits, waiting
from gennaker.model.codec import JsonObject, to_json
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.moniker import Moniker
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import (
    accounts,
    asking,
    deploy_manifest,
    deploying,
    diagnosing,
    job_properties,
    job_runs,
    kinds,
    manifests,
    rehearsing,
    sources,
    stability,
    submitting,
)
from gennaker.plugins.kubernetes.annotations import Way
from gennaker.plugins.kubernetes.deploying import Ready
from gennaker.plugins.kubernetes.kinds import Kind
from gennaker.plugins.kubernetes.manifests import Coordinates
from gennaker.plugins.kubernetes.objects import Objects, is_conflict
from gennaker.plugins.kubernetes.pod_events import PodEvents

_LOOKS_AGAIN = timedelta(milliseconds=500)
_LOG_LINES = 10_000
_SHOWN_LINES = 20
_LASTS = "activeDeadlineSeconds"
_LOGS = "job.spinnaker.io/logs"
"""Annotation: where a person finds the Job's logs; what stands in {{ }} is filled in by whoever shows the link."""
_GIVEN_UP = "givenUp"
_REFUSED = "eventsRefused"
_PROPERTY_TRIES = 6
"""A log may come a little after the Job's end."""


class Spec(deploy_manifest.Spec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    property_file: str | None = ""
    wait_for_completion: bool | str = True
    namespace: str | None = ""
    """Where the Job is run, whatever its manifest says."""
    consume_artifact_source: str | None = ""


async def plan(spec: StageSpec, _: StageContext) -> Plan:
    """Waits for the Job's end unless the stage doesn't."""
    assert isinstance(spec, Spec)
    waits = str(spec.wait_for_completion).lower() != "false"
    return Plan(tasks=(_RESOLVE.planned(), _RUN.planned(), *((_WAIT.planned(), _BIND.planned()) if waits else ())))


async def resolve(context: TaskContext) -> TaskResult:
    """Exactly one Job: `manifest` before a list of them, as in Orca."""
    own = context.stage.context
    is_given = own.get("manifest") and foreign.text_at(own, "source") != "artifact"
    found = deploying.expanded([own["manifest"]] if is_given else await sources.documents(context))
    if len(found) != 1 or kinds.of(found[0]).name != "job":
        raise Refused(
            Problem(
                code="job.manifest",
                message=f"The stage must have exactly one manifest, of the kind Job; it has {len(found)}"
                + (f": {manifests.full_name(found[0])}." if len(found) == 1 else "."),
                pointer="/manifest",
            )
        )
    objects = asking.objects(context)
    namespace = foreign.text_at(own, "namespaceOverride") or foreign.text_at(own, "namespace")
    placed = deploying.in_namespace(found[0], namespace, is_namespaced=lambda _: True)
    problems = accounts.problems_of(objects.account, {0: placed})
    if problems:
        raise Refused(*problems[0])
    return Done(context={"resolvedManifests": [placed]})


async def run(context: TaskContext) -> TaskResult:
    """Makes the Job anew, in place of one of its name; a repeat of this run finds the one that it made."""
    objects = asking.objects(context)
    request = replace(
        deploy_manifest.request_of(context, objects),
        moniker=Moniker(app=deploy_manifest.request_of(context, objects).moniker.app),
        is_versioned=False,
    )
    wanted = foreign.mappings_at(context.stage.context, "resolvedManifests")
    ready = deploying.prepare(wanted, request, deploying.Facts()).ready[0]
    where = manifests.coordinates(ready.manifest)
    there = None if manifests.has_generated_name(ready.manifest) else await objects.get(where)
    made = there if there is not None and _is_of(there, context.attempt_key) else None
    if made is None:
        marked = _marked(ready.manifest, context.attempt_key)
        if there is not None:
            await _try_in_its_place(objects, replace(ready, manifest=marked, way=Way.RECREATE))
        made = await submitting.submit(objects, marked, Way.RECREATE, effect=context.attempt_key)
    jobs: JsonObject = {manifests.namespace(made): [manifests.full_name(made)]}
    outputs: JsonObject = {
        "deploy.jobs": jobs,
        "outputs.manifests": [made],
        stability.NAMES: jobs,
        "outputs.createdArtifacts": [to_json(ready.artifact)],
    }
    link = manifests.annotations(ready.manifest).get(_LOGS)
    linked: JsonObject = {"execution": {"logs": link}} if link else {}
    return Done(context=outputs | linked, outputs=_shown(context, outputs))


def _is_of(job: JsonObject, attempt: str) -> bool:
    return manifests.annotations(job).get(submitting.EFFECT) == attempt


async def _try_in_its_place(objects: Objects, ready: Ready) -> None:
    """Raises Refused, ApiFailure: the Job before isn't deleted for one that the API server refuses."""
    problems = (await rehearsing.rehearse(objects, [ready])).problems
    if problems:
        raise Refused(*problems)


def _marked(manifest: JsonObject, key: str) -> JsonObject:
    own: JsonObject = {**manifests.annotations(manifest), submitting.EFFECT: key}
    return {**manifest, "metadata": {**manifests.metadata(manifest), "annotations": own}}


async def wait(context: TaskContext) -> TaskResult:
    """Ends as the Job ends."""
    objects = asking.objects(context)
    where = _job_of(context.stage.context)
    if _GIVEN_UP in context.task.memory:
        return await _leave(context, objects, where)
    job, uid = await objects.seen(where), _uid(context)
    if job is None or not _is_own(job, uid):
        # The watch may not have seen it yet, or still have the one before: ask before saying that it is gone.
        job = await objects.get(where)
    if job is None or not _is_own(job, uid):
        became = "isn't there any more: somebody deleted it" if job is None else "was replaced by another of its name"
        return Failed(problem=Problem(code="job.lost", message=f"{where.full_name} {became}."))
    pods = diagnosing.own_pods(job, (await objects.all_seen(Kind("pod"), where.namespace)).values())
    state = job_runs.state(job)
    found = diagnosing.troubles(job, pods)
    events = PodEvents(lambda: context.at, context.task.memory.get(_REFUSED))
    if not found and state == job_runs.RUNNING and diagnosing.lacks_pods(job, pods):
        told = await events.of(objects, {where.namespace})
        found = diagnosing.of_refusals(job, pods, [one for each in told.values() for one in each])
    if _says_how_long(context, job):
        found = diagnosing.with_patience(found)
    stuck = next((one for one in found if one.is_hopeless(context.at) and not one.has_log), None)
    if state == job_runs.RUNNING and stuck is None:
        said = f": {str(found[0]).rstrip('.')}" if found else ""
        return Again(
            after=_LOOKS_AGAIN,
            memory={_REFUSED: remembered} if (remembered := events.remembered) else {},
            waiting_for=waiting.ForObject(
                reason=f"{where.full_name} to end{said}",
                kind="job",
                name=where.full_name,
                observed=f"{len(pods)} pods",
                place=f"{objects.account.name}/{where.namespace}",
                gives_up_at=found[0].passes_until if found and not found[0].has_log else None,
            ),
        )
    logs = await _logs(objects, pods)
    await _keep(context, where, logs)
    described = job_runs.described(job, pods, objects.account.name)
    outputs: JsonObject = {"jobStatus": described, "completionDetails": described["completionDetails"]}
    if state == job_runs.SUCCEEDED:
        return await _succeeded(context, logs, outputs)
    outputs |= _properties_if_any(context, logs)
    if state == job_runs.RUNNING and stuck is not None:
        problem = _unplaced(where, str(stuck)) if stuck.is_unplaced else _failed(where, str(stuck), logs)
        # Kept first: whoever goes on after a crash finds no Job, and must not take that for somebody else's doing.
        return Again(
            after=timedelta(),
            context=outputs,
            memory={_GIVEN_UP: {"problem": to_json(problem), "outputs": outputs}},
            waiting_for=waiting.ForWork(reason=f"{where.full_name} to be deleted", what="run"),
        )
    failed = _failed(where, job_runs.why_failed(job, pods), logs)
    return Failed(problem=failed, outputs=_shown(context, outputs), context=outputs)


async def _leave(context: TaskContext, objects: Objects, where: Coordinates) -> TaskResult:
    """Fails with what was said when the Job was given up."""
    said = foreign.mapping(context.task.memory[_GIVEN_UP])
    problem = msgspec.convert(said["problem"], Problem)
    try:
        became = await _delete(context, objects, where)
    except Refused as refused:
        became = f"The Job is still there and may run after all: {refused.problems[0].message}"
    problem = replace(problem, message=f"{problem.message} {became}")
    return Failed(problem=problem, outputs=_shown(context, foreign.mapping(said["outputs"])))


async def _delete(context: TaskContext, objects: Objects, where: Coordinates) -> str:
    """Deletes the Job that the stage has made, not one by which another run has replaced it. Raises Refused, ApiFailure."""
    try:
        was_there = await objects.delete(where, uid=_uid(context))
    except Refused as refused:
        if not is_conflict(refused):
            raise
        return "The Job is gone: the one that has its name now is another's, and stays."
    return "The Job was deleted, so that it doesn't run after all." if was_there else "The Job is gone already."


def _uid(context: TaskContext) -> str:
    """Of the Job that the stage has made; empty: it doesn't know."""
    made = foreign.mappings_at(context.stage.context, "outputs.manifests")
    return foreign.text_at(manifests.metadata(made[0]), "uid") if made else ""


def _is_own(job: JsonObject, uid: str) -> bool:
    return not uid or manifests.metadata(job).get("uid") == uid


async def _succeeded(context: TaskContext, logs: dict[str, str], outputs: JsonObject) -> TaskResult:
    container = foreign.text_at(context.stage.context, "propertyFile")
    if not container:
        return Done(context=outputs, outputs=_shown(context, outputs))
    found = job_properties.read("\n".join(log for name, log in logs.items() if name.endswith(f"/{container}")))
    tries = manifests.count(context.task.memory.get("tries"))
    if not found and tries < _PROPERTY_TRIES:
        waits = waiting.ForOther(reason=f"properties in the log of container {container}")
        return Again(after=timedelta(seconds=1), memory={"tries": tries + 1}, waiting_for=waits)
    if not found:
        raise Refused(
            Problem(
                code="job.no_properties",
                message=f"The log of container {container} holds no properties.",
                remedy="Let it print SPINNAKER_PROPERTY_KEY=value or SPINNAKER_CONFIG_JSON={…}; propertyFile names the container.",
                pointer="/propertyFile",
            )
        )
    outputs = {**found, **outputs, "propertyFileContents": found}
    return Done(context=outputs, outputs=_shown(context, outputs))


def _shown(context: TaskContext, outputs: JsonObject) -> JsonObject:
    """What later stages see of it."""
    return {} if foreign.flag(context.stage.context.get("noOutput")) else outputs


def _properties_if_any(context: TaskContext, logs: dict[str, str]) -> JsonObject:
    """A failed Job's properties are taken if they can be read."""
    container = foreign.text_at(context.stage.context, "propertyFile")
    try:
        found = job_properties.read("\n".join(log for name, log in logs.items() if name.endswith(f"/{container}")))
    except Refused:
        return {}
    return {**found, "propertyFileContents": found} if container and found else {}


async def _logs(objects: Objects, pods: list[JsonObject]) -> dict[str, str]:
    """By `pod/container`, oldest pod first."""
    found: dict[str, str] = {}
    for pod in sorted(pods, key=manifests.created):
        for one in manifests.containers(manifests.spec(pod)):
            name = foreign.text_at(one, "name")
            log = await objects.log_if_any(manifests.namespace(pod), manifests.name(pod), name, lines=_LOG_LINES)
            if log:
                found[f"{manifests.name(pod)}/{name}"] = log
    return found


async def _keep(context: TaskContext, where: Coordinates, logs: dict[str, str]) -> None:
    """The logs outlive the Job's pods as evidence."""
    for name, log in logs.items():
        content = log.encode()
        item = EvidenceItem(
            execution_id=context.execution.head.id,
            stage_id=context.stage.id,
            name=f"{name.replace('/', '.')}.log",
            kind="log",
            media_type="text/plain",
            digest=f"sha256:{hashlib.sha256(content).hexdigest()}",
            size_bytes=len(content),
            at=context.at,
            summary={"job": where.full_name},
        )
        await context.services.evidence.put(item, content)


def _says_how_long(context: TaskContext, job: JsonObject) -> bool:
    """Its stage does, or it does itself."""
    limit = time_limits.around(context.execution.stages, context.stage)
    return limit is not None or manifests.spec(job).get(_LASTS) is not None


def _unplaced(where: Coordinates, why: str) -> Problem:
    return Problem(
        code="job.failed",
        message=f"{where.full_name} finds no room: {why}",
        remedy=f"Make room, or let the stage wait for it: `stageTimeoutMs` of the stage or `{_LASTS}` of the Job says how long, "
        "and neither is there.",
    )


def _failed(where: Coordinates, why: str, logs: dict[str, str]) -> Problem:
    shown = "\n".join("\n".join(logs.values()).strip().split("\n")[-_SHOWN_LINES:])
    return Problem(
        code="job.failed",
        message=f"{where.full_name} failed: {why.rstrip('.')}." + (f" Last lines of its log: {shown}" if shown else ""),
        remedy="Look at its log, which is kept with the stage."
        if shown
        else "Mend what it says and restart the stage.",
        details={"log": shown} if shown else {},
    )


async def stop(context: TaskContext) -> None:
    """A cancelled stage's Job goes, and its pods with it."""
    if isinstance(context.stage.context.get("deploy.jobs"), dict):
        await _delete(context, asking.objects(context), _job_of(context.stage.context))


def _job_of(own: JsonObject) -> Coordinates:
    return stability.named(own.get("deploy.jobs"))[0]


_RESOLVE = asking.task("resolveDeploySourceManifest", resolve)
_RUN = asking.task("runJob", run, stop=stop)
_WAIT = asking.task("waitOnJobCompletion", wait, timeout=timedelta(hours=2), stop=stop)
_BIND = produced.quiet_task
stage = StageType(
    name="runJobManifest",
    label="Run Job (Manifest)",
    about=__doc__,
    spec=Spec,
    tasks=(_RESOLVE, _RUN, _WAIT, _BIND),
    plan=plan,
    restart_clears=(
        "resolvedManifests",
        "deploy.jobs",
        "execution",
        "outputs.manifests",
        stability.NAMES,
        *job_runs.ENDED,
    ),
)
