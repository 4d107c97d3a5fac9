"""Secrets in a whole server on disk: they reach what they are for, and nothing else that leaves or is kept has them."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests import make
from tests.fakes.cloud_worlds import CONFIG, IMAGE
from tests.fakes.http_target import Answer, Asked, Target, running
from tests.fakes.registry import MemoryRegistry
from tests.fakes.website import NOT_OFFERED, Website
from tests.fakes.website import Answer as Answered
from tests.harness import TESTER, Harness, ended, problem_of
from tests.shells import running as server
from tests.unit.web import test_access as access

from gennaker.access import masking
from gennaker.access.stored_secrets import SecretRules
from gennaker.interfaces.executions import Submission
from gennaker.model.codec import encode
from gennaker.model.execution import Execution, ExecutionKind
from gennaker.model.statuses import Status
from gennaker.plugins.deploy.plugin import plugin as deploy
from gennaker.plugins.local.plugin import plugin as local
from gennaker.plugins.webhook import plugin as webhook
from gennaker.settings import PreconfiguredWebhookSettings, Settings
from gennaker.worker.clock import SystemClock, SystemIds

pytestmark = pytest.mark.slow

IN_HEADER = 'header "4711"/+?'
IN_PAYLOAD = "payload-with-ümlaut-0815"
IN_JOB = "job secret of\ntwo lines of text"
OF_OPERATOR = "operator-secret-in-environment"
_ANSWERED = 60
"""So many routes have something to say at least."""
PLANTED = (IN_HEADER, IN_PAYLOAD, IN_JOB, OF_OPERATOR)
LEAKS = """
printf '%s' "$TOKEN" | head -c 9; sleep 0.1; printf '%s' "$TOKEN" | tail -c +10
printf '%s' "$TOKEN" | base64 -w 0
python3 -c 'import json, os; json.dump({"leak": os.environ["TOKEN"]}, open("out.json", "w"))'
printf '%s' "$TOKEN" > report.txt
exit 3
"""


class Sources(msgspec.Struct):
    time: SystemClock
    ids: SystemIds


def echo(asked: Asked) -> Answer:
    """Everything that was sent, under names that don't look secret."""
    said = {"heard": dict(asked.headers), "body": asked.body.decode(), "again": asked.body.decode() * 2}
    return Answer(status=400 if asked.path == "/refuse" else 200, body=said)


def settings_for(target: Target) -> Settings:
    fixed = PreconfiguredWebhookSettings(
        label="Tell", url=f"{target.url}/tell", method="POST", custom_headers={"X-Own": "secret://env?n=OWN"}
    )
    return Settings(webhook_hosts=(target.address,), preconfigured_webhooks={"tell": fixed})


def pipeline(target: Target, image: str) -> dict[str, Any]:
    sent = {
        "customHeaders": {"Authorization": "Bearer secret://store?n=header"},
        "payload": {"token": ["encrypted:store!n:payload"]},
        "method": "POST",
    }
    job = {"command": LEAKS, "environment": {"TOKEN": "encrypted:store!n:job", "LEVEL": "1"}, "image": image}
    return make.config(
        make.stage_json("say", type="webhook", url=f"{target.url}/say", **sent),
        make.stage_json("tell", type="tell", requisiteStageRefIds=["say"]),
        make.stage_json(
            "work",
            type="runJob",
            account="local",
            region="local",
            cloudProvider="local",
            reports={"text": "report.txt"},
            propertyFile="out.json",
            failPipeline=False,
            continuePipeline=True,
            requisiteStageRefIds=["tell"],
            **job,
        ),
        make.stage_json("refused", type="webhook", url=f"{target.url}/refuse", requisiteStageRefIds=["work"], **sent),
    )


def test_a_secret_that_an_expression_names_is_not_sent() -> None:
    """Who starts it must not choose: the payload of a webhook from outside may say anything."""
    said: dict[str, Any] = {"payload": {"text": "${ parameters.text }"}, "method": "POST"}
    named = {"customHeaders": {"X-Own": "encrypted:store!n:own"}, **said}
    with running(echo) as target:
        harness = Harness(webhook.plugin, settings=settings_for(target))
        stages = [
            make.stage_json("plain", type="webhook", url=target.url, failPipeline=False, continuePipeline=True, **said),
            make.stage_json("same", type="webhook", url=target.url, requisiteStageRefIds=["plain"], **named),
        ]
        execution = harness.run(make.config(*stages), {"parameters": {"text": "see encrypted:store!n:hub"}})
        assert target.asked == []

    assert "encrypted:store!n:hub doesn't stand in the pipeline" in problem_of(execution)
    assert [stage.status for stage in execution.in_order()] == [Status.FAILED_CONTINUE, Status.TERMINAL]


