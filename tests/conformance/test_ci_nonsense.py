"""Every CI system that answers nonsense: whoever asked is told so by a failure that stages understand, never by a fault of ours."""

import asyncio
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.fakes.ci_worlds import TOKEN, AzureWorld, GitHubWorld, GitLabWorld, JenkinsWorld, World, served
from tests.fakes.http_target import Answer, Asked, running

from gennaker.interfaces.ci import BuildRequest, CiFailure, CiSystem, Started, UnreadableProperties
from gennaker.model.problems import Refused
from gennaker.plugins.azure_devops.pipelines import AzureDevOps
from gennaker.plugins.github.actions import GitHubActions
from gennaker.plugins.gitlab.pipelines import GitLab
from gennaker.plugins.jenkins.system import Jenkins
from gennaker.settings import CiSettings

pytestmark = pytest.mark.slow

SYSTEMS: dict[str, tuple[Callable[[str, CiSettings], CiSystem], type[World]]] = {
    "jenkins": (Jenkins, JenkinsWorld),
    "github": (GitHubActions, GitHubWorld),
    "gitlab": (GitLab, GitLabWorld),
    "azure-devops": (AzureDevOps, AzureWorld),
}
OF_WRONG_TYPES: dict[str, Any] = {
    "builds": [None, 5, {"number": [], "id": []}],
    "value": [None, 1, {"id": {}, "name": {}}],
    "workflow_runs": [1, None, {"id": [], "display_title": "the-key"}],
    "jobs": [1, None, {"id": {}, "name": 5}],
    "artifacts": [None, {"fileName": "a.properties", "relativePath": 5, "id": []}],
    "property": [1, None, {"parameterDefinitions": [None, 1, {"name": []}, {"name": "key"}]}],
    "items": [{"actions": [{"parameters": [{"name": "key", "value": "the-key"}]}]}],
    "executable": 5,
    "actions": [None, 1, {"parameters": [None]}],
}
OUT_OF_RANGE: dict[str, Any] = {
    "number": -(10**30),
    "id": 10**30,
    "timestamp": 10**30,
    "duration": -5,
    "result": "FINE",
    "status": "FINE",
    "conclusion": "FINE",
    "created_at": "9999-99-99",
    "startTime": "0000",
    "builds": [{"number": "x", "timestamp": 10**30, "result": "SUCCESS"}],
    "workflow_runs": [{"id": -5, "created_at": "x"}],
}
NONSENSE: dict[str, Answer] = {
    "null": Answer(body=b"null"),
    "a number": Answer(body=b"0"),
    "a list": Answer(body=[1, "x", [], {}, None]),
    "nothing": Answer(body=b""),
    "not UTF-8": Answer(body=b'{"jobs": "\xff"}'),
    "half a surrogate": Answer(body=b'{"jobs":[{"name":"\\ud800"}],"value":[{"name":"\\ud800","id":1}]}'),
    "too deep": Answer(body=b"[" * 100_000),
    "wrong types": Answer(body=OF_WRONG_TYPES),
    "out of range": Answer(body=OUT_OF_RANGE),
    "not what it is compressed with": Answer(body=b"plain", headers={"Content-Encoding": "gzip"}),
    "half of what is compressed": Answer(
        body=zlib.compress(b"x" * 9_999)[:20], headers={"Content-Encoding": "deflate"}
    ),
    "to a place that is none": Answer(status=302, headers={"Location": "http://[::"}),
    "to itself": Answer(status=302, headers={"Location": "/"}),
    "status 999": Answer(status=999),
}


Question = Callable[[CiSystem, str], Awaitable[object]]
REQUEST = BuildRequest(job="", parameters={"branch": "main"}, key="the-key")
QUESTIONS: dict[str, Question] = {
    "jobs": lambda system, _: system.jobs(),
    "job": lambda system, job: system.job(job),
    "builds": lambda system, job: system.builds(job),
    "start": lambda system, job: system.start(replace(REQUEST, job=job)),
    "find": lambda system, job: system.find(replace(REQUEST, job=job)),
    "numbered": lambda system, job: system.numbered(replace(REQUEST, job=job), Started(queue_id="101")),
    "build": lambda system, job: system.build(job, "1"),
    "properties": lambda system, job: system.properties(job, "1", "a.properties"),
    "log": lambda system, job: system.log(job, "1"),
    "stop": lambda system, job: system.stop(job, Started(queue_id="101", number="1")),
}


AMONG_RIGHT_ONES = ("null", "a number", "a list", "nothing", "half a surrogate", "wrong types", "out of range")


async def fault(question: Awaitable[object]) -> BaseException | None:
    """What came of it, where it is neither an answer nor a failure that the port knows."""
    try:
        await question
    except (CiFailure, Refused, UnreadableProperties):
        return None
    except Exception as error:  # noqa: BLE001 - it is what is looked for
        return error
    return None


async def faults_of(questions: Mapping[str, Awaitable[object]]) -> dict[str, BaseException]:
    found = await asyncio.gather(*map(fault, questions.values()))
    return {name: one for name, one in zip(questions, found, strict=True) if one is not None}


class After:
    """Answers rightly so many requests of each token, and then with the nonsense that the token names."""

    def __init__(self, world: World, right: int) -> None:
        self._world = world
        self._right = right
        self._requests = Counter[str]()

    def __call__(self, asked: Asked) -> Answer:
        token = self._world.token(asked)
        self._requests[token] += 1
        if not token or self._requests[token] <= self._right:
            return self._world.respond(asked)
        return NONSENSE[token.rpartition("/")[2]]


@pytest.mark.parametrize("type_", SYSTEMS)
def test_nonsense_is_a_failure_that_stages_understand(type_: str) -> None:
    made, world = SYSTEMS[type_]
    faults: dict[str, dict[str, BaseException]] = {}
    with running(lambda _: Answer()) as target:
        settings = CiSettings(type=type_, address=target.url, username="ada", key_parameter="key")  # type: ignore[arg-type]  # its own
        system = made(type_, settings)
        for kind, answer in NONSENSE.items():
            target.respond = lambda _, answer=answer: answer  # type: ignore[misc]  # mypy infers no lambda with a default
            questions = {name: ask(system, world.job) for name, ask in QUESTIONS.items()}
            if found := asyncio.run(faults_of(questions)):
                faults[kind] = found

    assert faults == {}


@pytest.mark.parametrize("right", [1, 2, 3])
@pytest.mark.parametrize("type_", SYSTEMS)
def test_so_is_nonsense_after_right_answers(type_: str, right: int, tmp_path: Path) -> None:
    made, world_type = SYSTEMS[type_]
    questions: dict[str, Awaitable[object]] = {}
    with served(world_type()) as world:
        world.run({"branch": "main"})
        world.finish(files={"a.properties": b"a=b"}, log="a log")
        world.target.respond = After(world, right)
        for kind in AMONG_RIGHT_ONES:
            for name, ask in QUESTIONS.items():  # told apart by their tokens
                token = tmp_path / f"{name} {kind}"
                token.write_text(f"{TOKEN}/{name}/{kind}")
                questions[token.name] = ask(made(type_, world.settings(str(token))), world.job)

        assert asyncio.run(faults_of(questions)) == {}
