"""GitHub Actions over GitHub's REST API: workflows that are started by `workflow_dispatch`.

A job is `owner/repository/workflow` (the workflow's file name or id). GitHub answers a dispatch with the run's id where it
knows how to; older servers answer nothing: then, and after a crash, the run is found by the key, which the workflow takes
as an input (`key-parameter`) and shows in its `run-name`.
"""

from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import quote

import msgspec

from gennaker.interfaces.ci import BuildRequest, BuildResult, BuildState, CiMissing, CiUnanswered, Started
from gennaker.interfaces.secrets import Secrets
from gennaker.interfaces.services import Services
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, decode_json
from gennaker.model.problems import Problem, Refused
from gennaker.settings import CiSettings
from gennaker.transport import build_files, ci_builds, ci_http
from gennaker.transport.ci_builds import Build
from gennaker.transport.ci_http import CiHttp, token_of

_PUBLIC = "https://api.github.com"
_RESULTS = {
    "success": BuildResult.SUCCESS,
    "neutral": BuildResult.SUCCESS,
    "cancelled": BuildResult.ABORTED,
    "skipped": BuildResult.ABORTED,
}
_MOST_JOBS = 20


class GitHubActions:
    """One GitHub."""

    type = "github"
    settles_after = timedelta(seconds=30)

    def __init__(self, name: str, settings: CiSettings, secrets: Secrets | None = None) -> None:
        """Nothing is asked yet."""
        self.name = name
        self._settings = settings
        self._secrets = secrets
        self._http = CiHttp(name=name, address=settings.address or _PUBLIC)

    async def start(self, request: BuildRequest) -> Started:
        """Dispatches the workflow."""
        repository, workflow = _parts(request.job)
        inputs: JsonObject = dict(ci_builds.parameters(request, self._settings))
        body: JsonObject = {
            "ref": ci_builds.branch(request, self._settings),
            "inputs": inputs,
            "return_run_details": True,
        }
        answer = await self._http.request(
            "POST",
            f"repos/{repository}/actions/workflows/{quote(workflow)}/dispatches",
            headers=await self._headers(),
            json=body,
        )
        number = _run_id(answer.body)
        if number is None and not self._settings.key_parameter:
            raise CiUnanswered(
                f"{self.name} has taken the dispatch of {request.job} but doesn't say which run it is, and the setting "
                f"ci.{self.name}.key-parameter names no input by which it could be found."
            )
        return Started(queue_id=request.key, number=number)

    async def find(self, request: BuildRequest) -> Started | None:
        """By the key in the run's name."""
        ci_builds.key_parameter(self.name, self._settings, kind="input")
        repository, workflow = _parts(request.job)
        found = foreign.mapping(
            await self._http.json(
                f"repos/{repository}/actions/workflows/{quote(workflow)}/runs",
                query={"event": "workflow_dispatch", "per_page": "100"},
                headers=await self._headers(),
            )
        )
        for run in foreign.mappings(found.get("workflow_runs")):
            if request.key in str(run.get("display_title") or ""):
                return Started(queue_id=request.key, number=str(run["id"]))
        return None

    async def numbered(self, request: BuildRequest, started: Started) -> Started:
        """As `find`."""
        return started if started.number else (await self.find(request) or started)

    async def build(self, job: str, number: str) -> BuildState:
        """The run in Igor's form."""
        repository, _ = _parts(job)
        run = foreign.mapping(await self._get(f"repos/{repository}/actions/runs/{number}"))
        is_over = run.get("status") == "completed"
        conclusion = str(run.get("conclusion") or "")
        result = _RESULTS.get(conclusion, BuildResult.FAILURE) if is_over else BuildResult.BUILDING
        artifacts: list[Json] = []
        if is_over:
            artifacts = [
                {
                    "type": "github/artifact",
                    "name": one.get("name"),
                    "version": number,
                    "fileName": one.get("name"),
                    "reference": one.get("archive_download_url"),
                }
                for one in await self._artifacts(repository, number)
            ]
        return BuildState(
            result=result,
            url=str(run.get("html_url") or ""),
            info=_info(run, job, result, conclusion=conclusion, artifacts=artifacts),
        )

    async def properties(self, job: str, number: str, file: str) -> JsonObject:
        """From the artifact that holds a file of this name."""
        repository, _ = _parts(job)
        for artifact in await self._artifacts(repository, number):
            path = f"repos/{repository}/actions/artifacts/{artifact['id']}/zip"
            answer = await self._http.request("GET", path, headers=await self._headers())
            content = build_files.in_zip(answer.body, file)
            if content is not None:
                return build_files.parse(file, content)
        raise CiMissing(f"No artifact of run {number} of {job} holds a file {file!r}.")

    async def log(self, job: str, number: str) -> str:
        """All jobs' logs, one after another."""
        repository, _ = _parts(job)
        jobs = foreign.mapping(await self._get(f"repos/{repository}/actions/runs/{number}/jobs"))
        texts = []
        for one in (foreign.mappings(jobs.get("jobs")))[:_MOST_JOBS]:
            try:
                path = f"repos/{repository}/actions/jobs/{one['id']}/logs"
                answer = await self._http.request("GET", path, headers=await self._headers())
            except CiMissing:  # a job that hasn't begun has none
                continue
            texts.append((str(one.get("name")), answer.body.decode(errors="replace")))
        return ci_builds.joined(texts)

    async def stop(self, job: str, started: Started) -> None:
        """Cancels the run; one that has ended answers 409."""
        repository, _ = _parts(job)
        number = started.number
        if number is None:
            request = BuildRequest(job=job, key=started.queue_id)
            number = (await self.numbered(request, started)).number
        if number is None or (await self.build(job, number)).result is not BuildResult.BUILDING:
            return
        path = f"repos/{repository}/actions/runs/{number}/cancel"
        await self._http.request("POST", path, headers=await self._headers())

    async def _artifacts(self, repository: str, number: str) -> list[JsonObject]:
        found = foreign.mapping(await self._get(f"repos/{repository}/actions/runs/{number}/artifacts"))
        return [one for one in foreign.mappings(found.get("artifacts")) if one.get("expired") is not True]

    async def _get(self, path: str) -> Json:
        return await self._http.json(path, query={"per_page": "100"}, headers=await self._headers())

    async def _headers(self) -> Mapping[str, str]:
        token = await token_of(self._settings, f"ci.{self.name}", self._secrets)
        known = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        return {**known, "Authorization": f"Bearer {token}"} if token else known


