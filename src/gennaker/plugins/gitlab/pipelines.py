"""GitLab CI/CD over GitLab's REST API: pipelines of a project, started with variables.

A job is a project's id or path. A pipeline has its id at once. It is found again by the variable that `key-parameter`
names. Properties are read from the jobs' logs, as Igor does; whatever file is asked for.
"""

from datetime import timedelta
from urllib.parse import quote

from gennaker.interfaces.ci import (
    MOST_BUILDS,
    BuildRequest,
    BuildResult,
    BuildState,
    CiMissing,
    CiUnavailable,
    Job,
    JobNames,
    JobParameter,
    Started,
)
from gennaker.interfaces.secrets import Secrets
from gennaker.interfaces.services import Services
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.settings import CiSettings
from gennaker.transport import build_files, ci_builds, ci_http, ci_listing
from gennaker.transport.ci_builds import Build
from gennaker.transport.ci_http import CiHttp, token_of
from gennaker.transport.ci_listing import Yaml

_PUBLIC = "https://gitlab.com"
_RESULTS = {
    "success": BuildResult.SUCCESS,
    "failed": BuildResult.FAILURE,
    "canceled": BuildResult.ABORTED,
    "skipped": BuildResult.ABORTED,
}
_SEARCHED = 20
_MOST_JOBS = 50


class GitLab:
    """One GitLab."""

    type = "gitlab"
    settles_after = timedelta(seconds=10)

    def __init__(self, name: str, settings: CiSettings, secrets: Secrets | None = None) -> None:
        """Nothing is asked yet."""
        self.name = name
        self._settings = settings
        self._secrets = secrets
        self._http = CiHttp(name=name, address=f"{(settings.address or _PUBLIC).rstrip('/')}/api/v4")

    async def jobs(self) -> JobNames:
        """The projects that the token's owner is a member of, those of late activity first."""
        query = {"membership": "true", "archived": "false", "simple": "true", "order_by": "last_activity_at"}

        async def page(number: int) -> list[str]:
            listed = {**query, "per_page": str(ci_listing.PAGE), "page": str(number)}
            found = await self._http.json("projects", query=listed, headers=await self._headers())
            return [foreign.text_at(one, "path_with_namespace") for one in foreign.mappings(found)]

        return await ci_listing.of_pages(page)

    async def job(self, name: str) -> Job:
        """The project, with the variables that its pipeline's file describes for starts by hand."""
        found = foreign.mapping(await self._get(f"projects/{_project(name)}"))
        described = (await self._variables(name)).items()
        return Job(
            name=name,
            display_name=foreign.text_at(found, "name_with_namespace"),
            description=foreign.text_at(found, "description"),
            url=foreign.text_at(found, "web_url"),
            is_buildable=found.get("archived") is not True and found.get("builds_access_level") != "disabled",
            parameters=(
                ci_builds.ref_parameter(self._settings),
                *(_variable(key, one) for key, one in described if key != self._settings.key_parameter),
            ),
        )

    async def builds(self, job: str) -> tuple[JsonObject, ...]:
        """Its pipelines, whatever has started them."""
        found = foreign.mappings(await self._get(f"projects/{_project(job)}/pipelines"))
        return tuple(_info(one, job, _result(one), []) for one in found[:MOST_BUILDS])

    async def start(self, request: BuildRequest) -> Started:
        """Creates a pipeline."""
        variables = ci_builds.parameters(request, self._settings)
        listed: list[Json] = [{"key": key, "value": value} for key, value in variables.items()]
        body: JsonObject = {"ref": ci_builds.branch(request, self._settings), "variables": listed}
        path = f"projects/{_project(request.job)}/pipeline"
        answer = await self._http.request("POST", path, headers=await self._headers(), json=body)
        return ci_builds.at_once(answer.body, name=self.name, job=request.job)

    async def find(self, request: BuildRequest) -> Started | None:
        """By the key's variable, among the latest pipelines."""
        key = ci_builds.key_parameter(self.name, self._settings, kind="variable")
        path = f"projects/{_project(request.job)}/pipelines"
        query = {"per_page": str(_SEARCHED), "source": "api"}
        for one in foreign.mappings(await self._http.json(path, query=query, headers=await self._headers())):
            number = ci_builds.number_of(one, name=self.name)
            variables = await self._http.json(f"{path}/{number}/variables", headers=await self._headers())
            if {"key": key, "value": request.key} in [
                {"key": item.get("key"), "value": item.get("value")} for item in foreign.mappings(variables)
            ]:
                return Started(queue_id=number, number=number)
        return None

    async def numbered(self, request: BuildRequest, started: Started) -> Started:
        """It has its number from the beginning."""
        return Started(queue_id=started.queue_id, number=started.queue_id)

    async def build(self, job: str, number: str) -> BuildState:
        """The pipeline in Igor's form."""
        found = foreign.mapping(await self._get(f"projects/{_project(job)}/pipelines/{number}"))
        result = _result(found)
        artifacts: list[Json] = []
        if result is not BuildResult.BUILDING:
            artifacts = [
                {
                    "type": "gitlab/artifact",
                    "name": one.get("name"),
                    "version": number,
                    "fileName": foreign.mapping(one["artifacts_file"]).get("filename"),
                    "reference": f"{self._http.address}/projects/{_project(job)}/jobs/{ci_builds.number_of(one, name=self.name)}/artifacts",
                }
                for one in await self._jobs(job, number)
                if one.get("artifacts_file")
            ]
        info = _info(found, job, result, artifacts)
        return BuildState(result=result, url=str(found.get("web_url") or ""), info=info)

    async def properties(self, job: str, number: str, file: str) -> JsonObject:
        """From the logs; CiMissing if they hold none."""
        found = build_files.in_log(await self.log(job, number))
        if not found:
            raise CiMissing(f"The logs of pipeline {number} of {job} hold no properties (asked for as {file!r}).")
        return found

    async def log(self, job: str, number: str) -> str:
        """All jobs' logs, one after another."""
        texts = []
        for one in (await self._jobs(job, number))[:_MOST_JOBS]:
            path = f"projects/{_project(job)}/jobs/{ci_builds.number_of(one, name=self.name)}/trace"
            answer = await self._http.request("GET", path, headers=await self._headers())
            texts.append((str(one.get("name")), ci_builds.end_of(answer.body)))
        return ci_builds.joined(texts)

    async def stop(self, job: str, started: Started) -> None:
        """Cancels the pipeline."""
        number = started.number or started.queue_id
        path = f"projects/{_project(job)}/pipelines/{number}/cancel"
        await self._http.request("POST", path, headers=await self._headers())

    async def _variables(self, job: str) -> dict[str, Yaml]:
        """As GitLab's own form has them: those with a description, of the file with all that it includes."""
        query = {"content_ref": self._settings.ref}
        try:
            found = await self._http.json(
                f"projects/{_project(job)}/ci/lint", query=query, headers=await self._headers()
            )
        except CiMissing:  # there is no such branch
            return {}
        file = await ci_listing.document(foreign.text_at(found, "merged_yaml").encode())
        variables = _entries(_entries(file).get("variables"))
        return {key: one for key, one in variables.items() if "description" in _entries(one)}

    async def _jobs(self, job: str, number: str) -> list[JsonObject]:
        found = await self._get(f"projects/{_project(job)}/pipelines/{number}/jobs")
        if not isinstance(found, list):
            raise CiUnavailable(f"{self.name} gave no list of the jobs of pipeline {number}.")
        return foreign.mappings(found)

    async def _get(self, path: str) -> Json:
        return await self._http.json(path, query={"per_page": "100"}, headers=await self._headers())

    async def _headers(self) -> dict[str, str]:
        token = await token_of(self._settings, f"ci.{self.name}", self._secrets)
        return {"PRIVATE-TOKEN": token} if token else {}


