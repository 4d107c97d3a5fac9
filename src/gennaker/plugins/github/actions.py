"""GitHub Actions over GitHub's REST API: workflows that are started by `workflow_dispatch`.

A job is `owner/repository/workflow` (the workflow's file name or id). GitHub answers a dispatch with the run's id where it
knows how to; older servers answer nothing: then, and after a crash, the run is found by the key, which the workflow takes
as an input (`key-parameter`) and shows in its `run-name`.
"""

from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import quote

import msgspec

from gennaker.interfaces.ci import (
    MOST_BUILDS,
    BuildRequest,
    BuildResult,
    BuildState,
    CiMissing,
    CiUnanswered,
    Job,
    JobNames,
    JobParameter,
    Started,
)
from gennaker.interfaces.secrets import Secrets
from gennaker.interfaces.services import Services
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, decode_json
from gennaker.model.problems import Problem, Refused
from gennaker.settings import CiSettings
from gennaker.transport import build_files, ci_builds, ci_http, ci_listing
from gennaker.transport.ci_builds import Build
from gennaker.transport.ci_http import CiHttp, token_of
from gennaker.transport.ci_listing import Yaml

_PUBLIC = "https://api.github.com"
_RESULTS = {
    "success": BuildResult.SUCCESS,
    "neutral": BuildResult.SUCCESS,
    "cancelled": BuildResult.ABORTED,
    "skipped": BuildResult.ABORTED,
}
_MOST_JOBS = 20
_BY_HAND = "workflow_dispatch"
_FOLDER = ".github/workflows/"
_OF_AN_APP = "ghs_"
"""How tokens of an app's installation begin: it isn't a user, and has repositories of its own."""


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

    async def jobs(self) -> JobNames:
        """The workflows of the hundred repositories that were pushed to last; of an app's installation, of the first hundred listed."""
        headers = await self._headers()
        is_app = headers.get("Authorization", "").startswith(f"Bearer {_OF_AN_APP}")
        path, query = ("installation/repositories", {}) if is_app else ("user/repos", {"sort": "pushed"})
        answer = await self._http.request("GET", path, query={**query, "per_page": "100"}, headers=headers)
        listed = ci_http.decoded(answer, name=self.name)
        repositories = foreign.mappings_at(listed, "repositories") if is_app else foreign.mappings(listed)
        kept = [foreign.text_at(one, "full_name") for one in repositories if one.get("archived") is not True]
        return await ci_listing.of_many(kept, self._workflows, is_cut='rel="next"' in answer.headers.get("link", ""))

    async def job(self, name: str) -> Job:
        """The workflow with the inputs that its file, on the branch of the settings, declares."""
        repository, workflow = _parts(name)
        found = foreign.mapping(await self._get(f"repos/{repository}/actions/workflows/{quote(workflow)}"))
        asked_by_hand = await self._by_hand(repository, foreign.text_at(found, "path"))
        inputs = ci_listing.entries(ci_listing.entries(asked_by_hand).get("inputs"))
        declared = [_input(key, one) for key, one in inputs.items() if key != self._settings.key_parameter]
        return Job(
            name=name,
            display_name=foreign.text_at(found, "name"),
            url=foreign.text_at(found, "html_url"),
            is_buildable=found.get("state") == "active" and asked_by_hand is not None,
            parameters=(ci_builds.ref_parameter(self._settings), *declared),
        )

    async def builds(self, job: str) -> tuple[JsonObject, ...]:
        """Its runs, whatever has started them."""
        repository, workflow = _parts(job)
        path = f"repos/{repository}/actions/workflows/{quote(workflow)}/runs"
        runs = foreign.mappings_at(await self._get(path), "workflow_runs")
        return tuple(_info(run, job, _result(run), artifacts=[]) for run in runs[:MOST_BUILDS])

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
                return Started(queue_id=request.key, number=ci_builds.number_of(run, name=self.name))
        return None

    async def numbered(self, request: BuildRequest, started: Started) -> Started:
        """As `find`."""
        return started if started.number else (await self.find(request) or started)

    async def build(self, job: str, number: str) -> BuildState:
        """The run in Igor's form."""
        repository, _ = _parts(job)
        run = foreign.mapping(await self._get(f"repos/{repository}/actions/runs/{number}"))
        result = _result(run)
        artifacts: list[Json] = []
        if result is not BuildResult.BUILDING:
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
            info=_info(run, job, result, artifacts=artifacts),
        )

    async def properties(self, job: str, number: str, file: str) -> JsonObject:
        """From the artifact that holds a file of this name."""
        repository, _ = _parts(job)
        for artifact in await self._artifacts(repository, number):
            path = f"repos/{repository}/actions/artifacts/{ci_builds.number_of(artifact, name=self.name)}/zip"
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
                number_of_job = ci_builds.number_of(one, name=self.name)
                path = f"repos/{repository}/actions/jobs/{number_of_job}/logs"
                answer = await self._http.request("GET", path, headers=await self._headers())
            except CiMissing:  # a job that hasn't begun has none
                continue
            texts.append((str(one.get("name")), ci_builds.end_of(answer.body)))
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

    async def _workflows(self, repository: str) -> list[str]:
        found = foreign.mappings_at(await self._get(f"repos/{quote(repository)}/actions/workflows"), "workflows")
        paths = [foreign.text_at(one, "path") for one in found]
        # Others are GitHub's own: they have no file in the repository and can't be started.
        return [f"{repository}/{one.removeprefix(_FOLDER)}" for one in paths if one.startswith(_FOLDER)]

    async def _by_hand(self, repository: str, path: str) -> Yaml:
        """What the workflow's file says of starts by hand; None: it allows none, or isn't on that branch."""
        headers = {**(await self._headers()), "Accept": "application/vnd.github.raw+json"}
        query = {"ref": self._settings.ref}
        try:
            answer = await self._http.request(
                "GET", f"repos/{repository}/contents/{quote(path)}", query=query, headers=headers
            )
        except CiMissing:
            return None
        triggers = ci_listing.entries(await ci_listing.document(answer.body)).get("on")
        if triggers == _BY_HAND or (isinstance(triggers, list) and _BY_HAND in triggers):
            return {}
        listed = ci_listing.entries(triggers)
        return (listed[_BY_HAND] or {}) if _BY_HAND in listed else None

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


def _result(run: JsonObject) -> BuildResult:
    if run.get("status") != "completed":
        return BuildResult.BUILDING
    return _RESULTS.get(foreign.text_at(run, "conclusion"), BuildResult.FAILURE)


def _input(name: str, declared: Yaml) -> JobParameter:
    found = ci_listing.entries(declared)
    kind = ci_listing.scalar(found.get("type")) or "string"
    return JobParameter(
        name=name,
        default=ci_listing.scalar(found.get("default")),
        description=ci_listing.scalar(found.get("description")) or "",
        type=kind,
        choices=("true", "false") if kind == "boolean" else ci_listing.scalars(found.get("options")),
    )


def _info(run: JsonObject, job: str, result: BuildResult, *, artifacts: list[Json]) -> JsonObject:
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
    return {**ci_builds.igor_json(build), "conclusion": foreign.text_at(run, "conclusion")}


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
    return f"{quote(owner)}/{quote(repository)}", workflow.removeprefix(_FOLDER)
