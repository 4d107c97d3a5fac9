"""Servers that Temporal drives: killed ones, a Temporal that is away, workflows that somebody ends, another shell the next day.

Effects are counted where they arrive: notifications at a receiver outside, children in the database, commands in the journal.
"""

import asyncio
import itertools
import time
from pathlib import Path

import pytest
from temporalio.client import Client as TemporalClient
from tests import temporal_server as temporal
from tests.e2e.several import (
    Receiver,
    Several,
    assert_nothing_twice,
    eventually,
    judge,
    pipeline,
    run,
    running,
    status,
    waits_for_a_person,
)
from tests.temporal_server import TemporalServer

from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused

pytestmark = [pytest.mark.debian, pytest.mark.e2e, pytest.mark.slow]

WAIT: JsonObject = {"type": "wait", "name": "Wait", "waitTime": 1}
JUDGE: JsonObject = {"type": "manualJudgment", "name": "Go?"}
_queues = itertools.count(1)


def by_temporal(server: TemporalServer, *, task_queue: str = "") -> tuple[str, ...]:
    """Settings; a task queue of its own for each database."""
    queue = task_queue or f"e2e-{next(_queues)}"
    return ("engine.shell=temporal", f"temporal.address={server.address}", f"temporal.task-queue={queue}")


def with_child(several: Several, receiver: Receiver, number: int) -> str:
    """Starts a pipeline that starts another one; by way of one server or another."""
    start: JsonObject = {"type": "pipeline", "name": "Child", "pipeline": "id-child", "application": "shop"}
    client = several.clients[number % len(several.clients)]
    return run(client, pipeline(f"root-{number}", receiver, WAIT, start, WAIT))


def test_what_a_killed_server_was_doing_is_done_by_another_and_nothing_twice(
    new_postgres_url: str, temporal_server: TemporalServer, tmp_path: Path
) -> None:
    with running(tmp_path, new_postgres_url, 2, by_temporal(temporal_server)) as (several, receiver):
        several.clients[0].post("/pipelines", pipeline("child", receiver, WAIT))
        roots: list[str] = []
        for kill in range(2):
            roots += [with_child(several, receiver, number) for number in range(8 * kill, 8 * kill + 8)]
            time.sleep(1.5 + kill)
            roots.append(with_child(several, receiver, 100 + kill))  # where the others have ended by now
            several.kill(kill)
            assert several.unfinished(), "there was something to take over"
            several.start(kill)

        eventually(lambda: not several.unfinished(), several.unfinished)
        assert_nothing_twice(several, receiver, roots)
        verified = several.clients[1].get("/api/v1/audit/verify")
        assert isinstance(verified, dict)
        assert verified["isIntact"] is True


def test_commands_reach_the_workflow_by_way_of_any_server(
    new_postgres_url: str, temporal_server: TemporalServer, tmp_path: Path
) -> None:
    with running(tmp_path, new_postgres_url, 2, by_temporal(temporal_server)) as (several, receiver):
        execution_id = run(several.clients[0], pipeline("judged", receiver, JUDGE, WAIT))
        other = several.clients[1]
        eventually(lambda: waits_for_a_person(other, execution_id))

        judge(other, execution_id)

        eventually(lambda: status(other, execution_id) == "SUCCEEDED")
        with pytest.raises(Refused) as caught:
            other.post(f"/api/v1/executions/{execution_id}/cancel")
        assert caught.value.status == 409
        assert len(several.all("SELECT 1 FROM audit WHERE entry LIKE '%%command.ManualJudgmentGiven%%'")) == 1


def test_while_temporal_is_away_what_is_asked_waits_in_the_store(new_postgres_url: str, tmp_path: Path) -> None:
    with (
        temporal.running() as server,
        running(tmp_path, new_postgres_url, 1, by_temporal(server)) as (several, receiver),
    ):
        before = run(several.clients[0], pipeline("before", receiver, WAIT, WAIT))
        server.stop()
        during = run(several.clients[0], pipeline("during", receiver, WAIT))
        assert status(several.clients[0], during) == "NOT_STARTED"

        server.start()

        eventually(lambda: not several.unfinished(), several.unfinished)
        assert [status(several.clients[0], one) for one in (before, during)] == ["SUCCEEDED"] * 2
        assert len(receiver.deliveries) == 2


def test_a_workflow_that_somebody_has_terminated_is_begun_anew_when_a_server_starts(
    new_postgres_url: str, temporal_server: TemporalServer, tmp_path: Path
) -> None:
    flags = by_temporal(temporal_server, task_queue="terminated")
    with running(tmp_path, new_postgres_url, 1, flags) as (several, receiver):
        execution_id = run(several.clients[0], pipeline("judged", receiver, JUDGE, WAIT))
        eventually(lambda: waits_for_a_person(several.clients[0], execution_id))
        asyncio.run(terminate(temporal_server.address, f"terminated/{execution_id}"))

        several.start_otherwise(0, flags)
        judge(several.clients[0], execution_id)

        eventually(lambda: status(several.clients[0], execution_id) == "SUCCEEDED")
        eventually(lambda: not several.unfinished())
        assert len(receiver.deliveries) == 1


async def terminate(address: str, workflow: str) -> None:
    client = await TemporalClient.connect(address)
    await client.get_workflow_handle(workflow).terminate()
    await asyncio.sleep(0.1)


def test_executions_pass_from_one_shell_to_the_other_and_back(
    new_postgres_url: str, temporal_server: TemporalServer, tmp_path: Path
) -> None:
    flags = by_temporal(temporal_server)
    with running(tmp_path, new_postgres_url, 1) as (several, receiver):
        first = run(several.clients[0], pipeline("first", receiver, JUDGE, WAIT))
        second = run(several.clients[0], pipeline("second", receiver, JUDGE, WAIT))
        eventually(lambda: all(waits_for_a_person(several.clients[0], one) for one in (first, second)))

        several.start_otherwise(0, flags)
        judge(several.clients[0], first)
        eventually(lambda: status(several.clients[0], first) == "SUCCEEDED")
        third = run(several.clients[0], pipeline("third", receiver, JUDGE, WAIT))
        eventually(lambda: waits_for_a_person(several.clients[0], third))

        several.start_otherwise(0, ())
        eventually(lambda: len(several.owned(several.fence(0))) == 2)
        for execution_id in (second, third):
            judge(several.clients[0], execution_id)
        eventually(lambda: not several.unfinished(), several.unfinished)
        assert [status(several.clients[0], one) for one in (first, second, third)] == ["SUCCEEDED"] * 3
        assert len(receiver.deliveries) == 3
