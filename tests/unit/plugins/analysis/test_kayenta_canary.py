"""The kayentaCanary family, run by the real engine and the real deploy stages over a fake cloud and fake metrics."""

import json
import math
from datetime import timedelta

import numpy as np
import pytest
from tests.fakes.metrics import FakeSource, config, shop
from tests.fakes.rollouts import LOAD_BALANCER, NEW, OLD, SICK, FakePlace
from tests.harness import TESTER, problem_of, reached

from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.services import Services
from gennaker.model.codec import Json, JsonObject, decode_json
from gennaker.model.event import CancelAsked
from gennaker.model.execution import Execution, ExecutionKind, Stage
from gennaker.model.statuses import Status
from gennaker.plugins.analysis.plugin import plugin as analysis_plugin

PRODUCTION = {"shop-prod-v000": 1}


def place(source: FakeSource) -> FakePlace:
    """Production runs the old version behind its load balancer."""
    return bare(source).deployed(OLD)


def bare(source: FakeSource) -> FakePlace:
    """Nothing runs yet."""
    return FakePlace(analysis_plugin, Plugin(name="fake-metrics", metrics=(lambda _: source,)))


def canary(*, analysis: JsonObject | None = None, deployments: JsonObject | None = None, **keys: Json) -> JsonObject:
    """A pipeline with the analysis that the demo makes: two intervals of 20 samples of a second."""
    cluster: JsonObject = {"account": "local", "region": "local", "cloudProvider": "fake", "application": "shop"}
    settings: JsonObject = {
        "canaryConfig": config(),
        "scopes": [{"scopeName": "default", "step": 1}],
        "scoreThresholds": {"pass": 80, "marginal": 50},
        "lifetimeDuration": "PT40S",
        "canaryAnalysisInterval": "PT20S",
        "beginCanaryAnalysisAfter": "PT3S",
        **(analysis or {}),
    }
    placed: JsonObject = {
        "baseline": {**cluster, "cluster": "shop-prod"},
        "serverGroupPairs": [
            {
                "control": {**cluster, "stack": "baseline", "upTimeout": "PT30S"},
                "experiment": {**cluster, "stack": "canary", "image": NEW, "upTimeout": "PT30S"},
            }
        ],
        "trafficPercent": "10",
        "loadBalancers": [LOAD_BALANCER],
        **(deployments or {}),
    }
    stage: JsonObject = {
        "refId": "1",
        "requisiteStageRefIds": [],
        "type": "kayentaCanary",
        "name": "Canary",
        "canaryConfig": settings,
        "deployments": placed,
        **keys,
    }
    return {"application": "shop", "name": "deliver", "stages": [stage]}


def top(execution: Execution) -> Stage:
    return next(execution.top_level())


def report(execution: Execution) -> JsonObject:
    found = top(execution).outputs["canaryReport"]
    assert isinstance(found, dict)
    return found


def names(execution: Execution) -> list[str]:
    return [stage.name for stage in execution.in_order()]


def by_name(execution: Execution, name: str) -> Stage:
    return next(stage for stage in execution.in_order() if stage.name == name)


def is_as_before(world: FakePlace) -> bool:
    return world.weights() == PRODUCTION and set(world.cloud.groups) == {"shop-prod-v000"} and not world.open_rollouts()


def test_a_good_version_passes_both_intervals_and_nothing_of_the_canary_is_left() -> None:
    world = place(FakeSource(shop()))

    execution = world.run(canary())

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert top(execution).outputs["canaryScores"] == [100.0, 100.0]
    assert (
        top(execution).outputs["canaryScoreMessage"]
        == "Final canary score 100 met or exceeded the pass score threshold."
    )
    assert report(execution)["didPassThresholds"] is True
    assert is_as_before(world)


def test_the_stages_are_those_of_orca_in_their_order() -> None:
    execution = place(FakeSource(shop())).run(canary())

    parts = [one.id for one in execution.in_order() if one.parent_id == top(execution).id]
    tree = [
        (one.type, one.name)
        for one in execution.in_order()
        if one.parent_id in (top(execution).id, *parts) or one.parent_id is None
    ]
    assert tree == [
        ("findImage", "Find baseline image"),
        ("deployCanaryServerGroups", "Deploy Canary Server Groups"),
        ("deploy", "Deploy control server groups"),
        ("deploy", "Deploy experiment server groups"),
        ("wait", "Warmup Wait"),
        ("wait", "Interval Wait #1"),
        ("runCanary", "Run Canary #1"),
        ("wait", "Interval Wait #2"),
        ("runCanary", "Run Canary #2"),
        ("runCanaryIntervals", "Run Canary Intervals"),
        ("kayentaCanary", "Canary"),
        ("disableServerGroup", "Disable shop-baseline-v000"),
        ("disableServerGroup", "Disable shop-canary-v000"),
        ("destroyServerGroup", "Destroy shop-baseline-v000"),
        ("destroyServerGroup", "Destroy shop-canary-v000"),
        ("cleanupCanaryClusters", "Cleanup Canary Clusters"),
    ]


