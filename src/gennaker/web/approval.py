"""The facts of an approval: what an approver must see to decide, gathered from the run, its build and what runs now."""

from gennaker.interfaces.executions import Found
from gennaker.interfaces.services import Services
from gennaker.model import foreign, judgments, moniker
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution, ExecutionKind, Stage
from gennaker.model.release import Release, ReleaseState
from gennaker.web import deliveries, releases, shapes

_READ_FOR_BUILD = 100


async def facts(services: Services, execution: Execution, stage: Stage) -> JsonObject:
    """Everything in one document."""
    head = execution.head
    digest = deliveries.built_digest(execution) or deliveries.delivered_digest(execution)
    builds = await _builds(services, head.application)
    build = next((one for one in builds if deliveries.built_digest(one) == digest), None) if digest else None
    released = await releases.of_application(services, head.application)
    current = [one for one in released if one.state in (ReleaseState.CURRENT, ReleaseState.SETTLED)]
    evidence = await services.evidence.list(head.id)
    if build is not None and build.head.id != head.id:
        evidence = (*await services.evidence.list(build.head.id), *evidence)
    image = deliveries.image_of(build, execution) or {}
    reports: list[Json] = [shapes.record(item) for item in evidence]
    return {
        "executionId": head.id,
        "stageId": stage.id,
        "application": head.application,
        "pipeline": head.name,
        "status": stage.status.value,
        "instructions": foreign.said_at(stage.context, "instructions"),
        "judgmentInputs": [{"value": one} for one in judgments.choices(stage.context.get("judgmentInputs"))],
        "judgment": _judgment(stage),
        "version": image.get("tag"),
        "digest": digest,
        "image": ":".join(str(image[key]) for key in ("name", "tag") if image.get(key)),
        "releaseNotes": _notes(build, builds, _in_clusters(released, _clusters_after(execution, stage))),
        "tests": [report for report in reports if _kind(report) == "junit"],
        "findings": [report for report in reports if _kind(report) in ("sarif", "sbom")],
        "canary": _canary(execution),
        "running": [shapes.record(one) for one in current],
        "links": _links(services, execution, build),
    }


async def _builds(services: Services, application: str) -> list[Execution]:
    wanted = Found(application=application, kind=ExecutionKind.PIPELINE, limit=_READ_FOR_BUILD)
    return [one for one in await services.executions.find(wanted) if deliveries.is_build(one)]


def _clusters_after(execution: Execution, judgment: Stage) -> set[str]:
    """What the stages behind the judgment deploy to, as far as the pipeline says it."""
    behind = {judgment.ref_id}
    following = list(execution.top_level())
    while found := [
        one for one in following if one.ref_id not in behind and not behind.isdisjoint(one.requisite_ref_ids)
    ]:
        behind.update(one.ref_id for one in found)
    return {
        name
        for stage in following
        if stage.ref_id in behind
        for cluster in foreign.mappings(stage.context.get("clusters"))
        if "${" not in (name := _cluster_name(execution, cluster))
    }


def _cluster_name(execution: Execution, cluster: JsonObject) -> str:
    app, stack, detail = (foreign.text(cluster.get(key)) for key in ("application", "stack", "freeFormDetails"))
    return moniker.cluster_name(app or execution.head.application, stack, detail)


def _in_clusters(released: list[Release], clusters: set[str]) -> list[Release]:
    """Those of the clusters that the decision is about; all where the pipeline doesn't say which."""
    return [one for one in released if one.cluster in clusters] if clusters else released


def _notes(build: Execution | None, builds: list[Execution], released: list[Release]) -> list[Json]:
    """Commits of this version that what serves there, or served before it, doesn't have; newest first."""
    commits = deliveries.commits_of(build)
    if build is None or not commits:
        return []
    newest = commits[0].get("hash")
    had: set[Json] = set()
    before = _digests_before(deliveries.built_digest(build), released)
    for one in builds:
        hashes = {str(commit.get("hash")) for commit in deliveries.commits_of(one)}
        # One that has this version's own commit is newer.
        if deliveries.built_digest(one) in before and newest not in hashes:
            had |= hashes
    return [commit for commit in commits if commit.get("hash") not in had]


def _digests_before(own: str, released: list[Release]) -> set[str]:
    """Of the images that this one replaces, or has replaced once it was approved."""
    serving = (ReleaseState.CURRENT, ReleaseState.SETTLED)
    replaced = {one.replaced for one in released if _digest(one) == own and one.replaced}
    return {
        _digest(one)
        for one in released
        if _digest(one) != own and (one.state in serving or one.server_group in replaced)
    }


def _digest(release: Release) -> str:
    return release.image.rpartition("@")[2]


def _canary(execution: Execution) -> Json:
    for stage in execution.in_order():
        report = stage.outputs.get("canaryReport")
        if report is not None and stage.type == "kayentaCanary":
            return {
                "stage": stage.name,
                "status": stage.status.value,
                "scores": stage.outputs.get("canaryScores") or stage.context.get("canaryScores"),
                "message": stage.outputs.get("canaryScoreMessage") or stage.context.get("canaryScoreMessage"),
                "report": report,
            }
    return None


def _judgment(stage: Stage) -> Json:
    said = stage.context.get("judgmentStatus")
    if not said or stage.last_modified is None:
        return None
    return {
        "judgment": said,
        "judgmentInput": stage.context.get("judgmentInput"),
        "comment": stage.context.get("judgmentComment"),
        "by": stage.last_modified.user,
        "at": shapes.instant(stage.last_modified.at),
    }


def _links(services: Services, execution: Execution, build: Execution | None) -> list[Json]:
    base = services.settings.server.base_url
    links: list[Json] = [{"label": "Delivery", "url": f"{base}/ui/#/executions/{execution.head.id}"}]
    if build is not None:
        links.append({"label": "Build", "url": f"{base}/ui/#/executions/{build.head.id}"})
    for stage in execution.top_level():
        address = stage.outputs.get("address")
        if isinstance(address, str):
            links.append({"label": stage.name, "url": address if "://" in address else f"http://{address}"})
    return links


def _kind(report: Json) -> Json:
    return report.get("kind") if isinstance(report, dict) else None
