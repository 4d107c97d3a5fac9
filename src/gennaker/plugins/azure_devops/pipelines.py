"""Azure Pipelines over the REST API of Azure DevOps, version 7.1.

A job is `project/pipeline id`. A run has its id at once. It is found again by the template parameter that `key-parameter`
names. Properties are read from a file within a published artifact.
"""

import base64
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import quote

from gennaker.interfaces.ci import (
    MOST_BUILDS,
    MOST_JOBS,
    BuildRequest,
    BuildResult,
    BuildState,
    CiMissing,
    Job,
    JobNames,
    JobParameter,
    Started,
)
from gennaker.interfaces.secrets import Secrets
from gennaker.interfaces.services import Services
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.settings import CiSettings
from gennaker.transport import build_files, ci_builds, ci_http, ci_listing
from gennaker.transport.ci_builds import Build
from gennaker.transport.ci_http import CiHttp, token_of
from gennaker.transport.ci_listing import Yaml

_VERSION = {"api-version": "7.1"}
_RESULTS = {
    "succeeded": BuildResult.SUCCESS,
    "partiallySucceeded": BuildResult.UNSTABLE,  # some steps have failed that were allowed to
    "canceled": BuildResult.ABORTED,
}
_SEARCHED = 20
_MOST_LOGS = 50


class AzureDevOps:
    """One organisation."""

    type = "azure-devops"
    settles_after = timedelta(seconds=10)

    def __init__(self, name: str, settings: CiSettings, secrets: Secrets | None = None) -> None:
        """Nothing is asked yet."""
        self.name = name
        self._settings = settings
        self._secrets = secrets
        self._http = CiHttp(name=name, address=settings.address)

    async def jobs(self) -> JobNames:
        """The pipelines of the organisation's first hundred projects."""
        query = {**_VERSION, "$top": str(ci_listing.PAGE + 1)}
        found = foreign.mappings_at(await self._get("_apis/projects", query), "value")
        projects = [foreign.text_at(one, "name") for one in found]
        is_cut = len(projects) > ci_listing.PAGE
        return await ci_listing.of_many(projects[: ci_listing.PAGE], self._pipelines, is_cut=is_cut)

    async def job(self, name: str) -> Job:
        """The pipeline, with the parameters of its file where that lies in the organisation's own repositories."""
        project, pipeline = _parts(name)
        found = foreign.mapping(await self._get(f"{project}/_apis/pipelines/{pipeline}"))
        file = ci_listing.entries(await self._file(project, foreign.mapping(found.get("configuration"))))
        parameters = file.get("parameters")
        declared = [_parameter(one) for one in (parameters if isinstance(parameters, list) else ())]
        return Job(
            name=name,
            display_name=foreign.text_at(found, "name"),
            url=_web(found),
            parameters=(
                ci_builds.ref_parameter(self._settings),
                *(one for one in declared if one.name not in ("", self._settings.key_parameter)),
            ),
        )

    async def builds(self, job: str) -> tuple[JsonObject, ...]:
        """Its builds, whatever has started them."""
        project, pipeline = _parts(job)
        query = {**_VERSION, "definitions": pipeline, "$top": str(MOST_BUILDS), "queryOrder": "queueTimeDescending"}
        found = foreign.mappings_at(await self._get(f"{project}/_apis/build/builds", query), "value")
        return tuple(_info(one, job, _result(one), url=_web(one), artifacts=[]) for one in found)

    async def start(self, request: BuildRequest) -> Started:
        """Runs the pipeline."""
        project, pipeline = _parts(request.job)
        branch = ci_builds.branch(request, self._settings)
        parameters: JsonObject = dict(ci_builds.parameters(request, self._settings))
        ref = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
        body: JsonObject = {
            "resources": {"repositories": {"self": {"refName": ref}}},
            "templateParameters": parameters,
        }
        path = f"{project}/_apis/pipelines/{pipeline}/runs"
        answer = await self._http.request("POST", path, query=_VERSION, headers=await self._headers(), json=body)
        return ci_builds.at_once(answer.body, name=self.name, job=request.job)

    async def find(self, request: BuildRequest) -> Started | None:
        """By the key's template parameter, among the latest runs."""
        key = ci_builds.key_parameter(self.name, self._settings, kind="parameter")
        project, pipeline = _parts(request.job)
        path = f"{project}/_apis/pipelines/{pipeline}/runs"
        listed = foreign.mappings(foreign.mapping(await self._get(path)).get("value"))
        for one in sorted(listed, key=_id, reverse=True)[:_SEARCHED]:
            number = ci_builds.number_of(one, name=self.name)
            run = foreign.mapping(await self._get(f"{path}/{number}"))
            if foreign.mapping(run.get("templateParameters")).get(key) == request.key:
                return Started(queue_id=number, number=number)
        return None

    async def numbered(self, request: BuildRequest, started: Started) -> Started:
        """It has its number from the beginning."""
        return Started(queue_id=started.queue_id, number=started.queue_id)

    async def build(self, job: str, number: str) -> BuildState:
        """The build that the run is, in Igor's form."""
        project, _ = _parts(job)
        found = foreign.mapping(await self._get(f"{project}/_apis/build/builds/{number}"))
        result = _result(found)
        artifacts: list[Json] = []
        if result is not BuildResult.BUILDING:
            artifacts = [
                {
                    "type": "azure-devops/artifact",
                    "name": one.get("name"),
                    "version": number,
                    "fileName": one.get("name"),
                    "reference": foreign.mapping(one.get("resource")).get("downloadUrl"),
                }
                for one in await self._artifacts(project, number)
            ]
        url = _web(found)
        return BuildState(result=result, url=url, info=_info(found, job, result, url=url, artifacts=artifacts))

    async def properties(self, job: str, number: str, file: str) -> JsonObject:
        """From the artifact that holds a file of this name."""
        project, _ = _parts(job)
        for artifact in await self._artifacts(project, number):
            url = str(foreign.mapping(artifact.get("resource")).get("downloadUrl") or "")
            if not url:
                continue
            # The token goes to the organisation itself only.
            headers = await self._headers() if url.startswith(f"{self._http.address}/") else {}
            answer = await self._http.request("GET", url, headers=headers)
            content = build_files.in_zip(answer.body, file)
            if content is not None:
                return build_files.parse(file, content)
        raise CiMissing(f"No artifact of run {number} of {job} holds a file {file!r}.")

    async def log(self, job: str, number: str) -> str:
        """All logs of the build, one after another."""
        project, _ = _parts(job)
        path = f"{project}/_apis/build/builds/{number}/logs"
        texts = []
        for one in (foreign.mappings(foreign.mapping(await self._get(path)).get("value")))[-_MOST_LOGS:]:
            headers = {**(await self._headers()), "Accept": "text/plain"}
            answer = await self._http.request(
                "GET", f"{path}/{ci_builds.number_of(one, name=self.name)}", query=_VERSION, headers=headers
            )
            texts.append(("", ci_builds.end_of(answer.body)))
        return ci_builds.joined(texts)

    async def stop(self, job: str, started: Started) -> None:
        """Cancels the build that the run is."""
        project, _ = _parts(job)
        number = started.number or started.queue_id
        if (await self.build(job, number)).result is not BuildResult.BUILDING:
            return
        path = f"{project}/_apis/build/builds/{number}"
        await self._http.request(
            "PATCH", path, query=_VERSION, headers=await self._headers(), json={"status": "cancelling"}
        )

    async def _artifacts(self, project: str, number: str) -> list[JsonObject]:
        return foreign.mappings(
            foreign.mapping(await self._get(f"{project}/_apis/build/builds/{number}/artifacts")).get("value")
        )

    async def _pipelines(self, project: str) -> list[str]:
        query = {**_VERSION, "$top": str(MOST_JOBS + 1), "orderBy": "name asc"}
        found = foreign.mappings_at(await self._get(f"{quote(project, safe='')}/_apis/pipelines", query), "value")
        return [f"{project}/{foreign.said_at(one, 'id')}" for one in found]

    async def _file(self, project: str, configuration: JsonObject) -> Yaml:
        """The pipeline's file; None: it has none, or it lies where only Azure DevOps can read it."""
        repository, path = foreign.mapping(configuration.get("repository")), foreign.text_at(configuration, "path")
        if foreign.text_at(repository, "type") != "azureReposGit" or not path:
            return None
        where = f"{project}/_apis/git/repositories/{quote(foreign.said_at(repository, 'id'), safe='')}/items"
        version = {"versionDescriptor.versionType": "branch", "versionDescriptor.version": self._settings.ref}
        headers = {**(await self._headers()), "Accept": "text/plain"}
        try:
            answer = await self._http.request(
                "GET", where, query={**_VERSION, **version, "path": path}, headers=headers
            )
        except CiMissing:
            return None
        return await ci_listing.document(answer.body)

    async def _get(self, path: str, query: Mapping[str, str] = _VERSION) -> Json:
        return await self._http.json(path, query=query, headers=await self._headers())

    async def _headers(self) -> dict[str, str]:
        token = await token_of(self._settings, f"ci.{self.name}", self._secrets)
        pair = base64.b64encode(f":{token}".encode()).decode()
        return {"Authorization": f"Basic {pair}"} if token else {}


