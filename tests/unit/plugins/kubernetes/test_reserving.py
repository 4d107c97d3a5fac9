"""Reserving: stages side by side that deploy other content under one name."""

from typing import Any

from tests import make
from tests.fakes.kubernetes_api import KubernetesApi
from tests.harness import problem_of
from tests.kubernetes_cluster import ACCOUNT, Cluster, Object, config_map, settle, workload

from gennaker.interfaces.services import Services
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status


def side_by_side(cluster: Cluster, *modes: str, **keys: Any) -> Execution:
    """One stage for each mode, all at once: a ConfigMap `cfg`, and a workload of its own that refers to it."""
    stages = [
        make.stage_json(
            f"s{number}",
            type="deployManifest",
            account=ACCOUNT,
            cloudProvider="kubernetes",
            source="text",
            moniker={"app": "shop"},
            manifests=[config_map(mode=mode), workload(name=f"web{number}")],
        )
        for number, mode in enumerate(modes)
    ]
    execution: Execution = cluster.harness.run(make.config(*stages, application="shop"), **keys)
    return execution


def mode_of(cluster: Cluster, name: str) -> str:
    """What a workload reads."""
    pod = cluster.api.object("deployments", name)["spec"]["template"]["spec"]
    found = cluster.api.object("configmaps", pod["containers"][0]["envFrom"][0]["configMapRef"]["name"])
    return str(found["data"]["mode"])


def test_each_workload_reads_what_its_own_stage_has_deployed() -> None:
    cluster = Cluster()
    modes = ("fast", "slow", "odd", "even")

    execution = side_by_side(cluster, *modes)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert [mode_of(cluster, f"web{number}") for number in range(len(modes))] == [*modes]
    assert len(cluster.api.names("configmaps")) == len(modes)


def test_numbers_go_on_without_a_gap_afterwards() -> None:
    cluster = Cluster()
    side_by_side(cluster, "fast", "slow")

    cluster.deploy(config_map(mode="odd"))

    assert cluster.api.names("configmaps") == ["cfg-v000", "cfg-v001", "cfg-v002"]


def test_what_is_refused_after_the_rehearsal_holds_no_number() -> None:
    cluster = Cluster()

    def behaviour(api: KubernetesApi, what: str, found: Object) -> None:
        settle(api, what, found)
        api.forbidden = {"PATCH configmaps": "exceeded quota"} if found["kind"] == "Namespace" else api.forbidden

    cluster.api.behaviour = behaviour
    space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}}

    refused = cluster.deploy(space, config_map(mode="fast"))
    cluster.api.forbidden = {}
    cluster.deploy(config_map(mode="slow"))

    assert "exceeded quota" in problem_of(refused)
    assert cluster.api.names("configmaps") == ["cfg-v000"]


def test_a_killed_server_sends_what_it_had_taken_numbers_for() -> None:
    cluster = Cluster()

    execution = side_by_side(cluster, "fast", "slow", kill_at=("effect.after:RunTask:deployManifest.deployManifest",))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert [mode_of(cluster, "web0"), mode_of(cluster, "web1")] == ["fast", "slow"]


def test_nothing_is_left_held_by_a_stage_that_is_over() -> None:
    cluster = Cluster()
    side_by_side(cluster, "fast", "slow")
    held: list[Any] = []

    async def look(services: Services) -> None:
        found = await services.documents("kubernetes.versions").get(ACCOUNT)
        assert found is not None
        held.extend(found.body["held"])  # type: ignore[arg-type]  # as written there

    cluster.harness.do(look)

    assert [one["is_over"] for one in held] == [True]