def systems(services: Services) -> tuple[GitLab, ...]:
    """Those of the settings."""
    given = services.settings.ci.items()
    return tuple(GitLab(name, one, services.secrets) for name, one in given if one.type == "gitlab")


def _result(pipeline: JsonObject) -> BuildResult:
    return _RESULTS.get(foreign.text_at(pipeline, "status"), BuildResult.BUILDING)


def _entries(value: Yaml) -> dict[str, Yaml]:
    """Older servers write keys as Ruby's symbols: `:variables:`."""
    return {key.removeprefix(":"): one for key, one in ci_listing.entries(value).items()}


def _variable(name: str, declared: Yaml) -> JobParameter:
    found = _entries(declared)
    return JobParameter(
        name=name,
        default=ci_listing.scalar(found.get("value")),
        description=ci_listing.scalar(found.get("description")) or "",
        choices=ci_listing.scalars(found.get("options")),
    )


def _info(found: JsonObject, job: str, result: BuildResult, artifacts: list[Json]) -> JsonObject:
    seconds = found.get("duration")
    build = Build(
        job=job,
        number=found.get("id"),
        title=f"{job} #{found.get('id')}",
        result=result,
        url=found.get("web_url"),
        began=ci_http.instant(found.get("created_at")),
        took=timedelta(seconds=seconds) if isinstance(seconds, int | float) else None,
        artifacts=artifacts,
        scm=ci_builds.source(foreign.text(found.get("ref")), found.get("sha")),
    )
    return ci_builds.igor_json(build)


def _project(job: str) -> str:
    return quote(job.strip("/"), safe="")
