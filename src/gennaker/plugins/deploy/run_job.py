"""Run Job: runs an image to its end, e.g. tests against what was deployed, and keeps its reports as evidence."""

import asyncio
import hashlib
import re
from datetime import timedelta

import msgspec

from gennaker.interfaces import artifacts, produced
from gennaker.interfaces.ci import UnreadableProperties
from gennaker.interfaces.clouds import Health, Job, NewJob, Place
from gennaker.interfaces.clusters import Places
from gennaker.interfaces.evidence import EvidenceItem, LogFile
from gennaker.interfaces.secrets import SecretUse
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model import foreign, secret_references, time_limits, waiting
from gennaker.model.artifact import ExpectedArtifactKeys, Plain
from gennaker.model.codec import Json, JsonObject, decode_json
from gennaker.model.event import Again, Done, Failed, PlannedStage, TaskResult
from gennaker.model.execution import Side, Stage
from gennaker.model.foreign import written
from gennaker.model.lengths import Duration
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.deploy import durations, images, media_types, regions, server_groups, targets
from gennaker.transport import build_files

_LOOKS_AGAIN = timedelta(milliseconds=500)
_BY_MANIFEST = "runJobManifest"
_SUITE = re.compile(rb"<testsuite\b[^<>]*>")
"""Without `<`, which no attribute may hold: from each of 100,000 unfinished tags it would look to the end of the file."""
_COUNT = re.compile(rb'\b(tests|failures|errors|skipped)="0*(\d{1,15})"')
_PROPERTIES = "spinnaker.properties"
"""Name under which the provider hands the property file over."""
_OF_JOB = ("deploy.jobs", "execution", "jobStatus", "completionDetails", "propertyFileContents")
"""Keys that a stage has of its job, whether it puts anything out or not."""
_KINDS = {"junit": ".xml", "sarif": "", "sbom": ""}
"""Names of reports that say what the file is, and how those in a folder end; other files of it are files."""


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    account: str = ""
    credentials: str = ""
    region: str = ""
    regions: Places = ()
    namespace: str = ""
    cloud_provider: str = ""
    image: str | JsonObject | None = ""
    """Absent: the nearest docker/image artifact."""
    command: str | tuple[Plain, ...] | None = ()
    """A text is run by `sh -c`."""
    environment: dict[str, Plain] = {}  # noqa: RUF012 - msgspec copies it
    reports: dict[str, Plain] = {}  # noqa: RUF012 - msgspec copies it
    """Kind (`junit`, `sarif`, `sbom` or any name) → path of a file or a folder below the job's folder."""
    property_file: str | None = ""
    """Path below the job's folder of a file (Java's properties, JSON or YAML by its ending) whose values become outputs."""
    consume_artifact_source: str | None = ""
    """`artifact`: the values of a JSON artifact become outputs when the job has ended well."""
    consume_artifact: JsonObject | None = None
    consume_artifact_id: str | None = ""
    consume_artifact_account: str | None = ""
    expected_artifacts: tuple[ExpectedArtifactKeys, ...] | None = None
    no_output: bool = False
    """Nothing is put out."""
    manifest: JsonObject | None = None
    """A Kubernetes job: a stage of the type runJobManifest runs it."""
    container: JsonObject | None = None
    """Options of the provider docker: limits, networks, mounts, secrets."""
    job_timeout: Duration = "PT10M"
    wait_for_completion: bool | str = True


async def plan(spec: StageSpec, context: StageContext) -> Plan:
    """Run, wait unless the stage doesn't, bind artifacts and read one where the stage says so."""
    assert isinstance(spec, Spec)
    waits = str(spec.wait_for_completion).lower() != "false"
    job = _by_manifest(context.stage) if _has_manifest(context.stage) else None
    tasks = [_TAKE] if job else [_RUN, *([_WAIT] if waits else [])]
    if spec.expected_artifacts:
        tasks.append(produced.quiet_task)
    if (spec.consume_artifact_source or "").lower() == "artifact":
        tasks.append(_CONSUME)
    return Plan(before=(job,) if job else (), tasks=tuple(task.planned() for task in tasks))


