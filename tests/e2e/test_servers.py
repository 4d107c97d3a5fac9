"""Several servers over one PostgreSQL database: what a killed one leaves behind is done by another, and nothing twice.

Effects are counted where they arrive: notifications at a receiver outside, children in the database, commands in the journal.
"""

import itertools
import os
import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests import postgres_server, waiting
from tests.e2e.several import (
    LEASE_SECONDS,
    MOVED_WITHIN_SECONDS,
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

from gennaker.model import foreign
from gennaker.model.codec import JsonObject, decode
from gennaker.model.problems import Refused
from gennaker.triggers import cron

pytestmark = [pytest.mark.debian, pytest.mark.e2e, pytest.mark.slow]

KILLS = 3
WAIT: JsonObject = {"type": "wait", "name": "Wait", "waitTime": 1}
JUDGE: JsonObject = {"type": "manualJudgment", "name": "Go?"}


def test_what_a_killed_server_was_doing_is_done_by_another_and_nothing_twice(
    new_postgres_url: str, tmp_path: Path
) -> None:
    with running(tmp_path, new_postgres_url, 3) as (several, receiver):
        several.clients[0].post("/pipelines", pipeline("child", receiver, WAIT))
        start: JsonObject = {"type": "pipeline", "name": "Child", "pipeline": "id-child", "application": "shop"}
        roots: list[str] = []
        moved: list[float] = []
        numbers = itertools.count(1)
        for kill in range(KILLS):
            for client in several.clients:
                roots += [
                    run(client, pipeline(f"root-{next(numbers)}", receiver, WAIT, start, WAIT, WAIT)) for _ in range(5)
                ]
            time.sleep(0.3 + 0.7 * kill)
            # On a slow machine all others may have ended by now.
            roots.append(run(several.clients[0], pipeline(f"root-{next(numbers)}", receiver, WAIT, start, WAIT, WAIT)))
            moved.append(seconds_until_moved(several, 0))
            several.start(0)

        eventually(lambda: not several.unfinished(), several.unfinished)
        assert_nothing_twice(several, receiver, roots)
        verified = several.clients[1].get("/api/v1/audit/verify")
        assert isinstance(verified, dict)
        assert verified["isIntact"] is True
        assert max(moved) <= MOVED_WITHIN_SECONDS


def seconds_until_moved(several: Several, number: int) -> float:
    """Kills a server; how long until nothing belongs to it any more, and all of it has an owner or has ended."""
    fence = several.fence(number)
    left = several.owned(fence)
    assert left, "the killed server was doing something"
    several.kill(number)

    def is_moved() -> bool:
        taken = several.all(
            "SELECT id FROM executions WHERE id = ANY(%s) AND (fence IS NOT NULL OR status = 'SUCCEEDED')", list(left)
        )
        return not several.owned(fence) and len(taken) == len(left)

    return eventually(is_moved)


def test_commands_reach_the_owner_by_way_of_any_server(new_postgres_url: str, tmp_path: Path) -> None:
    with running(tmp_path, new_postgres_url, 2) as (several, receiver):
        execution_id = run(several.clients[0], pipeline("judged", receiver, JUDGE, WAIT))
        other = several.clients[1]
        eventually(lambda: waits_for_a_person(other, execution_id))
        assert several.owned(several.fence(0)) == {execution_id}

        judge(other, execution_id)

        eventually(lambda: status(other, execution_id) == "SUCCEEDED")
        with pytest.raises(Refused) as caught:
            other.post(f"/api/v1/executions/{execution_id}/cancel")
        assert caught.value.status == 409
        judged = several.all(
            "SELECT event FROM events WHERE event LIKE '%%ManualJudgmentGiven%%' OR event LIKE '%%judgment%%given%%'"
        )
        recorded = several.all("SELECT entry FROM audit WHERE entry LIKE '%%command.ManualJudgmentGiven%%'")
        assert (len(judged), len(recorded)) == (1, 1)


def test_a_command_waits_for_whoever_takes_over_from_a_killed_owner(new_postgres_url: str, tmp_path: Path) -> None:
    with running(tmp_path, new_postgres_url, 2) as (several, receiver):
        execution_id = run(several.clients[0], pipeline("judged", receiver, JUDGE))
        eventually(lambda: waits_for_a_person(several.clients[1], execution_id))

        several.kill(0)
        judge(several.clients[1], execution_id)

        eventually(lambda: status(several.clients[1], execution_id) == "SUCCEEDED")
        eventually(lambda: len(receiver.deliveries) == 1)


def test_a_due_time_starts_one_execution_whichever_server_dies(new_postgres_url: str, tmp_path: Path) -> None:
    trigger: JsonObject = {"type": "cron", "enabled": True, "id": "t", "cronExpression": "* * * * * ?"}
    stage: JsonObject = {**WAIT, "refId": "1", "waitTime": 0}
    body: JsonObject = {
        "application": "shop",
        "name": "tick",
        "id": "id-tick",
        "stages": [stage],
        "triggers": [trigger],
    }
    with running(tmp_path, new_postgres_url, 2) as (several, _):
        several.clients[0].post("/pipelines", body)
        eventually(lambda: len(event_ids(several)) >= 3)
        (fence,) = several.one("SELECT fence FROM leases WHERE name = 'service:cron'")
        holder = next(number for number in (0, 1) if several.fence(number) == fence)
        (stored,) = several.one("SELECT body FROM definitions WHERE kind = 'pipeline' AND id = 'id-tick'")
        (configured,) = foreign.mappings(decode(str(stored), JsonObject)["triggers"])

        several.kill(holder)
        before = len(event_ids(several))
        eventually(lambda: len(event_ids(several)) >= before + 8)

        found = event_ids(several)
        now = datetime.now(UTC).replace(microsecond=0)
        dues = {event_id_of(configured, now - timedelta(seconds=ago)): ago for ago in range(-5, 3_000)}
        started = sorted(dues[one] for one in found)
        assert started == [*range(started[0], started[0] + len(found))]


def event_ids(several: Several) -> list[str]:
    """Of the executions that the clock has started."""
    rows = several.all("SELECT body FROM outlines JOIN executions ON id = execution_id WHERE config_id = 'id-tick'")
    return [str(foreign.mapping(decode(str(body), JsonObject)["trigger"])["eventId"]) for (body,) in rows]


def event_id_of(configured: JsonObject, due: datetime) -> str:
    return str(cron.runtime(configured, cron.key("id-tick", configured, due))["eventId"])


def test_a_server_that_ends_gives_everything_back_at_once(new_postgres_url: str, tmp_path: Path) -> None:
    with running(tmp_path, new_postgres_url, 2) as (several, receiver):
        execution_id = run(several.clients[0], pipeline("long", receiver, JUDGE, WAIT))
        eventually(lambda: waits_for_a_person(several.clients[0], execution_id))
        assert several.owned(several.fence(0)) == {execution_id}

        several.servers[0].stop()

        assert eventually(lambda: several.owned(several.fence(1)) == {execution_id}) < LEASE_SECONDS / 2
        judge(several.clients[1], execution_id)
        eventually(lambda: status(several.clients[1], execution_id) == "SUCCEEDED")


def test_a_server_that_slept_over_its_lease_does_nothing_more(new_postgres_url: str, tmp_path: Path) -> None:
    with running(tmp_path, new_postgres_url, 2) as (several, receiver):
        roots = [run(several.clients[0], pipeline(f"p{number}", receiver, WAIT, WAIT)) for number in range(10)]
        sleeper = several.servers[0]
        fence = several.fence(0)
        os.kill(sleeper.pid, signal.SIGSTOP)
        eventually(lambda: not several.owned(fence))

        os.kill(sleeper.pid, signal.SIGCONT)

        assert sleeper.wait_for_end(waiting.IN_VAIN_SECONDS) == 1
        assert "store.lease_lost" in sleeper.log_tail() or "lease" in sleeper.log_tail()
        eventually(lambda: not several.unfinished())
        rows = several.all("SELECT id FROM executions WHERE status = 'SUCCEEDED'")
        assert {str(name) for (name,) in rows} == set(roots)
        assert len(receiver.deliveries) >= len(roots)
        unmarked = Counter(delivery for delivery, is_repeat in receiver.deliveries if not is_repeat)
        assert set(unmarked.values()) == {1}


def test_a_database_that_crashes_ends_the_server_and_loses_nothing(tmp_path: Path) -> None:
    with (
        postgres_server.running() as postgres,
        postgres.database() as url,
        running(tmp_path, url, 1) as (several, receiver),
    ):
        chain = pipeline("chain", receiver, WAIT, WAIT)
        roots = [run(several.clients[0], {**chain, "name": f"p{n}", "id": f"id-{n}"}) for n in range(10)]
        (server,) = several.servers

        postgres.crash()

        assert server.wait_for_end(waiting.IN_VAIN_SECONDS) == 1
        assert "PostgreSQL" in server.log_tail()
        postgres.start()
        several.reconnect()
        before = several.versions(set(roots))
        several.start(0)
        assert set(before) == set(roots), "all that was answered is there"
        eventually(lambda: not several.unfinished(), several.unfinished)
        assert {str(row[0]) for row in several.all("SELECT status FROM executions")} == {"SUCCEEDED"}
        unmarked = Counter(delivery for delivery, is_repeat in receiver.deliveries if not is_repeat)
        assert len(unmarked) == len(roots)
        assert set(unmarked.values()) == {1}
