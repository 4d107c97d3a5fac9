"""Jenkins over its remote access API (JSON).

A start gives a queue item, which later gets a build number; items vanish from the queue's API minutes after that, so the
number is then looked up by the item's id among the job's builds. Jenkins takes no idempotency key: a build can only be
found again if the job declares the parameter that `key-parameter` names.
"""

import base64
import itertools
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from urllib.parse import quote

from gennaker.interfaces.ci import (
    MOST_BUILDS,
    MOST_JOBS,
    BuildRequest,
    BuildResult,
    BuildState,
    CannotTell,
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
from gennaker.model.codec import Json, JsonObject, decode_json, from_milliseconds
from gennaker.model.problems import Problem, Refused
from gennaker.settings import CiSettings
from gennaker.transport import build_files, ci_builds
from gennaker.transport.ci_builds import Build
from gennaker.transport.ci_http import CiHttp, token_of

_JOB = "buildable,property[parameterDefinitions[name,type,choices]]"
_SHOWN_JOB = (
    "displayName,description,url,color,buildable,concurrentBuild,upstreamProjects[name],downstreamProjects[name],"
    "property[parameterDefinitions[name,type,description,choices,defaultParameterValue[value]]]"
)
_SHOWN_BUILD = (
    "building,fullDisplayName,number,duration,timestamp,result,url,id,"
    "actions[failCount,skipCount,totalCount,urlName,remoteUrls,lastBuiltRevision[SHA1,branch[name,SHA1]]]"
)
_BUILD = f"{_SHOWN_BUILD},artifacts[fileName,displayPath,relativePath]"
_PARAMETERS = "actions[parameters[name,value]]"
_LATEST_MILLISECONDS = 253_402_300_799_999
"""The end of the year 9999."""
_FOLDERS = 8
"""Folders within folders that are looked into."""
_QUEUE_ITEM = re.compile(r"/queue/item/(\d+)/?$")


class Jenkins:
    """One Jenkins."""

    type = "jenkins"
    settles_after = timedelta(seconds=10)

    def __init__(self, name: str, settings: CiSettings, secrets: Secrets | None = None) -> None:
        """Nothing is asked yet."""
        self.name = name
        self._settings = settings
        self._secrets = secrets
        self._http = CiHttp(name=name, address=settings.address)

    async def jobs(self) -> JobNames:
        """Those of all folders, by their paths; branches of a multibranch project are jobs as well."""
        fields = "name,jobs[name]{0,1}"  # of the deepest: only whether it is a folder, and has something in it
        for _ in range(_FOLDERS + 1):
            fields = f"name,jobs[{fields}]{{0,{MOST_JOBS + 1}}}"
        top = foreign.mapping(await self._http.json("api/json", query={"tree": fields}, headers=await self._headers()))
        found = tuple(itertools.islice(_paths(top), MOST_JOBS + 1))
        names = tuple(one for one in found if one.count("/job/") <= _FOLDERS)[:MOST_JOBS]
        return JobNames(names=names, is_cut=len(names) < len(found))

    async def job(self, name: str) -> Job:
        """As Jenkins describes it."""
        found = foreign.mapping(await self._get(_job(name), tree=_SHOWN_JOB))
        return Job(
            name=name,
            display_name=foreign.text_at(found, "displayName"),
            description=foreign.text_at(found, "description"),
            url=foreign.text_at(found, "url"),
            color=foreign.text_at(found, "color") or None,
            is_buildable=found.get("buildable") is True,
            is_concurrent=found.get("concurrentBuild") is True,
            parameters=tuple(
                _shown(one) for one in _definitions(found) if one.get("name") != self._settings.key_parameter
            ),
            upstream=tuple(foreign.text_at(one, "name") for one in foreign.mappings_at(found, "upstreamProjects")),
            downstream=tuple(foreign.text_at(one, "name") for one in foreign.mappings_at(found, "downstreamProjects")),
        )

    async def builds(self, job: str) -> tuple[JsonObject, ...]:
        """From the job's own list."""
        found = await self._builds(job, _SHOWN_BUILD)
        return tuple(_info(one, job, ci_builds.number_of(one, "number", name=self.name), _result(one)) for one in found)

    async def start(self, request: BuildRequest) -> Started:
        """Queues a build."""
        job = foreign.mapping(await self._get(_job(request.job), tree=_JOB))
        if job.get("buildable") is False:
            message = f"The job {request.job} of {self.name} is disabled or can't be built."
            raise Refused(Problem(code="ci.not_buildable", message=message, remedy="Enable it in Jenkins."))
        definitions = {foreign.text_at(one, "name"): one for one in _definitions(job)}
        parameters = dict(request.parameters)
        _check_parameters(request.job, parameters, definitions)
        if self._settings.key_parameter in definitions:
            parameters[self._settings.key_parameter] = request.key
        if definitions:
            answer = await self._post(
                f"{_job(request.job)}/buildWithParameters", form=parameters or {"startedBy": "gennaker"}
            )
        else:
            answer = await self._post(f"{_job(request.job)}/build")
        found = _QUEUE_ITEM.search(answer.get("location", ""))
        if found is None:
            message = f"{self.name} has accepted a build of {request.job} but names no queue item."
            raise Refused(Problem(code="ci.no_queue_item", message=message, remedy="Look at the job in Jenkins."))
        return Started(queue_id=found[1])

    async def find(self, request: BuildRequest) -> Started | None:
        """By the key's parameter, in the queue and among the latest builds."""
        key = self._settings.key_parameter
        job = foreign.mapping(await self._get(_job(request.job), tree=_JOB)) if key else {}
        if not key or key not in {foreign.text_at(one, "name") for one in _definitions(job)}:
            raise CannotTell(f"The job {request.job} of {self.name} has no parameter for the key of a start.")
        queue = foreign.mapping(await self._get("queue", tree=f"items[id,{_PARAMETERS}]"))
        for item in foreign.mappings(queue.get("items")):
            if _parameter(item, key) == request.key:
                return Started(queue_id=ci_builds.number_of(item, name=self.name))
        for build in await self._builds(request.job, f"number,queueId,{_PARAMETERS}"):
            if _parameter(build, key) == request.key:
                return Started(
                    queue_id=ci_builds.number_of(build, "queueId", name=self.name),
                    number=ci_builds.number_of(build, "number", name=self.name),
                )
        return None

    async def numbered(self, request: BuildRequest, started: Started) -> Started:
        """From the queue item, or from the build that came of it."""
        try:
            item = foreign.mapping(
                await self._get(f"queue/item/{started.queue_id}", tree="cancelled,executable[number]")
            )
        except CiMissing:
            for build in await self._builds(request.job, "number,queueId"):
                if str(build.get("queueId")) == started.queue_id:
                    return Started(
                        queue_id=started.queue_id, number=ci_builds.number_of(build, "number", name=self.name)
                    )
            raise
        if item.get("cancelled") is True:
            message = f"The build of {request.job} was taken out of the queue of {self.name}."
            raise Refused(Problem(code="ci.queue_cancelled", message=message))
        number = foreign.mapping(item.get("executable")).get("number")
        return started if number is None else Started(queue_id=started.queue_id, number=str(number))

    async def build(self, job: str, number: str) -> BuildState:
        """In Igor's form."""
        found = foreign.mapping(await self._get(f"{_job(job)}/{number}", tree=_BUILD))
        result = _result(found)
        url = str(found.get("url") or "")
        return BuildState(result=result, url=url, info=_info(found, job, number, result))

    async def properties(self, job: str, number: str, file: str) -> JsonObject:
        """From the archived artifact of this file name."""
        found = foreign.mapping(await self._get(f"{_job(job)}/{number}", tree="artifacts[fileName,relativePath]"))
        for artifact in foreign.mappings(found.get("artifacts")):
            if artifact.get("fileName") == file:
                return build_files.parse(file, await self.file(job, number, foreign.text_at(artifact, "relativePath")))
        raise CiMissing(f"Build {number} of {job} has archived no file {file!r}.")

    async def file(self, job: str, number: str, path: str) -> bytes:
        """An archived file, by its path in the workspace."""
        where = f"{_job(job)}/{quote(number, safe='')}/artifact/{_path(path)}"
        return (await self._http.request("GET", where, headers=await self._headers())).body

    async def log(self, job: str, number: str) -> str:
        """The console's text."""
        answer = await self._http.request("GET", f"{_job(job)}/{number}/consoleText", headers=await self._headers())
        return ci_builds.end_of(answer.body)

    async def stop(self, job: str, started: Started) -> None:
        """The build, or the queue item."""
        try:
            if started.number is None:
                await self._post("queue/cancelItem", query={"id": started.queue_id})
            else:
                await self._post(f"{_job(job)}/{started.number}/stop")
        except CiMissing:
            return  # it has left the queue, or is gone altogether

    async def _builds(self, job: str, fields: str) -> list[JsonObject]:
        tree = f"builds[{fields}]{{0,{MOST_BUILDS}}}"
        return foreign.mappings(foreign.mapping(await self._get(_job(job), tree=tree)).get("builds"))

    async def _get(self, path: str, *, tree: str) -> Json:
        return await self._http.json(f"{path}/api/json", query={"tree": tree}, headers=await self._headers())

    async def _post(
        self, path: str, *, query: Mapping[str, str] | None = None, form: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        headers = await self._headers()
        if self._settings.csrf:
            headers |= await self._crumb()
        answer = await self._http.request("POST", path, query=query, headers=headers, form=form or {})
        return answer.headers

    async def _crumb(self) -> dict[str, str]:
        """The crumb belongs to a session, whose cookie has to come with it."""
        answer = await self._http.request("GET", "crumbIssuer/api/json", headers=await self._headers())
        try:
            crumb = foreign.mapping(decode_json(answer.body))
        except ValueError as error:
            raise CiUnavailable(f"{self.name} gave no crumb.") from error
        headers = {str(crumb.get("crumbRequestField") or "Jenkins-Crumb"): str(crumb.get("crumb") or "")}
        cookie = answer.headers.get("set-cookie", "").partition(";")[0]
        return {**headers, "Cookie": cookie} if cookie else headers

    async def _headers(self) -> dict[str, str]:
        token = await token_of(self._settings, f"ci.{self.name}", self._secrets)
        if not token:
            return {}
        if not self._settings.username:
            return {"Authorization": f"Bearer {token}"}
        pair = base64.b64encode(f"{self._settings.username}:{token}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}


def systems(services: Services) -> tuple[Jenkins, ...]:
    """Those of the settings."""
    given = services.settings.ci.items()
    return tuple(Jenkins(name, one, services.secrets) for name, one in given if one.type == "jenkins")


def _check_parameters(job: str, given: Mapping[str, str], definitions: Mapping[str, JsonObject]) -> None:
    if given and not definitions:
        message = f"The job {job} takes no parameters, but the stage gives {', '.join(sorted(given))}."
        raise Refused(Problem(code="ci.parameters", message=message, remedy="Remove them from the stage."))
    for name, value in given.items():
        choices = definitions.get(name, {}).get("choices")
        if isinstance(choices, list) and choices and value not in choices:
            message = f"The job {job} doesn't allow {value!r} for its parameter {name}."
            raise Refused(
                Problem(code="ci.parameters", message=message, remedy=f"Use one of {', '.join(map(str, choices))}.")
            )


def _paths(folder: JsonObject, prefix: str = "") -> Iterator[str]:
    """Of the jobs within; what has a list of jobs, even an empty one, is a folder."""
    for one in foreign.mappings(folder.get("jobs")):
        path = f"{prefix}{foreign.text_at(one, 'name')}"
        if "jobs" in one:
            yield from _paths(one, f"{path}/job/")
        else:
            yield path


def _shown(definition: JsonObject) -> JobParameter:
    kind = foreign.text_at(definition, "type")
    default = foreign.mapping(definition.get("defaultParameterValue")).get("value")
    return JobParameter(
        name=foreign.text_at(definition, "name"),
        default=None if default is None or "Password" in kind else foreign.written(default),
        description=foreign.text_at(definition, "description"),
        type=kind,
        choices=tuple(map(foreign.written, foreign.items(definition.get("choices")))),
    )


def _result(build: JsonObject) -> BuildResult:
    said = foreign.text_at(build, "result")
    if build.get("building") is True or not said:
        return BuildResult.BUILDING
    try:
        return BuildResult(said)
    except ValueError as error:
        raise CiUnavailable(f"Jenkins tells of a build with the result {said[:100]!r}, which is none.") from error


def _info(found: JsonObject, job: str, number: str, result: BuildResult) -> JsonObject:
    artifacts: list[Json] = [
        {**one, "type": "jenkins/file", "name": job, "version": number, "reference": one.get("relativePath")}
        for one in foreign.mappings(found.get("artifacts"))
    ]
    actions = foreign.mappings(found.get("actions"))
    tests: list[Json] = [
        {key: one.get(key) for key in ("failCount", "skipCount", "totalCount", "urlName")}
        for one in actions
        if "totalCount" in one
    ]
    natural = foreign.natural(number)
    began, took = _milliseconds(found.get("timestamp")), _milliseconds(found.get("duration"))
    build = Build(
        job=job,
        number=number if natural is None else natural,
        title=found.get("fullDisplayName"),
        result=result,
        url=found.get("url"),
        began=None if began is None else from_milliseconds(began),
        took=None if took is None else timedelta(milliseconds=took),
        artifacts=artifacts,
        tests=tests,
        scm=_scm(actions),
    )
    return ci_builds.igor_json(build)


def _milliseconds(value: Json) -> int | None:
    return value if isinstance(value, int) and 0 <= value <= _LATEST_MILLISECONDS else None


def _scm(actions: list[JsonObject]) -> list[Json]:
    found: dict[str, Json] = {}
    for action in actions:
        revision = foreign.mapping(action.get("lastBuiltRevision"))
        remotes = action.get("remoteUrls")
        for branch in foreign.mappings(revision.get("branch")):
            sha, name = str(branch.get("SHA1") or ""), str(branch.get("name") or "")
            remote = remotes[0] if isinstance(remotes, list) and remotes else ""
            found[sha] = {"name": name, "branch": name.rpartition("/")[2], "sha1": sha, "remoteUrl": remote}
    return list(found.values())


def _job(job: str) -> str:
    """`team/job/app` stays so; a name alone, too."""
    return f"job/{_path(job)}"


def _path(text: str) -> str:
    """As a part of an address. Raises Refused."""
    parts = text.strip("/").split("/")
    if not all(parts):
        message = f"{text!r} names nothing of Jenkins."
        raise Refused(Problem(code="ci.path", message=message, remedy="Write it without empty parts."))
    return quote("/".join(parts))


def _definitions(job: JsonObject) -> Iterator[JsonObject]:
    for one in foreign.mappings(job.get("property")):
        yield from foreign.mappings(one.get("parameterDefinitions"))


def _parameter(item: JsonObject, name: str) -> Json:
    for action in foreign.mappings(item.get("actions")):
        for one in foreign.mappings(action.get("parameters")):
            if one.get("name") == name:
                return one.get("value")
    return None