async def run(context: TaskContext) -> TaskResult:
    """Begins the job; a repeat gets the same one."""
    own = context.stage.context
    place, provider = _place(context)
    image = own.get("image")
    chosen = images.choose(context, image if isinstance(image, str | dict) else None, None)
    environment, reports, container = own.get("environment"), own.get("reports"), own.get("container")
    secret_references.refuse_unwritten(environment, context.execution, context.stage)
    job = await server_groups.provider(context.services, provider).run_job(
        NewJob(
            key=context.attempt_key,
            place=place,
            image=chosen.reference,
            command=_command(own.get("command")),
            environment=_texts(environment),
            application=context.execution.head.application,
            timeout=durations.read(own.get("jobTimeout") or "PT10M", key="jobTimeout"),
            reports={**_texts(reports), **({_PROPERTIES: file} if (file := _property_file(context)) else {})},
            provider_options={"container": container} if container else {},
        )
    )
    if job.log:
        await _register(context, job)
    location = {"account": place.account, "region": place.region, "cloudProvider": provider}
    jobs: JsonObject = {place.region: [job.id]}
    return Done(context={**location, "jobId": job.id, "deploy.jobs": jobs})


async def wait(context: TaskContext) -> TaskResult:
    """Ends as the job ends; what it reported is kept either way."""
    job_id = str(context.stage.context.get("jobId") or "")
    place, provider = _place(context)
    job = await server_groups.provider(context.services, provider).job(place, job_id)
    if job is None:
        return Failed(problem=Problem(code="job.lost", message=f"The job {job_id} is unknown to {provider}."))
    if job.state not in (Health.SUCCEEDED, Health.FAILED):
        gives_up_at = None if _says_how_long(context) else job.fails_at
        if job.is_unplaced and gives_up_at is not None and gives_up_at <= context.at:
            await server_groups.provider(context.services, provider).stop_job(place, job_id)
            return Failed(problem=_unplaced(context, job))
        waits = waiting.ForObject(
            reason=f"the job {job_id} to end",
            kind="job",
            name=job_id,
            observed=f"it is {job.state.value}" + (f": {job.reason.rstrip('.')}" if job.reason else ""),
            place=f"{place.account}/{place.region}",
            gives_up_at=gives_up_at,
        )
        return Again(after=_LOOKS_AGAIN, waiting_for=waits)
    job = await _without_secrets(context, job)
    summaries = await _keep_reports(context, job)
    outputs: JsonObject = {
        "jobStatus": {"jobState": job.state.value, "id": job.id, "exitStatus": job.exit_status},
        "completionDetails": {"exitCode": job.exit_status, "message": job.reason},
        "reports": summaries,
    }
    context_keys: JsonObject = {}
    problem = None if job.state is Health.SUCCEEDED else _failed(context, job)
    if file := _property_file(context):
        try:
            found = build_files.parse(file, job.reports[_PROPERTIES])
            context_keys = {**found, "propertyFileContents": found}
        except (KeyError, UnreadableProperties) as error:
            problem = problem or _no_properties(file, error)
    outputs = {} if foreign.flag(context.stage.context.get("noOutput")) else {**outputs, **context_keys}
    if problem is None:
        return Done(context=context_keys, outputs=outputs)
    return Failed(problem=problem, context=context_keys, outputs=outputs)


async def consume(context: TaskContext) -> TaskResult:
    """The values of a JSON artifact become outputs."""
    own = context.stage.context
    inline = own.get("consumeArtifact")
    wanted = str(own.get("consumeArtifactId") or "")
    artifact = inline if isinstance(inline, dict) and inline else context.sight.bound_artifact(wanted)
    if artifact is None:
        raise Refused(_no_artifact(wanted))
    if account := foreign.text_at(own, "consumeArtifactAccount"):
        artifact = {**artifact, "artifactAccount": account}
    try:
        found = decode_json(await artifacts.content(context.services.artifacts, artifact))
    except artifacts.ArtifactUnavailable as failure:
        said = Problem(code="artifact.unavailable", message=f"The artifact can't be read now: {failure}")
        return Failed(problem=said, retryable=True)
    except msgspec.DecodeError as error:
        raise Refused(_no_map(str(error))) from error
    if not isinstance(found, dict):
        raise Refused(_no_map("it is no object"))
    return Done(outputs={} if foreign.flag(own.get("noOutput")) else found)


