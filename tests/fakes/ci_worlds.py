"""CI systems for tests: small servers that follow the vendors' documented APIs, over one record of what was built.

What a test wants of a build it says on the world (`finish`, files, log); what the client asks for comes over HTTP.
"""

import base64
import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fakes import ci_listings
from tests.fakes.http_target import Answer, Asked, Target, running

from gennaker.settings import CiSettings

TOKEN = "the-token"


class Run:
    """One build."""

    def __init__(self, number: int, parameters: dict[str, str]) -> None:
        self.number = number
        self.parameters = parameters
        self.result = ""
        """Empty: it runs. `success`, `failure`, `aborted`, `unstable`."""
        self.files: dict[str, bytes] = {}
        self.log = ""


class World:
    """What all fakes share."""

    job = "app"
    unknown_job = "none"
    has_unstable = False

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.target: Target
        self.loses_next_start = False
        """It does what it was asked, but its answer is lost."""
        self.is_down = False
        self.wants_number_at_once = True
        self.others = 0
        """So many jobs it has besides."""

    def run(self, parameters: dict[str, str]) -> Run:
        one = Run(len(self.runs) + 1, parameters)
        self.runs.append(one)
        return one

    def finish(self, result: str = "success", *, files: dict[str, bytes] | None = None, log: str = "") -> None:
        self.runs[-1].result = result
        self.runs[-1].files |= files or {}
        self.runs[-1].log = log

    def give_number(self) -> None:
        """Takes the last build out of the queue."""

    def say(self, path: str, answer: Answer) -> None:
        """Answers so from now on to whoever asks for this path."""
        usual = self.target.respond
        self.target.respond = lambda asked: answer if urlsplit(asked.path).path == path else usual(asked)

    def settings(self, token_file: str) -> CiSettings:
        raise NotImplementedError

    def leave_properties(self, file: str, properties: dict[str, str]) -> dict[str, Any]:
        """Arguments for `finish` that leave these properties the vendor's way."""
        return {"files": {file: json.dumps(properties).encode()}}

    def respond(self, asked: Asked) -> Answer:
        if self.is_down:
            return Answer(status=503, body={"message": "maintenance"})
        if TOKEN not in self.token(asked):
            return Answer(status=401, body={"message": "who are you?"})
        before = len(self.runs)
        answer = self.route(asked, urlsplit(asked.path).path, parse_qs(urlsplit(asked.path).query)) or Answer(
            status=404
        )
        if self.loses_next_start and len(self.runs) > before:
            self.loses_next_start = False
            return Answer(is_dropped=True)
        return answer

    def route(self, asked: Asked, path: str, query: dict[str, list[str]]) -> Answer | None:
        raise NotImplementedError

    def by_number(self, text: str) -> Run | None:
        return next((run for run in self.runs if str(run.number) == text), None)

    @staticmethod
    def token(asked: Asked) -> str:
        kind, _, value = asked.headers.get("authorization", "").partition(" ")
        if kind == "Basic":
            return base64.b64decode(value).decode()
        return value or asked.headers.get("private-token", "")