def systems(services: Services) -> tuple[GitHubActions, ...]:
    """Those of the settings."""
    given = services.settings.ci.items()
    return tuple(GitHubActions(name, one, services.secrets) for name, one in given if one.type == "github")


def _info(run: JsonObject, job: str, result: BuildResult, *, conclusion: str, artifacts: list[Json]) -> JsonObject:
    began, ended = ci_http.instant(run.get("run_started_at")), ci_http.instant(run.get("updated_at"))
    build = Build(
        job=job,
        number=run.get("id"),
        title=run.get("display_title"),
        result=result,
        url=run.get("html_url"),
        began=began,
        took=ended - began if began and ended else None,
        artifacts=artifacts,
        scm=ci_builds.source(foreign.text(run.get("head_branch")), run.get("head_sha")),
    )
    return {**ci_builds.igor_json(build), "conclusion": conclusion}


def _run_id(body: bytes) -> str | None:
    if not body:
        return None
    try:
        found = foreign.mapping(decode_json(body)).get("workflow_run_id")
    except msgspec.DecodeError:
        return None
    return None if found is None else str(found)


def _parts(job: str) -> tuple[str, str]:
    parts = job.strip("/").split("/", 2)
    if len(parts) != 3 or not all(parts):
        message = f"{job!r} names no workflow of GitHub Actions."
        raise Refused(Problem(code="ci.job", message=message, remedy="Write it as owner/repository/workflow.yml."))
    owner, repository, workflow = parts
    return f"{quote(owner)}/{quote(repository)}", workflow.removeprefix(".github/workflows/")