async def every_answer(site: Website, execution: Execution) -> bytes:
    """What a curious person can ask for."""
    own = f"/api/v1/executions/{execution.head.id}"
    asked = ["/api/v1/secrets", own, f"/pipelines/{execution.head.id}", "/search?q=token&type=pipelines"]
    asked += [f"{own}/{part}" for part in ("journal", "why", "evidence", "logs")]
    asked += [f"/pipelines/{execution.head.id}/evaluateExpression?expression=%23root", "/api/v1/executions"]
    answers = [await site.get(path) for path in asked]
    refused = [
        await site.call("PUT", "/api/v1/secrets/x", json={"value": IN_HEADER, "wrong": IN_HEADER}),
        await site.call("PUT", "/api/v1/secrets/%20", json={"value": IN_HEADER}),
        await site.get(f"/api/v1/executions/{IN_PAYLOAD.replace('ü', '%C3%BC')}"),
    ]
    assert [one.status for one in answers] == [200] * len(asked)
    assert all(one.status >= 400 for one in refused)
    walked = [await site.get(path) for path in everywhere(site, execution, answers)]
    assert sum(one.status == 200 for one in walked) > _ANSWERED
    return b"\n".join(one.body for one in (*answers, *refused, *walked))


def everywhere(site: Website, execution: Execution, answers: list[Answered]) -> list[str]:
    """All that can be read, of this execution: so that a new route is looked at, too."""
    head = execution.head
    values = {"application": head.application, "execution_id": head.id, "task_id": head.id, "name": "header"}
    digests = set(re.findall(rb"sha256:[0-9a-f]{64}", b"".join(one.body for one in answers)))
    found: list[str] = []
    for method, template in access.routes(site):
        if method != "GET" or template.startswith(("/api/v1/events", *NOT_OFFERED)):
            continue
        path = template
        for name, value in values.items():
            path = path.replace(f"{{{name}}}", value)
        if "{stage_id}" in path:
            found += [path.replace("{stage_id}", one.id) for one in execution.in_order()]
        elif "{digest}" in path:
            found += [path.replace("{digest}", one.decode()) for one in sorted(digests)]
        else:
            found.append("/".join("x" if part.startswith("{") else part for part in path.split("/")))
    return found


def test_planted_secrets_reach_their_targets_and_are_nowhere_else(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = MemoryRegistry()
    image = source.add("web", "1", IMAGE, CONFIG)

    async def main(target: Target) -> tuple[Execution, bytes]:
        async with server(
            settings_for(target),
            tmp_path,
            (webhook.plugin, deploy, local),
            registries={"local-registry": source},
            environment={"OWN": OF_OPERATOR},
        ) as parts:
            core = parts.core
            for name, value in (("header", IN_HEADER), ("payload", IN_PAYLOAD), ("job", IN_JOB)):
                await core.stored_secrets.set(name, value, SecretRules(applications=("shop",)), by=TESTER)
            submission = Submission(kind=ExecutionKind.PIPELINE, config=pipeline(target, image), trigger={}, key="k")
            site = Website(Sources(SystemClock(), SystemIds()), core)
            async with site.stream("/api/v1/events") as events, asyncio.timeout(120):
                found = await ended(core.services, await core.services.executions.submit(submission, TESTER))
                site.ports.ending.set()
                told = "".join([one async for one in events])
            assert "event: execution" in told
            site.ports.ending.clear()
            assert await core.stored_secrets.rotate(by=TESTER) == 3
            answers = await every_answer(site, found) + told.encode()
            audit = encode(await parts.store.audit.records())
            return found, answers + audit + files(tmp_path)  # with the write-ahead log: the database is open

    with running(echo) as target:
        execution, left = asyncio.run(main(target))
        said, told, refused = target.asked
    left += "".join(capfd.readouterr()).encode()  # the log, as it is before it is masked

    assert said.headers["authorization"] == f"Bearer {IN_HEADER}"
    assert said.json == refused.json == {"token": [IN_PAYLOAD]}
    assert told.headers["x-own"] == OF_OPERATOR
    stages = {stage.ref_id: stage for stage in execution.in_order()}
    assert stages["work"].outputs["leak"] == "****", "the job was given it, and what it put out is masked"
    assert b'"body":"{\\"token\\":[\\"****\\"]}"' in left.replace(b" ", b"")
    assert json.dumps("****").encode() in left
    assert [file.read_bytes() for file in tmp_path.rglob("output.log")] == [b"********"]
    found = {one for secret in PLANTED for one in lines(secret) if one.encode() in left}
    assert found == set()


def lines(secret: str) -> set[str]:
    return {one for part in (secret, *secret.splitlines()) for one in masking.spellings(part)}


def files(folder: Path) -> bytes:
    """All but what the job itself has written into its folder: that is the job's."""
    kept = [one for one in folder.rglob("*") if one.is_file() and "files" not in one.relative_to(folder).parts]
    assert any(one.name.endswith("-wal") for one in kept)
    assert any(one.name == "run.json" for one in kept)
    return b"\n".join(one.read_bytes() for one in kept)