def test_baseline_gets_productions_image_and_both_get_a_tenth_of_the_traffic() -> None:
    world = place(FakeSource(shop()))
    seen: list[tuple[dict[str, int], dict[str, str]]] = []

    async def look(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "runCanary")
        seen.append((world.weights(), {one.name: one.image for one in world.cloud.groups.values()}))

    world.run(canary(), meanwhile=look)

    assert seen == [
        (
            {"shop-prod-v000": 8, "shop-baseline-v000": 1, "shop-canary-v000": 1},
            {"shop-prod-v000": OLD, "shop-baseline-v000": OLD, "shop-canary-v000": NEW},
        )
    ]


def test_windows_grow_from_the_end_of_the_warm_up() -> None:
    source = FakeSource(shop())

    place(source).run(canary())

    start = min(one.start for one in source.asked)
    spans = {(one.start - start, one.end - start) for one in source.asked}
    assert spans == {(timedelta(), timedelta(seconds=20)), (timedelta(), timedelta(seconds=40))}


def test_errors_end_the_analysis_at_the_first_interval_and_production_keeps_its_version() -> None:
    world = place(FakeSource(shop(errors=0.05)))

    execution = world.run(canary())

    assert execution.head.status is Status.TERMINAL
    assert top(execution).status is Status.TERMINAL
    assert top(execution).outputs["canaryScores"] == [0.0]
    assert by_name(execution, "Run Canary #1").status is Status.TERMINAL
    assert by_name(execution, "Run Canary #2").status is Status.NOT_STARTED
    said = problem_of(execution)
    assert (
        "Final canary score 0 is not above the marginal score threshold. errors (critical) is High: baseline 0" in said
    )
    assert "98 % confidence" in said
    assert is_as_before(world)


def test_fewer_orders_fail_at_the_end_with_the_metrics_numbers() -> None:
    world = place(FakeSource(shop(orders=20.0)))

    execution = world.run(canary(analysis={"scoreThresholds": {"pass": 80, "marginal": 40}}))

    assert top(execution).outputs["canaryScores"] == [50.0, 50.0]
    assert (
        "Final canary score 50 is below the pass score threshold. orders is Low: baseline 39.06, canary 19.67"
        in problem_of(execution)
    )
    row = report(execution)["metrics"][0]
    assert (row["name"], row["passed"]) == ("orders", False)
    assert row["ratio"] == pytest.approx(0.5, abs=0.1)
    assert is_as_before(world)


def test_the_whole_result_is_kept_as_evidence_in_kayentas_shape() -> None:
    world = place(FakeSource(shop(errors=0.05)))

    execution = world.run(canary())

    async def kept(services: Services) -> None:
        items = {one.name: one for one in await services.evidence.list(execution.head.id)}
        assert [(name, one.kind) for name, one in items.items()] == [
            ("metric-set-pairs-1.json", "file"),
            ("canary-1.json", "canary"),
        ]
        content = await services.evidence.read(items["canary-1.json"].digest)
        assert content is not None
        document = json.loads(content)
        judged = document["result"]["judgeResult"]
        assert judged["judgeName"] == "NetflixACAJudge-v1.0"
        assert judged["results"][0]["resultMetadata"] == {"ratio": "NaN"}
        assert document["explanations"][0]["rule"] == "critically-high"
        assert document["result"]["canaryDuration"] == "PT20S"

    world.harness.do(kept)


def test_fewer_than_fifty_samples_are_warned_of_in_kayentas_words() -> None:
    execution = place(FakeSource(shop())).run(canary())

    assert report(execution)["warnings"] == [
        "One of the metrics returned fewer than 50 data points, which can reduce confidence in the final canary score."
    ]


def test_a_broken_config_is_refused_before_anything_is_deployed() -> None:
    world = place(FakeSource(shop()))
    broken = config(judge={"name": "none-such"}, classifier=None)

    execution = world.run(canary(analysis={"canaryConfig": broken}))

    assert execution.head.status is Status.TERMINAL
    said = problem_of(execution)
    assert "/judge/name" in said
    assert "/classifier" in said
    assert "create:shop-baseline-v000" not in "".join(map(str, world.faults.calls))
    assert set(world.cloud.groups) == {"shop-prod-v000"}


def test_a_query_that_the_source_refuses_is_refused_before_anything_is_deployed() -> None:
    world = place(FakeSource(shop()))
    metrics: Json = [{**config()["metrics"][0], "query": {"type": "fake"}}]

    execution = world.run(canary(analysis={"canaryConfig": config(metrics=metrics)}))

    assert "The query has no `of`. (at /metrics/0/query/of)" in problem_of(execution)
    assert set(world.cloud.groups) == {"shop-prod-v000"}