def zipped(files: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return held.getvalue()


_REVISION = {"SHA1": "abc123", "branch": [{"SHA1": "abc123", "name": "refs/remotes/origin/main"}]}
_JENKINS_ACTIONS = [
    {},
    {"failCount": 0, "skipCount": 1, "totalCount": 9, "urlName": "testReport"},
    {"lastBuiltRevision": _REVISION, "remoteUrls": ["https://example.org/app.git"]},
]


class JenkinsWorld(World):
    """Jenkins' remote access API, with CSRF protection and a quiet period that a test ends."""

    job = "team/job/app"
    has_unstable = True

    def __init__(self) -> None:
        super().__init__()
        self.queue: list[Run] = []
        self.definitions: list[dict[str, Any]] = [
            {
                "name": "branch",
                "type": "StringParameterDefinition",
                "description": "What is built",
                "defaultParameterValue": {"value": "main"},
            },
            {
                "name": "size",
                "type": "ChoiceParameterDefinition",
                "choices": ["small", "large"],
                "defaultParameterValue": {"value": "small"},
            },
            {"name": "GENNAKER_KEY", "type": "StringParameterDefinition"},
        ]
        self.is_buildable = True
        self.stops: list[str] = []

    def settings(self, token_file: str) -> CiSettings:
        return CiSettings(
            type="jenkins",
            address=self.target.url,
            username="ci",
            token_file=token_file,
            csrf=True,
            key_parameter="GENNAKER_KEY",
        )

    def give_number(self) -> None:
        self.queue.clear()

    def route(self, asked: Asked, path: str, query: dict[str, list[str]]) -> Answer | None:
        if asked.method == "GET" and path == "/crumbIssuer/api/json":
            crumb = {"crumb": "c1", "crumbRequestField": "Jenkins-Crumb"}
            return Answer(body=crumb, headers={"Set-Cookie": "JSESSIONID=s1; Path=/; HttpOnly"})
        if asked.method == "POST":
            if asked.headers.get("jenkins-crumb") != "c1" or asked.headers.get("cookie") != "JSESSIONID=s1":
                return Answer(status=403, body=b"No valid crumb was included in the request")
            return self._write(asked, path, query)
        return self._read(path)

    def _write(self, asked: Asked, path: str, query: dict[str, list[str]]) -> Answer | None:
        if path in {f"/job/{self.job}/build", f"/job/{self.job}/buildWithParameters"}:
            if self.definitions and path.endswith("/build"):
                return Answer(status=400, body=b"Nothing is submitted")
            given = {key: values[0] for key, values in parse_qs(asked.body.decode()).items()}
            known = {one["name"] for one in self.definitions}
            run = self.run({key: value for key, value in given.items() if key in known})
            if not self.wants_number_at_once:
                self.queue.append(run)
            return Answer(status=201, headers={"Location": f"{self.target.url}/queue/item/{run.number + 100}/"})
        if path == "/queue/cancelItem":
            found = [run for run in self.queue if str(run.number + 100) == query["id"][0]]
            for run in found:
                run.result = "cancelled-in-queue"
            return Answer(status=204 if found else 404)
        if stopped := re.fullmatch(rf"/job/{self.job}/(\d+)/stop", path):
            run = self.by_number(stopped[1])
            if run is None:
                return None
            run.result = run.result or "aborted"
            return Answer(status=302, headers={"Location": f"{self.target.url}/job/{self.job}/api/json"})
        return None

    def _read(self, path: str) -> Answer | None:
        if path == f"/job/{self.job}/api/json":
            builds = [
                {**self._said(run), "queueId": run.number + 100, "actions": [*self._actions(run), *_JENKINS_ACTIONS]}
                for run in reversed(self.runs)
                if run not in self.queue
            ]
            held = [{"parameterDefinitions": self.definitions}] if self.definitions else [{}]
            described = {"displayName": "app", "url": f"{self.target.url}/job/{self.job}/", "color": "blue"}
            return Answer(body={"buildable": self.is_buildable, "property": held, "builds": builds, **described})
        if path == "/api/json":
            return Answer(body=ci_listings.jenkins_tree(self.others))
        if path == "/queue/api/json":
            items = [{"id": run.number + 100, "actions": self._actions(run)} for run in self.queue if not run.result]
            return Answer(body={"items": items})
        if item := re.fullmatch(r"/queue/item/(\d+)/api/json", path):
            run = self.by_number(str(int(item[1]) - 100))
            if run is None:
                return None
            if run.result == "cancelled-in-queue":
                return Answer(body={"cancelled": True})
            waits = run in self.queue
            return Answer(
                body={"cancelled": False} if waits else {"cancelled": False, "executable": {"number": run.number}}
            )
        if build := re.fullmatch(rf"/job/{self.job}/(\d+)/(.*)", path):
            run = self.by_number(build[1])
            return self._build(run, build[2]) if run else None
        return None

    def _build(self, run: Run, rest: str) -> Answer | None:
        if rest == "consoleText":
            return Answer(body=run.log.encode())
        if rest.startswith("artifact/target/"):
            content = run.files.get(unquote(rest.removeprefix("artifact/target/")))
            return None if content is None else Answer(body=content)
        files = [{"fileName": name, "displayPath": name, "relativePath": f"target/{name}"} for name in run.files]
        return Answer(body={**self._said(run), "artifacts": files, "actions": _JENKINS_ACTIONS})

    def _said(self, run: Run) -> dict[str, Any]:
        results = {"success": "SUCCESS", "failure": "FAILURE", "aborted": "ABORTED", "unstable": "UNSTABLE"}
        return {
            "_class": "org.jenkinsci.plugins.workflow.job.WorkflowRun",
            "building": not run.result,
            "result": results.get(run.result),
            "number": run.number,
            "id": str(run.number),
            "url": f"{self.target.url}/job/{self.job}/{run.number}/",
            "fullDisplayName": f"team » app #{run.number}",
            "duration": 1200,
            "timestamp": 1764318000000,
        }

    @staticmethod
    def _actions(run: Run) -> list[dict[str, Any]]:
        return [{"parameters": [{"name": key, "value": value} for key, value in run.parameters.items()]}, {}]


class GitHubWorld(World):
    """GitHub's REST API for Actions. `tells_ids`: whether a dispatch is answered with the run's id."""

    job = "acme/app/build.yml"
    unknown_job = "acme/none/build.yml"
    tells_ids = True

    def settings(self, token_file: str) -> CiSettings:
        return CiSettings(type="github", address=self.target.url, token_file=token_file, key_parameter="gennaker_run")

    def route(self, asked: Asked, path: str, query: dict[str, list[str]]) -> Answer | None:
        top = "/repos/acme/app/actions"
        if (asked.method, path) == ("POST", f"{top}/workflows/build.yml/dispatches"):
            given = asked.json
            unknown = set(given["inputs"]) - {"branch", "size", "gennaker_run"}
            if unknown or "ref" not in given:
                return Answer(status=422, body={"message": f"Unexpected inputs provided: {sorted(unknown)}"})
            run = self.run(given["inputs"])
            if not (self.tells_ids and given.get("return_run_details")):
                return Answer(status=204)
            return Answer(body={"workflow_run_id": run.number, "run_url": "", "html_url": ""})
        if path == f"{top}/workflows/build.yml/runs":
            assert query.get("event", ["workflow_dispatch"]) == ["workflow_dispatch"]
            return Answer(
                body={"total_count": len(self.runs), "workflow_runs": [self._run(r) for r in reversed(self.runs)]}
            )
        if found := re.fullmatch(rf"{top}/runs/(\d+)(/\w+)?", path):
            run = self.by_number(found[1])
            return self._of_run(asked, run, found[2] or "") if run else None
        if found := re.fullmatch(rf"{top}/artifacts/(\d+)/zip", path):
            run = self.by_number(found[1])
            return (
                Answer(status=302, headers={"Location": f"{self.target.url}/blob/{run.number}?sig=x"}) if run else None
            )
        if found := re.fullmatch(rf"{top}/jobs/(\d+)/logs", path):
            run = self.by_number(found[1])
            return Answer(body=run.log.encode()) if run else None
        if found := re.fullmatch(r"/blob/(\d+)", path):
            run = self.by_number(found[1])
            return Answer(body=zipped({f"out/{name}": content for name, content in run.files.items()})) if run else None
        return ci_listings.github(path, others=self.others)

    def _of_run(self, asked: Asked, run: Run, rest: str) -> Answer | None:
        if rest == "/cancel" and asked.method == "POST":
            if run.result:
                return Answer(status=409, body={"message": "Cannot cancel a workflow run that is completed."})
            run.result = "aborted"
            return Answer(status=202, body={})
        if rest == "/artifacts":
            url = f"{self.target.url}/repos/acme/app/actions/artifacts/{run.number}/zip"
            one = {"id": run.number, "name": "out", "expired": False, "archive_download_url": url}
            return Answer(body={"total_count": 1, "artifacts": [one] if run.files else []})
        if rest == "/jobs":
            return Answer(body={"total_count": 1, "jobs": [{"id": run.number, "name": "build"}]})
        return Answer(body=self._run(run)) if not rest else None

    def _run(self, run: Run) -> dict[str, Any]:
        conclusions = {"success": "success", "failure": "failure", "aborted": "cancelled"}
        return {
            "id": run.number,
            "display_title": f"build {run.parameters.get('gennaker_run', '')}",
            "status": "completed" if run.result else "in_progress",
            "conclusion": conclusions.get(run.result),
            "html_url": f"https://github.example.org/acme/app/actions/runs/{run.number}",
            "head_branch": "main",
            "head_sha": "abc123",
            "run_started_at": "2026-11-28T08:00:00Z",
            "updated_at": "2026-11-28T08:00:05Z",
        }


class GitLabWorld(World):
    """GitLab's REST API, version 4."""

    job = "acme/app"

    def settings(self, token_file: str) -> CiSettings:
        return CiSettings(type="gitlab", address=self.target.url, token_file=token_file, key_parameter="GENNAKER_KEY")

    def leave_properties(self, file: str, properties: dict[str, str]) -> dict[str, Any]:
        return {"log": f"hello\nSPINNAKER_CONFIG_JSON={json.dumps(properties)}\n"}

    def route(self, asked: Asked, path: str, query: dict[str, list[str]]) -> Answer | None:
        top = "/api/v4/projects/acme%2Fapp"
        if (asked.method, path) == ("POST", f"{top}/pipeline"):
            given = asked.json
            assert given["ref"]
            return Answer(status=201, body=self._pipeline(self.run({v["key"]: v["value"] for v in given["variables"]})))
        if (asked.method, path) == ("GET", f"{top}/pipelines"):
            return Answer(body=[self._pipeline(run) for run in reversed(self.runs)])
        if found := re.fullmatch(rf"{top}/pipelines/(\d+)(/\w+)?", path):
            run = self.by_number(found[1])
            return self._of_pipeline(asked, run, found[2] or "") if run else None
        if found := re.fullmatch(rf"{top}/jobs/(\d+)/trace", path):
            run = self.by_number(found[1])
            return Answer(body=run.log.encode()) if run else None
        return ci_listings.gitlab(path, query, others=self.others)

    def _of_pipeline(self, asked: Asked, run: Run, rest: str) -> Answer | None:
        if rest == "/variables":
            return Answer(body=[{"key": k, "value": v, "variable_type": "env_var"} for k, v in run.parameters.items()])
        if rest == "/jobs":
            held = {"artifacts_file": {"filename": "artifacts.zip", "size": 1}} if run.files else {}
            return Answer(body=[{"id": run.number, "name": "build", **held}])
        if rest == "/cancel" and asked.method == "POST":
            run.result = run.result or "aborted"
            return Answer(body=self._pipeline(run))
        return Answer(body=self._pipeline(run)) if not rest else None

    def _pipeline(self, run: Run) -> dict[str, Any]:
        statuses = {"success": "success", "failure": "failed", "aborted": "canceled"}
        return {
            "id": run.number,
            "status": statuses.get(run.result, "running"),
            "ref": "main",
            "sha": "abc123",
            "source": "api",
            "duration": 5,
            "created_at": "2026-11-28T08:00:00.000Z",
            "web_url": f"https://gitlab.example.org/acme/app/-/pipelines/{run.number}",
        }


class AzureWorld(World):
    """The REST API of Azure DevOps, version 7.1."""

    job = "Shop/7"
    unknown_job = "Shop/8"
    has_unstable = True

    def settings(self, token_file: str) -> CiSettings:
        return CiSettings(
            type="azure-devops", address=self.target.url, token_file=token_file, key_parameter="gennakerKey"
        )

    def route(self, asked: Asked, path: str, query: dict[str, list[str]]) -> Answer | None:
        if path == "/Shop/download":
            run = self.by_number(query["run"][0])
            return (
                Answer(body=zipped({f"drop/{name}": content for name, content in run.files.items()})) if run else None
            )
        if query.get("api-version") != ["7.1"]:
            return Answer(status=400, body={"message": "No api-version was supplied"})
        if path == "/Shop/_apis/pipelines/7/runs":
            if asked.method == "POST":
                given = asked.json
                assert given["resources"]["repositories"]["self"]["refName"].startswith("refs/heads/")
                return Answer(body=self._run(self.run(given["templateParameters"])))
            return Answer(body={"count": len(self.runs), "value": [{"id": run.number} for run in self.runs]})
        if found := re.fullmatch(r"/Shop/_apis/pipelines/7/runs/(\d+)", path):
            run = self.by_number(found[1])
            return Answer(body=self._run(run)) if run else None
        if found := re.fullmatch(r"/Shop/_apis/build/builds/(\d+)(/[\w/]+)?", path):
            run = self.by_number(found[1])
            return self._of_build(asked, run, found[2] or "") if run else None
        if path == "/Shop/_apis/build/builds":
            return ci_listings.of_pipeline(query, [self._said(run) for run in reversed(self.runs)])
        return ci_listings.azure(path, query, others=self.others)

    def _of_build(self, asked: Asked, run: Run, rest: str) -> Answer | None:
        if rest == "/artifacts":
            url = f"{self.target.url}/Shop/download?run={run.number}"
            one = {"id": 1, "name": "drop", "resource": {"type": "Container", "downloadUrl": url}}
            return Answer(body={"count": 1, "value": [one] if run.files else []})
        if rest == "/logs":
            return Answer(body={"count": 1, "value": [{"id": 1, "type": "Container"}]})
        if rest == "/logs/1":
            return Answer(body=run.log.encode())
        if asked.method == "PATCH" and not rest:
            assert asked.json == {"status": "cancelling"}
            run.result = run.result or "aborted"
        return Answer(body=self._said(run))

    @staticmethod
    def _said(run: Run) -> dict[str, Any]:
        results = {"success": "succeeded", "failure": "failed", "aborted": "canceled", "unstable": "partiallySucceeded"}
        return {
            "id": run.number,
            "buildNumber": f"20261128.{run.number}",
            "status": "completed" if run.result else "inProgress",
            "result": results.get(run.result),
            "sourceBranch": "refs/heads/main",
            "sourceVersion": "abc123",
            "startTime": "2026-11-28T08:00:00.1234567Z",
            "finishTime": "2026-11-28T08:00:05.1234567Z",
            "_links": {"web": {"href": f"https://dev.example.org/Shop/_build/results?buildId={run.number}"}},
        }

    @staticmethod
    def _run(run: Run) -> dict[str, Any]:
        return {"id": run.number, "state": "inProgress", "templateParameters": run.parameters}


@contextmanager
def served(world: World) -> Iterator[World]:
    """The world's server until the block ends."""
    with running(world.respond) as target:
        world.target = target
        yield world
