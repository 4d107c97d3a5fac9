"""Pruning over an API server in memory: what is left is shown, and only a stage's own goes."""

from datetime import timedelta
from typing import Any

import pytest
from tests import waiting
from tests.harness import TESTER, problem_of, reached
from tests.kubernetes_cluster import ACCOUNT, Cluster, Object, config_map, first, never, service, settle, workload

from gennaker.interfaces.manifests import DriftState
from gennaker.interfaces.services import Services
from gennaker.model import half_applied
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import CancelAsked
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status


def deployed(cluster: Cluster, *wanted: Object, pipeline: str = "p1", prune: bool = True, **keys: Any) -> Execution:
    return cluster.deploy(*wanted, pipeline=pipeline, prune=prune, **keys)


def left(execution: Execution) -> dict[str, str]:
    listed: Any = first(execution).context["manifestDifferences"]
    return {one["name"]: one["change"] for one in listed if one["change"] in ("left", "deleted")}


def pruned(execution: Execution) -> Any:
    return first(execution).context.get("prunedManifests", [])


def test_what_a_stage_no_longer_contains_is_shown_in_every_run_and_goes_where_it_asks() -> None:
    cluster = Cluster()
    deployed(cluster, workload(), service(), config_map(mode="fast"))

    for _ in range(2):
        kept = deployed(cluster, workload(), prune=False)
        assert left(kept) == {"configMap cfg-v000": "left", "service lb": "left"}
        assert pruned(kept) == []
    asked = deployed(cluster, workload())

    assert left(asked) == {"configMap cfg-v000": "deleted", "service lb": "deleted"}
    assert pruned(asked) == ["service lb", "configMap cfg-v000"]
    assert cluster.api.names("services") == cluster.api.names("configmaps") == []
    assert cluster.api.names("deployments") == ["web"]
    assert left(deployed(cluster, workload())) == {}


def test_versions_of_what_the_stage_still_contains_are_kept_and_all_of_what_it_doesn_t_go() -> None:
    cluster = Cluster()
    for mode in ("fast", "slow"):
        deployed(cluster, config_map("a", mode=mode), config_map("b", mode=mode))

    deployed(cluster, config_map("a", mode="other"))

    assert cluster.api.names("configmaps") == ["a-v000", "a-v001", "a-v002"]


def test_what_another_stage_or_pipeline_has_applied_since_is_theirs() -> None:
    cluster = Cluster()
    deployed(cluster, service("mine"), service("taken"))
    deployed(cluster, service("taken"), pipeline="p2")
    cluster.api.put(service("strangers"))

    execution = deployed(cluster, config_map(mode="fast"))

    assert pruned(execution) == ["service mine"]
    assert cluster.api.names("services") == ["taken", "strangers"]


def test_what_was_taken_over_while_the_stage_waited_is_left_alone() -> None:
    cluster = Cluster()
    deployed(cluster, service("taken"), service("mine"))

    async def take(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "deployManifest", task="waitForManifestToStabilize")
        live = cluster.api.object("services", "taken")
        annotations = {**live["metadata"]["annotations"], "gennaker.io/applied-by": "shop/p2/m"}
        cluster.api.put({**live, "metadata": {"name": "taken", "annotations": annotations}})
        settle(cluster.api, "ADDED", cluster.api.object("deployments", "web"))

    cluster.api.behaviour = never
    execution = deployed(cluster, workload(), meanwhile=take)

    assert left(execution) == {"service taken": "deleted", "service mine": "deleted"}
    assert pruned(execution) == ["service mine"]


def test_nothing_goes_before_the_new_is_stable() -> None:
    cluster = Cluster()
    deployed(cluster, service())
    cluster.api.behaviour = never

    failed = deployed(cluster, workload(), stableManifestTimeoutMinutes=1)

    assert failed.head.status is Status.TERMINAL
    assert cluster.api.names("services") == ["lb"]
    assert left(deployed(cluster, config_map(mode="fast"))) == {"service lb": "deleted", "deployment web": "deleted"}