def test_a_config_is_found_by_its_id_and_by_its_name() -> None:
    world = place(FakeSource(shop()))

    async def save(services: Services) -> None:
        await services.definitions.save("canary-config", "c1", config(), author="ada")

    world.harness.do(save)

    for reference in ({"canaryConfigId": "c1"}, {"canaryConfigName": "shop"}):
        execution = world.run(canary(analysis={"canaryConfig": None, **reference}))
        assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    unknown = world.run(canary(analysis={"canaryConfig": None, "canaryConfigId": "c2"}))
    assert "There is no canary config with the id 'c2'." in problem_of(unknown)


def test_templates_of_a_config_are_no_expressions_of_the_pipeline() -> None:
    world = place(FakeSource(shop()))

    async def save(services: Services) -> None:
        body = config(templates={"t": "rate(${scope})"})
        await services.definitions.save("canary-config", "c1", body, author="ada")

    world.harness.do(save)

    execution = world.run(canary(analysis={"canaryConfig": None, "canaryConfigId": "c1"}))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)


def test_each_judgement_names_its_config_and_the_result_that_was_kept() -> None:
    world = place(FakeSource(shop()))

    async def save(services: Services) -> None:
        await services.definitions.save("canary-config", "c1", config(), author="ada")

    world.harness.do(save)

    execution = world.run(canary(analysis={"canaryConfig": None, "canaryConfigId": "c1"}))

    outputs = by_name(execution, "Run Canary #2").outputs
    assert outputs["canaryConfigId"] == "c1"

    async def kept(services: Services) -> None:
        items = {one.name: one.digest for one in await services.evidence.list(execution.head.id)}
        assert items["canary-2.json"] == f"sha256:{outputs['canaryPipelineExecutionId']}"

    world.harness.do(kept)


def test_a_stage_that_may_fail_lets_the_pipeline_go_on_after_all_its_judgements() -> None:
    world = place(FakeSource(shop(errors=0.05)))
    pipeline = canary()
    pipeline["stages"][0] |= {"continuePipeline": True, "failPipeline": False}

    execution = world.run(pipeline)

    assert execution.head.status is Status.SUCCEEDED
    assert top(execution).status is Status.FAILED_CONTINUE
    judged = [by_name(execution, f"Run Canary #{number}").status for number in (1, 2)]
    assert judged == [Status.FAILED_CONTINUE, Status.FAILED_CONTINUE]
    assert is_as_before(world)


def test_missing_data_is_named_with_metric_scope_and_since_when() -> None:
    source = FakeSource(shop(silent=("errors",)))

    execution = place(source).run(canary())

    start = f"{source.asked[0].start:%Y-%m-%d %H:%M:%S} UTC"
    assert (
        f"there were no samples of the baseline shop-baseline-v000 since {start} and of the canary shop-canary-v000 "
        f"since {start}." in problem_of(execution)
    )


@pytest.mark.parametrize("kind", ["wait", "runCanary", "createServerGroup", "cleanupCanaryClusters"])
def test_a_cancelled_analysis_leaves_nothing_and_gives_the_traffic_back(kind: str) -> None:
    world = place(FakeSource(shop()))
    world.faults.up_after = timedelta(seconds=5)

    async def cancel(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, kind)
        event = CancelAsked(at=services.clock.now(), by="ada", reason="enough")
        await services.executions.tell(execution_id, event, TESTER)

    execution = world.run(canary(deployments={"delayBeforeCleanup": "PT5S"}), meanwhile=cancel)

    assert execution.head.status is Status.CANCELED
    assert is_as_before(world)


def test_a_canary_that_never_comes_up_fails_and_leaves_nothing() -> None:
    world = place(FakeSource(shop()))
    pipeline = canary()
    pair = pipeline["stages"][0]["deployments"]["serverGroupPairs"][0]
    pair["experiment"]["image"] = SICK

    execution = world.run(pipeline)

    assert execution.head.status is Status.TERMINAL
    assert is_as_before(world)


def test_a_clean_up_that_fails_is_done_again_by_the_keeper() -> None:
    world = place(FakeSource(shop()))
    for _ in range(2):
        world.faults.refuse("destroy")

    execution = world.run(canary())

    assert execution.head.status is Status.SUCCEEDED
    assert by_name(execution, "Destroy shop-canary-v000").status is Status.FAILED_CONTINUE
    assert (execution.head.end_time - execution.head.start_time) < timedelta(minutes=5)
    keepers = world.harness.executions(kind=ExecutionKind.ORCHESTRATION, name=None)
    assert [one.head.status for one in keepers] == [Status.SUCCEEDED]
    assert is_as_before(world)


