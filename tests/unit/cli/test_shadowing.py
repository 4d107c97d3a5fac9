"""`gennaker shadow`: two installations that get the same events, one of them in the place of a Spinnaker."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests import make
from tests.fakes import scripted, sites
from tests.fakes.scripted import Target
from tests.fakes.sites import Site

from gennaker.cli import importing, shadowing
from gennaker.cli.terminal import Form
from gennaker.model.problems import Refused
from gennaker.plugins.definitions import plugin as definitions
from gennaker.plugins.flow import plugin as flow
from gennaker.transport.client import Client
from gennaker.transport.gate import Credentials, Gate

DELIVER: dict[str, Any] = {
    "id": "deliver",
    "application": "shop",
    "name": "Deliver",
    "triggers": [{"type": "webhook", "enabled": True, "source": "ci"}],
    "parameterConfig": [{"name": "count", "required": True, "default": "3"}],
    "stages": [
        make.stage_json("1", type="evaluateVariables", name="Say", variables=[{"key": "twice", "value": "${2 * 2}"}]),
        make.stage_json(
            "2", "1", type="wait", name="Wait", waitTime="${ #toInt(execution.stages[0].outputs.twice) - 4 }"
        ),
    ],
}


AFTER: dict[str, Any] = {
    "id": "after",
    "application": "shop",
    "name": "After",
    "triggers": [{"type": "pipeline", "enabled": True, "pipeline": "fails", "status": ["successful"]}],
    "stages": [make.stage_json("1", type="wait", name="Wait", waitTime=0)],
}
FAILS: dict[str, Any] = {
    "id": "fails",
    "application": "shop",
    "name": "Fails",
    "triggers": [{"type": "webhook", "enabled": True, "source": "fail"}],
    "stages": [make.stage_json("1", type="fail", name="Fail")],
}


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Site, Site]]:
    plugins = (definitions.plugin, flow.plugin, scripted.plugin(Target()))
    with sites.running(tmp_path / "there", *plugins) as there, sites.running(tmp_path / "here", *plugins) as here:
        there.call("POST", "/pipelines", DELIVER)
        yield there, here


@pytest.fixture
def client(pair: tuple[Site, Site], tmp_path: Path) -> Iterator[Client]:
    with closing(Client(tmp_path / "here")) as found:
        assert found.address == pair[1].address
        yield found


def ended(site: Site, count: int) -> None:
    """Returns once so many executions are there and over."""

    async def waited() -> None:
        async with asyncio.timeout(600):
            while True:
                found = (await site.website.get("/applications/shop/pipelines?limit=20")).json
                if len(found) == count and all(one["endTime"] for one in found):
                    return
                await asyncio.sleep(0.02)

    site.do(waited())


def compared(client: Client, there: Site, capsys: pytest.CaptureFixture[str], limit: int = 5) -> tuple[int, Any]:
    capsys.readouterr()
    with Gate(there.address, Credentials()) as gate:
        status = shadowing.compare(client, gate, "shop", limit=limit, form=Form.JSON)
    return status, json.loads(capsys.readouterr().out)


def test_the_same_events_do_the_same_and_what_differs_is_told(
    pair: tuple[Site, Site], client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    there, here = pair
    with Gate(there.address, Credentials()) as gate:
        importing.from_gate(client, gate, importing.Wanted(is_shadow=True))
    for site in pair:
        site.call("POST", "/webhooks/webhook/ci", {"version": "1"})
    there.call("POST", "/pipelines/shop/Deliver", {"type": "manual", "parameters": {"count": "5"}})
    ended(there, 2)

    status, told = compared(client, there, capsys)

    assert (status, told["definitions"]) == (0, [])
    assert [(one["name"].split()[-1], one["result"]["values"]) for one in told["runs"]] == [
        ("(webhook)", 2),
        ("(manual)", 2),
    ]
    plan = here.call("GET", f"/pipelines/{told['runs'][1]['gennaker']}")
    assert (plan["trigger"]["parameters"], plan["trigger"]["dryRun"]) == ({"count": "5"}, True)
    assert compared(client, there, capsys) == (0, told), "what was planned once isn't planned again"

    there.call("POST", "/webhooks/webhook/ci", {"version": "2"})
    here.call("POST", "/webhooks/webhook/ci", {"version": "3"})
    there.call("POST", "/pipelines", {**DELIVER, "stages": DELIVER["stages"][:1]})
    ended(there, 3)
    ended(here, 3)
    status, told = compared(client, there, capsys)

    assert status == 1
    assert [one["message"] for run in told["runs"] for one in run["result"].get("differences", [])] == [
        "Its event has started it in Spinnaker, and nothing here: was it sent to both?",
        "Gennaker would have started it, Spinnaker has not.",
    ]
    assert ["changed since the import" in one["message"] for one in told["definitions"]] == [True]


def test_values_that_differ_are_shown_beside_each_other(
    pair: tuple[Site, Site], client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    there, here = pair
    with Gate(there.address, Credentials()) as gate:
        importing.from_gate(client, gate, importing.Wanted(is_shadow=True))
        say = {**DELIVER["stages"][0], "variables": [{"key": "twice", "value": "9"}]}
        there.call("POST", "/pipelines", {**DELIVER, "stages": [say, *DELIVER["stages"][1:]]})
        for site in pair:
            site.call("POST", "/webhooks/webhook/ci", {"version": "1"})
        ended(there, 1)
        ended(here, 1)
        capsys.readouterr()

        assert shadowing.compare(client, gate, "shop", limit=5, form=Form.TABLE) == 1

    said = capsys.readouterr().out
    assert "    Spinnaker: 9\n    Gennaker:  4\n" in said
    assert "1 run compared: 0 the same, 1 with differences." in said


def test_what_follows_a_failure_there_is_not_missed_there(
    pair: tuple[Site, Site], client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    there, here = pair
    for one in (FAILS, AFTER):
        there.call("POST", "/pipelines", one)
    with Gate(there.address, Credentials()) as gate:
        importing.from_gate(client, gate, importing.Wanted(is_shadow=True))
    for site in pair:
        site.call("POST", "/webhooks/webhook/fail", {"version": "1"})
    ended(there, 1)
    ended(here, 2)

    status, told = compared(client, there, capsys)

    assert (status, [one["name"].split()[0] for one in told["runs"]]) == (0, ["Fails"])


def test_what_is_older_than_the_shadow_or_not_looked_at_is_not_missed(
    pair: tuple[Site, Site], client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    there = pair[0]
    there.call("POST", "/webhooks/webhook/ci", {"version": "0"})
    ended(there, 1)
    with Gate(there.address, Credentials()) as gate:
        importing.from_gate(client, gate, importing.Wanted(is_shadow=True))

    status, told = compared(client, there, capsys)

    assert (status, len(told["runs"])) == (0, 1), "nobody could have started it here"
    for count, version in enumerate(("1", "2"), 2):
        for site in pair:
            site.call("POST", "/webhooks/webhook/ci", {"version": version})
            ended(site, count)
    status, told = compared(client, there, capsys, limit=1)
    assert (status, len(told["runs"])) == (0, 1), "only the newest was asked for"


def test_what_is_not_in_shadow_is_not_compared(pair: tuple[Site, Site], client: Client) -> None:
    with Gate(pair[0].address, Credentials()) as gate, pytest.raises(Refused, match="wasn't imported"):
        shadowing.compare(client, gate, "shop", limit=5, form=Form.TABLE)