async def stop(context: TaskContext) -> None:
    """A cancelled stage's job is stopped; one that is just being begun is found by its key and stopped too."""
    job_id = context.stage.context.get("jobId")
    if isinstance(job_id, str):
        place, provider = _place(context)
        await server_groups.provider(context.services, provider).stop_job(place, job_id)


async def stop_beginning(context: TaskContext) -> None:
    """The job may have been begun without its id being recorded: beginning it again tells the id."""
    result = await run(context)
    if isinstance(result, Done):
        place, provider = _place(context)
        await server_groups.provider(context.services, provider).stop_job(place, str(result.context["jobId"]))


async def _without_secrets(context: TaskContext, job: Job) -> Job:
    """What the job has written down of secrets that it was given; another server may have started it."""
    secrets = context.services.secrets
    given = context.stage.context.get("environment")
    await secrets.fill(given, SecretUse(application=context.execution.head.application))
    # Folders of videos may hold 50 MB.
    reports = {name: await asyncio.to_thread(secrets.masked_bytes, one) for name, one in job.reports.items()}
    return msgspec.structs.replace(job, reports=reports)


async def _keep_reports(context: TaskContext, job: Job) -> list[Json]:
    summaries: list[Json] = []
    paths = _texts(context.stage.context.get("reports"))
    for name, content in sorted(job.reports.items()):
        if name == _PROPERTIES:
            continue
        kind = kind_of(name)
        summary = junit_summary(content) if kind == "junit" else {}
        item = EvidenceItem(
            execution_id=context.execution.head.id,
            stage_id=context.stage.id,
            name=f"{context.stage.name}.{name}",
            kind=kind,
            media_type=media_types.of_report(kind, paths.get(name, name)),
            digest=f"sha256:{(await asyncio.to_thread(hashlib.sha256, content)).hexdigest()}",
            size_bytes=len(content),
            at=context.at,
            summary=summary,
        )
        await context.services.evidence.put(item, content)
        summaries.append({"name": item.name, "kind": item.kind, "digest": item.digest, "summary": summary})
    return summaries


def kind_of(report: str) -> str:
    """What a report is, by its name: `junit`, or `junit/shop.xml` of a folder."""
    name, is_in_folder, path = report.partition("/")
    ending = _KINDS.get(name)
    return name if ending is not None and (not is_in_folder or path.endswith(ending)) else "file"


def junit_summary(content: bytes) -> JsonObject:
    """Counts of a JUnit XML report, from the attributes of its suites; the XML itself is never parsed."""
    found = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for suite in _SUITE.findall(content):
        for key, count in _COUNT.findall(suite):
            found[key.decode()] += int(count)
    failed = found["failures"] + found["errors"]
    passed = found["tests"] - failed - found["skipped"]
    return {"tests": found["tests"], "passed": passed, "failed": failed, "skipped": found["skipped"]}


async def _register(context: TaskContext, job: Job) -> None:
    log = LogFile(
        execution_id=context.execution.head.id,
        stage_id=context.stage.id,
        name=f"{context.stage.name}.log",
        path=job.log,
        at=context.at,
    )
    await context.services.logs.register(log)


def _place(context: StageContext) -> tuple[Place, str]:
    location = targets.location_of(
        context.stage.context, context.services, named="", application=context.execution.head.application
    )
    return location.place, location.cloud_provider


def _command(value: Json) -> tuple[str, ...]:
    if isinstance(value, str) and value:
        return ("sh", "-c", value)
    return tuple(map(written, value)) if isinstance(value, list) else ()


def _texts(value: Json) -> dict[str, str]:
    if value is not None and not isinstance(value, dict):
        raise Refused(
            Problem(code="stage.field_wrong", message=f"{value!r} should be a map.", remedy="Correct the stage.")
        )
    return {key: written(one) for key, one in (value or {}).items() if one is not None}