def test_lost_samples_are_waited_for_and_said() -> None:
    source = FakeSource(shop())
    source.silent_for = timedelta(seconds=12)

    execution = place(source).run(canary())

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    windows = [one.end - one.start for one in source.asked]
    assert timedelta(seconds=20) < windows[-1]
    first = report(execution)["intervals"][0]
    assert "Samples were lost" in first["warnings"][0]


def test_samples_that_never_come_are_not_waited_for_for_ever() -> None:
    source = FakeSource(shop())
    source.silent_for = timedelta(days=1)

    execution = place(source).run(canary())

    assert execution.head.status is Status.TERMINAL
    assert source.asked[-1].end - source.asked[-1].start <= timedelta(seconds=90)
    assert "there were no samples of the baseline shop-baseline-v000 since" in problem_of(execution)


def test_a_source_that_is_down_for_a_moment_is_asked_again() -> None:
    source = FakeSource(shop())
    source.down = ["connection refused"]

    execution = place(source).run(canary())

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)


def test_existing_server_groups_are_compared_without_deploying() -> None:
    world = place(FakeSource(shop(errors=0.05)))
    scope: JsonObject = {
        "scopeName": "default",
        "controlScope": "shop-prod-v000",
        "controlLocation": "local",
        "experimentScope": "shop-canary-v007",
        "experimentLocation": "local",
        "step": 1,
    }

    execution = world.run(
        canary(analysis={"scopes": [scope]}, deployments=None) | {"stages": [_without_deployments(scope)]}
    )

    assert report(execution)["baseline"] == "shop-prod-v000"
    assert "Cleanup Canary Clusters" not in names(execution)


def _without_deployments(scope: JsonObject) -> JsonObject:
    stage = canary(analysis={"scopes": [scope]})["stages"][0]
    return {key: value for key, value in stage.items() if key != "deployments"}


def test_a_first_version_has_no_baseline_and_passes_only_if_the_pipeline_says_so() -> None:
    refused = bare(FakeSource(shop())).run(canary())
    passed = bare(FakeSource(shop())).run(canary(deployments={"skipWithoutBaseline": True}))

    assert refused.head.status is Status.TERMINAL
    assert "no enabled server group" in problem_of(refused)
    assert passed.head.status is Status.SUCCEEDED, problem_of(passed)
    assert "nothing to compare with" in str(top(passed).outputs["canaryScoreMessage"])


@pytest.mark.parametrize(
    ("analysis", "deployments", "said"),
    [
        ({"lifetimeDuration": None}, {}, "lifetimeDuration"),
        ({"scopes": [{}]}, {}, "/canaryConfig/scopes/0/step"),
        ({"scoreThresholds": {"pass": "many"}}, {}, "pass`"),
        ({}, {"trafficPercent": 60}, "/deployments/trafficPercent"),
        ({}, {"baseline": {}}, "/deployments/baseline/cluster"),
        ({}, {"serverGroupPairs": []}, "/deployments/serverGroupPairs"),
        ({"scopes": []}, {}, "at least one scope"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_deployed(
    analysis: JsonObject, deployments: JsonObject, said: str
) -> None:
    world = place(FakeSource(shop()))

    execution = world.run(canary(analysis=analysis, deployments=deployments))

    assert execution.head.status is Status.TERMINAL
    assert said in problem_of(execution)
    assert set(world.cloud.groups) == {"shop-prod-v000"}


def test_a_killed_server_ends_up_with_the_same_result() -> None:
    points = [
        "effect.before:RunTask:deployCanaryServerGroups.chooseBaselineImage",
        "effect.after:RunTask:runCanary.fetchMetrics",
        "effect.after:RunTask:runCanary.judgeCanary",
        "effect.after:RunTask:kayentaCanary.aggregateCanaryResults",
        "effect.after:RunTask:cleanupCanaryClusters.forgetCanary",
    ]
    world = place(FakeSource(shop()))

    execution = world.run(canary(), kill_at=points)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert set(points) <= set(world.harness.probe.seen)
    assert top(execution).outputs["canaryScores"] == [100.0, 100.0]
    assert is_as_before(world)


def test_evidence_is_plain_json_without_nulls_for_missing_samples() -> None:
    def sparse(metric: str, group: str, dice: np.random.Generator) -> float:
        return math.nan if dice.random() < 0.1 else shop()(metric, group, dice)

    world = place(FakeSource(sparse))
    execution = world.run(canary())

    async def kept(services: Services) -> None:
        items = {one.name: one for one in await services.evidence.list(execution.head.id)}
        content = await services.evidence.read(items["metric-set-pairs-2.json"].digest)
        assert content is not None
        pairs = decode_json(content)
        assert isinstance(pairs, list)
        assert "NaN" in pairs[0]["values"]["control"]
        assert None not in pairs[0]["values"]["control"]

    world.harness.do(kept)