def systems(services: Services) -> tuple[AzureDevOps, ...]:
    """Those of the settings."""
    given = services.settings.ci.items()
    return tuple(AzureDevOps(name, one, services.secrets) for name, one in given if one.type == "azure-devops")


def _result(build: JsonObject) -> BuildResult:
    if build.get("status") != "completed":
        return BuildResult.BUILDING
    return _RESULTS.get(foreign.text_at(build, "result"), BuildResult.FAILURE)


def _web(found: JsonObject) -> str:
    return foreign.text_at(foreign.mapping(found.get("_links")).get("web"), "href")


def _parameter(declared: Yaml) -> JobParameter:
    found = ci_listing.entries(declared)
    kind = ci_listing.scalar(found.get("type")) or "string"
    return JobParameter(
        name=ci_listing.scalar(found.get("name")) or "",
        default=ci_listing.scalar(found.get("default")),
        description=ci_listing.scalar(found.get("displayName")) or "",
        type=kind,
        choices=("true", "false") if kind == "boolean" else ci_listing.scalars(found.get("values")),
    )


def _info(found: JsonObject, job: str, result: BuildResult, *, url: str, artifacts: list[Json]) -> JsonObject:
    began, ended = ci_http.instant(found.get("startTime")), ci_http.instant(found.get("finishTime"))
    build = Build(
        job=job,
        number=found.get("id"),
        title=found.get("buildNumber"),
        result=result,
        url=url,
        began=began,
        took=ended - began if began and ended else None,
        artifacts=artifacts,
        scm=ci_builds.source(foreign.text(found.get("sourceBranch")), found.get("sourceVersion")),
    )
    return ci_builds.igor_json(build)


def _parts(job: str) -> tuple[str, str]:
    project, _, pipeline = job.strip("/").rpartition("/")
    if not project or not pipeline.isdecimal():
        message = f"{job!r} names no pipeline of Azure DevOps."
        raise Refused(Problem(code="ci.job", message=message, remedy="Write it as project/number of the pipeline."))
    return quote(project, safe=""), pipeline


def _id(one: JsonObject) -> int:
    found = one.get("id")
    return found if isinstance(found, int) else 0
