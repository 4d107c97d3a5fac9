"""What the command line `spin` calls of canary configs and their judgements by hand."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.conformance.test_spin import run
from tests.fakes.spin import Spin

CANARY = {
    "name": "shop-canary",
    "applications": ["shop"],
    "judge": {"name": "NetflixACAJudge-v1.0", "judgeConfigurations": {}},
    "metrics": [
        {
            "name": "errors",
            "query": {"type": "fake", "of": "${scope}"},
            "groups": ["all"],
            "scopeName": "default",
            "analysisConfigurations": {"canary": {"direction": "increase", "critical": True}},
        }
    ],
    "classifier": {"groupWeights": {"all": 100}},
}


def test_canary_config_save_get_list_and_delete() -> None:
    async def work(spin: Spin) -> None:
        path = "/v2/canaryConfig"
        config_id = (await spin.ask("POST", path, CANARY))["canaryConfigId"]
        got = await spin.ask("GET", f"{path}/{config_id}")
        assert (got["id"], got["metrics"]) == (config_id, CANARY["metrics"])
        [listed] = await spin.ask("GET", f"{path}?application=&configurationAccountName=")
        assert (listed["id"], listed["name"], listed["applications"]) == (config_id, "shop-canary", ["shop"])
        assert listed["updatedTimestamp"] == got["updatedTimestamp"]
        assert listed["updatedTimestampIso"].endswith("Z")
        assert await spin.ask("GET", f"{path}?application=other") == []

        assert await spin.ask("PUT", f"{path}/{config_id}", {**got, "name": "better"}) == {"canaryConfigId": config_id}
        assert (await spin.ask("GET", f"{path}/{config_id}"))["name"] == "better"
        assert await spin.refused("PUT", f"{path}/nothing", CANARY) == 404

        await spin.ask("DELETE", f"{path}/{config_id}")
        assert await spin.refused("GET", f"{path}/{config_id}") == 404

    run(work)


def test_canary_config_save_refuses_what_kayenta_refuses() -> None:
    async def work(spin: Spin) -> None:
        config_id = (await spin.ask("POST", "/v2/canaryConfig", CANARY))["canaryConfigId"]
        for wrong in (
            {**CANARY, "name": ""},
            {**CANARY, "name": "a b"},
            {**CANARY, "applications": []},
            {**CANARY, "metrics": [*CANARY["metrics"], *CANARY["metrics"]]},  # type: ignore[misc]  # it is a list
            {**CANARY, "id": config_id},
        ):
            assert await spin.refused("POST", "/v2/canaryConfig", wrong) == 400, wrong

    run(work)


async def judged(spin: Spin, request: dict[str, Any], config: dict[str, Any] = CANARY) -> Any:
    path = "/v2/canaries/canary?metricsAccountName=&storageAccountName=&application="
    run_id = (await spin.ask("POST", path, {"canaryConfig": config, "executionRequest": request}))["canaryExecutionId"]
    for _ in range(10):
        found = await spin.ask("GET", f"/v2/canaries/canary/{run_id}?storageAccountName=")
        assert isinstance(found["complete"], bool)
        if found["complete"]:
            return found
        await asyncio.sleep(6)
    raise AssertionError("spin gives up")


def retro(**thresholds: float) -> dict[str, Any]:
    end = datetime(2026, 1, 1, tzinfo=UTC)
    times = {
        "location": "here",
        "start": (end - timedelta(hours=1)).isoformat().replace("+00:00", "Z"),
        "end": end.isoformat().replace("+00:00", "Z"),
        "step": 60,
        "extendedScopeParams": None,  # what it sends where none are given
    }
    sides = {"controlScope": {"scope": "shop-v000", **times}, "experimentScope": {"scope": "shop-v001", **times}}
    return {"scopes": {"default": sides}, "thresholds": thresholds}


def test_canary_retro_reads_the_classification() -> None:
    async def work(spin: Spin) -> None:
        found = await judged(spin, retro(**{"pass": 95, "marginal": 75}))
        score = found["result"]["judgeResult"]["score"]
        assert (found["status"], score["score"], score["classification"]) == ("succeeded", 100, "Pass")

        [listed] = await spin.ask("GET", "/v2/canaries/shop/executions?limit=5")
        assert (listed["pipelineId"], listed["result"]) == (found["pipelineId"], found["result"])
        pairs = await spin.ask("GET", f"/v2/canaries/metricSetPairList/{found['metricSetPairListId']}")
        assert [one["name"] for one in pairs] == ["errors"]

    run(work)


def test_a_low_score_is_a_result_too() -> None:
    async def work(spin: Spin) -> None:
        found = await judged(spin, retro(**{"pass": 100, "marginal": 100}))
        assert (found["status"], found["result"]["judgeResult"]["score"]["score"]) == ("succeeded", 100)
        assert found["exception"] is None

    run(work)


def test_a_run_that_fails_later_has_a_classification_and_says_why() -> None:
    async def work(spin: Spin) -> None:
        [metric] = CANARY["metrics"]
        config = {**CANARY, "metrics": [{**metric, "query": {"type": "fake"}}]}
        found = await judged(spin, retro(**{"pass": 95, "marginal": 75}), config)
        score = found["result"]["judgeResult"]["score"]
        assert (found["status"], score["classification"]) == ("terminal", "Error")
        assert "The query has no `of`." in score["classificationReason"]
        assert found["exception"]

        [listed] = await spin.ask("GET", "/v2/canaries/shop/executions?limit=5")
        assert "result" not in listed

    run(work)


def test_a_run_without_scopes_is_refused() -> None:
    async def work(spin: Spin) -> None:
        body = {"canaryConfig": CANARY, "executionRequest": {"scopes": {"default": {"controlScope": {}}}}}
        assert await spin.refused("POST", "/v2/canaries/canary", body) == 400

    run(work)


def test_a_run_with_metrics_of_nobody_is_refused_before_it_begins() -> None:
    async def work(spin: Spin) -> None:
        [metric] = CANARY["metrics"]
        config = {**CANARY, "metrics": [{**metric, "query": {"type": "nobody"}}]}
        request = retro(**{"pass": 95, "marginal": 75})
        body = {"canaryConfig": config, "executionRequest": request}
        assert await spin.refused("POST", "/v2/canaries/canary", body) == 400

    run(work)