def test_namespaces_and_what_is_marked_to_be_kept_are_only_listed() -> None:
    cluster = Cluster()
    kept = service("kept")
    kept["metadata"]["annotations"] = {"gennaker.io/prune": "false"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    deployed(cluster, kept, namespace)

    execution = deployed(cluster, config_map(mode="fast"))

    assert left(execution) == {"service kept": "left", "namespace team": "left"}
    assert cluster.api.names("services") == ["kept"]
    assert cluster.api.names("namespaces", "") == ["team"]


def test_the_accounts_own_namespace_is_the_same_written_or_not() -> None:
    cluster = Cluster()
    deployed(cluster, service())
    named = service()
    named["metadata"]["namespace"] = "shop"

    assert left(deployed(cluster, named)) == {}
    assert cluster.api.names("services") == ["lb"]


def test_what_label_selectors_leave_out_of_a_run_is_still_contained() -> None:
    cluster = Cluster()
    deployed(cluster, service(), config_map(mode="fast"))
    labelled = service()
    labelled["metadata"]["labels"] = {"tier": "front"}
    selectors = {"selectors": [{"kind": "EQUALS", "key": "tier", "values": ["front"]}]}

    execution = deployed(cluster, labelled, config_map(mode="fast"), labelSelectors=selectors)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert left(execution) == {}


@pytest.mark.parametrize("task", ["deployManifest", "cleanupArtifacts"])
def test_a_crash_loses_nothing_that_is_to_go(task: str) -> None:
    cluster = Cluster()
    deployed(cluster, service(), workload())

    execution = deployed(cluster, workload(), kill_at=(f"effect.after:RunTask:deployManifest.{task}",))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert cluster.api.names("services") == []


def test_without_a_stored_pipeline_nothing_is_known_and_pruning_is_refused() -> None:
    cluster = Cluster()

    execution = deployed(cluster, service(), pipeline="")

    assert "belongs to no stored pipeline" in problem_of(execution)
    assert cluster.api.names("services") == []
    assert deployed(cluster, service(), pipeline="", prune=False).head.status is Status.SUCCEEDED


def test_what_may_not_be_listed_stays_known_and_is_refused_where_it_is_to_go() -> None:
    cluster = Cluster()
    deployed(cluster, service())
    cluster.api.forbidden["GET services"] = 'User "ci" may not list services'

    assert left(deployed(cluster, config_map(mode="fast"), prune=False)) == {}
    assert "may not list services" in problem_of(deployed(cluster, config_map(mode="fast")))
    cluster.api.forbidden.clear()

    assert pruned(deployed(cluster, config_map(mode="fast"))) == ["service lb"]


def test_a_stage_that_only_shows_the_difference_applies_deletes_and_remembers_nothing() -> None:
    cluster = Cluster()
    deployed(cluster, service(), config_map(mode="fast"))
    wanted = (config_map(mode="slow"), workload())

    shown = deployed(cluster, *wanted, diffOnly=True, refId="other", asStage="m")

    assert shown.head.status is Status.SUCCEEDED, problem_of(shown)
    listed: Any = first(shown).outputs["manifestDifferences"]
    assert {one["name"]: one["change"] for one in listed} == {
        "configMap cfg-v001": "created",
        "deployment web": "created",
        "service lb": "deleted",
    }
    assert cluster.api.names("services") == ["lb"]
    assert cluster.api.names("configmaps") == ["cfg-v000"]
    assert cluster.api.names("deployments") == []
    assert pruned(deployed(cluster, *wanted)) == ["service lb"]


def test_a_stage_that_only_shows_the_difference_says_all_that_is_wrong() -> None:
    cluster = Cluster()
    cluster.api.invalid["web"] = "no such field"

    shown = deployed(cluster, workload(), diffOnly=True)

    assert shown.head.status is Status.TERMINAL
    assert "no such field" in problem_of(shown)


def missing(cluster: Cluster) -> list[str]:
    """What drift misses, with where it was applied."""
    found: list[str] = []

    async def look(services: Services, _execution: str) -> None:
        stages: list[Json] = [{"refId": "m", "type": "deployManifest"}]
        body: JsonObject = {"application": "shop", "name": "Ship", "stages": stages}
        await services.definitions.save("pipeline", "p1", body, author="test")
        (reader,) = services.manifests.values()
        seen = await reader.drift("shop", frozenset({ACCOUNT}))
        found.extend(f"{one.name}: {one.why}" for one in seen.objects if one.state is DriftState.MISSING)

    cluster.run("resolveTargetManifest", manifestName="deployment web", location="shop", meanwhile=look)
    return found


def test_what_a_stage_has_applied_and_somebody_has_deleted_is_missed() -> None:
    cluster = Cluster()
    deployed(cluster, service(), config_map(mode="fast"))
    deployed(cluster, service("others"), pipeline="gone")
    assert missing(cluster) == []

    cluster.api.remove("services", "lb")
    cluster.api.remove("services", "others")
    cluster.api.remove("configmaps", "cfg-v000")

    why = "The stage m of Ship has applied it, and it isn't there."
    assert missing(cluster) == [f"configMap cfg: {why}", f"service lb: {why}"]


def test_what_a_stage_has_deleted_or_pruned_is_not_missed() -> None:
    cluster = Cluster()
    deployed(cluster, service(), config_map(mode="fast"), service("pruned"))

    for name in ("service lb", "configMap cfg-v000"):
        cluster.run("deleteManifest", location="shop", manifestName=name)
    deployed(cluster, service("stays"))

    assert cluster.api.names("services") == ["stays"]
    assert missing(cluster) == []


def test_a_stage_that_is_cancelled_while_it_prunes_says_what_is_applied_and_what_is_gone() -> None:
    cluster = Cluster()
    deployed(cluster, workload(), service(), config_map(mode="fast"))
    cluster.api.unanswered = "cfg-v000"

    async def meanwhile(services: Services, execution_id: str) -> None:
        await waiting.until(lambda: cluster.api.waits_at, "the cluster to be asked")
        await services.executions.tell(execution_id, CancelAsked(at=services.clock.now(), by="ada"), TESTER)

    execution = deployed(cluster, workload(), meanwhile=meanwhile, afterwards=timedelta(seconds=5))

    context = first(execution).context
    assert execution.head.status is Status.CANCELED
    assert half_applied.sentences("Deploy", context) == (
        (
            "When stage Deploy was stopped: applied are deployment web; deleted are service lb; not deleted is "
            "configMap cfg-v000. Nothing is taken back; running the stage again is safe."
        ),
    )