def _property_file(context: StageContext) -> str:
    return foreign.text(context.stage.context.get("propertyFile"))


def _no_properties(file: str, error: Exception) -> Problem:
    why = "it was not written" if isinstance(error, KeyError) else str(error)
    return Problem(
        code="job.no_properties",
        message=f"Expected properties file {file} but it was either missing, empty or contained invalid syntax: {why}",
        remedy="Let the job write it below its folder, or remove `propertyFile` from the stage.",
    )


def _has_manifest(stage: Stage) -> bool:
    """Whether it is a Kubernetes job: Spinnaker's editor writes the type runJobManifest with the alias runJob."""
    own = stage.context
    is_artifact = own.get("source") == "artifact" and (own.get("manifestArtifactId") or own.get("manifestArtifact"))
    return stage.type == _BY_MANIFEST or bool(own.get("manifest") or is_artifact)


def _by_manifest(stage: Stage) -> PlannedStage:
    """The stage that runs a manifest: Spinnaker's `runJob` of the provider kubernetes, which its editor calls otherwise."""
    own = {key: value for key, value in stage.context.items() if key not in (*regions.PARENT_S, "alias")}
    return PlannedStage(type=_BY_MANIFEST, name=stage.name, context=own)


async def take(context: TaskContext) -> TaskResult:
    """What the job has put out is this stage's output too: `#stage('Run Job').outputs` means this one."""
    jobs = [*context.execution.children(context.stage.id, Side.BEFORE)]
    found = {key: value for job in jobs for key, value in job.outputs.items()}
    told = {key: job.context[key] for job in jobs for key in _OF_JOB if key in job.context}
    return Done(context=told, outputs=found)


def _no_artifact(wanted: str) -> Problem:
    return Problem(
        code="artifact.unbound",
        message=f"No artifact could be bound to {wanted!r}.",
        remedy="Give `consumeArtifact`, or the id of an expected artifact in `consumeArtifactId`.",
        pointer="/consumeArtifactId",
    )


def _no_map(why: str) -> Problem:
    return Problem(
        code="job.artifact_unreadable",
        message=f"The consumed artifact can't be read: {why}.",
        remedy="It must be a JSON object.",
    )


def _says_how_long(context: TaskContext) -> bool:
    said = context.stage.context.get("jobTimeout") not in (None, "")
    return said or time_limits.around(context.execution.stages, context.stage) is not None


def _unplaced(context: TaskContext, job: Job) -> Problem:
    return Problem(
        code="job.failed",
        message=f"The job of {context.stage.name} finds no room: {job.reason}",
        remedy="Make room, or let the stage wait for it: `jobTimeout` or `stageTimeoutMs` of the stage says how long, and neither "
        "is there.",
        details={"jobId": job.id},
    )


def _failed(context: TaskContext, job: Job) -> Problem:
    junit = [junit_summary(content) for name, content in job.reports.items() if kind_of(name) == "junit"]
    failed, tests = (sum(int(str(one[key])) for one in junit) for key in ("failed", "tests"))
    said = f" {failed} of {tests} tests failed." if failed else ""
    return Problem(
        code="job.failed",
        message=f"The job of {context.stage.name} failed: {job.reason or f'exit status {job.exit_status}'}{said}",
        remedy="Its log says more." if job.exit_status is not None else "Mend what it says and restart the stage.",
        details={"jobId": job.id, "exitStatus": job.exit_status},
    )


_RUN = TaskType(name="runJob", run=run, stop=stop_beginning)
_CONSUME = TaskType(name="consumeArtifact", run=consume)
_TAKE = TaskType(name="takeOutputs", run=take, is_calculation=True)
_WAIT = TaskType(name="waitOnJobCompletion", run=wait, stop=stop, timeout=timedelta(hours=2))
stage = StageType(
    name="runJob",
    label="Run Job",
    about=__doc__,
    spec=Spec,
    tasks=(_RUN, _WAIT, produced.quiet_task, _CONSUME, _TAKE),
    plan=plan,
    restart_clears=("jobId", *_OF_JOB),
)
