"""Manifest stages against a real control plane."""

import asyncio
import base64
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests import control_plane, kubernetes_stages, make
from tests.control_plane import ControlPlane
from tests.free_ports import free_port
from tests.harness import TESTER, problem_of, reached
from tests.kubernetes_cluster import config_map, first, service
from tests.kubernetes_stages import (
    DEPLOYMENTS,
    REPLICA_SETS,
    Stages,
    behind,
    come_to_serve,
    deployed,
    groups,
    plain,
    version,
)
from tests.rollout_faults import keys_of
from tests.rollout_kills import KILLED
from tests.waiting import until_equal, until_found

from gennaker.access.stored_secrets import SecretRules
from gennaker.interfaces.clouds import Capacity, Job, NewJob, NewServerGroup, Place
from gennaker.interfaces.manifests import Drifts, DriftState
from gennaker.interfaces.services import Services
from gennaker.interfaces.traffic import name_of
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.kubernetes import annotations, managers
from gennaker.plugins.kubernetes.objects import FIELD_MANAGER

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.go, pytest.mark.xdist_group("kubernetes")]
TRAFFIC = {"enabled": True, "options": {"enableTraffic": True, "services": ["service lb"], "strategy": "redblack"}}


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    ports = (free_port(), free_port(), free_port())
    with control_plane.running(tmp_path_factory.mktemp("cluster"), ports) as one:
        yield one


@pytest.fixture
def stages(plane: ControlPlane) -> Stages:
    return Stages(plane)


def test_a_deployment_and_its_configuration_become_stable(stages: Stages) -> None:
    execution = stages.done("deployManifest", manifests=[plain(name="a"), config_map(mode="fast")])

    made = stages.live(f"{DEPLOYMENTS}/a")
    assert made["status"]["readyReplicas"] == 2
    assert made["spec"]["template"]["spec"]["containers"][0]["envFrom"] == [{"configMapRef": {"name": "cfg-v000"}}]
    assert first(execution).context["manifestDifferences"]


def test_the_same_again_changes_nothing_and_other_content_is_another_version(stages: Stages) -> None:
    stages.done("deployManifest", manifests=[plain(name="b"), config_map("b", mode="fast")])
    before = stages.live(f"{DEPLOYMENTS}/b")["metadata"]["generation"]
    stages.done("deployManifest", manifests=[plain(name="b"), config_map("b", mode="fast")])
    assert stages.live(f"{DEPLOYMENTS}/b")["metadata"]["generation"] == before

    stages.done("deployManifest", manifests=[config_map("b", mode="slow")])
    names = [one["metadata"]["name"] for one in stages.live("/api/v1/namespaces/default/configmaps")["items"]]
    assert {"b-v000", "b-v001"} <= {*names}


def test_what_a_manifest_no_longer_says_goes(stages: Stages) -> None:
    stages.done("deployManifest", manifests=[plain(name="c", minReadySeconds=1)])
    stages.done("deployManifest", manifests=[plain(name="c")])

    assert "minReadySeconds" not in stages.live(f"{DEPLOYMENTS}/c")["spec"]


def test_a_conflict_names_field_and_manager(stages: Stages) -> None:
    stages.done("deployManifest", manifests=[plain(name="d")])
    stages.done("scaleManifest", manifestName="deployment d", replicas=4)
    assert stages.live(f"{DEPLOYMENTS}/d")["spec"]["replicas"] == 4
    patch = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"minReadySeconds": 3}}
    stages.plane.apply(f"{DEPLOYMENTS}/d", patch, manager="someone")
    own = plain(name="d", minReadySeconds=1)
    own["metadata"]["annotations"] = {"strategy.spinnaker.io/server-side-apply": "true"}

    said = problem_of(stages.run("deployManifest", manifests=[own]))

    assert "someone" in said
    assert ".spec.minReadySeconds" in said


def test_all_that_the_server_refuses_is_said_and_nothing_is_applied(stages: Stages) -> None:
    wrong = plain(name="wrong")
    wrong["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"containerPort": 70000}]
    unknown = plain(name="unknown")
    unknown["spec"]["replica"] = 3

    said = problem_of(stages.run("deployManifest", manifests=[config_map("wrong"), wrong, unknown]))

    assert "70000" in said
    assert "spec.replica" in said
    assert stages.live("/api/v1/namespaces/default/configmaps/wrong-v000") is None


def test_blue_green_switches_and_the_old_pods_lose_their_label(stages: Stages) -> None:
    stages.done("deployManifest", manifests=[service()])
    stages.done("deployManifest", manifests=[plain("ReplicaSet", "e")], trafficManagement=TRAFFIC)
    stages.done("deployManifest", manifests=[plain("ReplicaSet", "e", minReadySeconds=1)], trafficManagement=TRAFFIC)

    def pods() -> list[Any]:
        listed: list[Any] = stages.live("/api/v1/namespaces/default/pods?labelSelector=app%3De")["items"]
        return [one["metadata"] for one in listed if "deletionTimestamp" not in one["metadata"]]

    assert {one["ownerReferences"][0]["name"] for one in pods() if one["labels"].get("lb") == "on"} == {"e-v001"}
    until_equal(lambda: len(pods()), 4)


def test_a_rollout_goes_back_and_is_restarted(stages: Stages) -> None:
    for image in ("acme/web:1", "acme/web:2"):
        manifest = plain(name="f")
        manifest["spec"]["template"]["spec"]["containers"][0]["image"] = image
        stages.done("deployManifest", manifests=[manifest])

    stages.done("undoRolloutManifest", manifestName="deployment f", numRevisionsBack=1)
    assert stages.live(f"{DEPLOYMENTS}/f")["spec"]["template"]["spec"]["containers"][0]["image"] == "acme/web:1"
    stages.done("rollingRestartManifest", manifestName="deployment f")
    stages.done("pauseRolloutManifest", manifestName="deployment f")
    stages.done("resumeRolloutManifest", manifestName="deployment f")


def test_patching_and_deleting(stages: Stages) -> None:
    stages.done("deployManifest", manifests=[plain(name="g")])
    body = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "acme/side"}]}}}}
    stages.done("patchManifest", manifestName="deployment g", patchBody=body)
    assert len(stages.live(f"{DEPLOYMENTS}/g")["spec"]["template"]["spec"]["containers"]) == 2

    stages.done("deleteManifest", manifestName="deployment g", options={"cascading": "foreground"})
    assert stages.live(f"{DEPLOYMENTS}/g") is None


def test_a_job_runs_to_its_end(stages: Stages) -> None:
    template = {"spec": {"containers": [{"name": "main", "image": "acme/job"}], "restartPolicy": "Never"}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "h"}, "spec": {"template": template}}

    for _ in range(2):
        execution = stages.done("runJobManifest", manifest=job)

    status: Any = first(execution).outputs["jobStatus"]
    assert status["jobState"] == "Succeeded"


def test_secrets_of_a_job_and_a_server_group_are_taken_by_the_server_and_go_with_them(
    plane: ControlPlane, tmp_path: Path
) -> None:
    stages = Stages(plane, data=tmp_path)
    place = Place(account="prod", region="default")
    environment = {"TOKEN": "secret://store?n=hub"}
    new = NewJob(key="j", place=place, image="acme/job", environment=environment, application="shop")
    group = NewServerGroup(
        key="g",
        name="shop-secret-v000",
        place=place,
        image="acme/web",
        capacity=Capacity(min=0, max=0, desired=0),
        environment=environment,
        application="shop",
    )

    async def story() -> Job:
        async with stages.harness.process() as core:
            rules = SecretRules(applications=("shop",))
            await core.stored_secrets.set("hub", "the hub's token", rules, by=TESTER)
            await core.services.clouds["kubernetes"].create(group)
            return await core.services.clouds["kubernetes"].run_job(new)

    job = stages.harness.time.run(story())

    secrets, jobs = "/api/v1/namespaces/default/secrets", "/apis/batch/v1/namespaces/default/jobs"
    secret, made = stages.live(f"{secrets}/{job.id}"), stages.live(f"{jobs}/{job.id}")
    assert base64.b64decode(secret["data"]["TOKEN"]) == b"the hub's token"
    assert "the hub's token" not in str(made)
    own = [one["metadata"]["name"] for one in stages.live(secrets)["items"] if "TOKEN" in one.get("data", {})]
    assert len(own) == 2
    plane.request("DELETE", f"{jobs}/{job.id}?propagationPolicy=Background")
    plane.request("DELETE", f"{REPLICA_SETS}/{group.name}?propagationPolicy=Foreground")
    plane.wait(lambda: all(stages.live(f"{secrets}/{one}") is None for one in own))


def test_a_right_that_is_missing_is_said_in_the_servers_words(stages: Stages) -> None:
    said = problem_of(stages.run("deployManifest", account="ci", manifests=[plain(name="i")]))

    assert "forbidden" in said
    assert 'User "ci"' in said


def test_a_quota_is_waited_for_and_then_named(plane: ControlPlane) -> None:
    stages = Stages(plane)
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tight"}}
    stages.done("deployManifest", manifests=[namespace])
    stages.done("deployManifest", manifests=[quota], namespaceOverride="tight")
    kubernetes_stages.until_pods_are_refused_by(plane, "tight", "none")
    stages = Stages(plane, rate=20)

    execution = stages.run("deployManifest", manifests=[plain("ReplicaSet", "j")], namespaceOverride="tight")

    assert "exceeded quota: none, requested: pods=1, used: pods=0, limited: pods=0" in problem_of(execution)
    assert "(FailedCreate)" in problem_of(execution)
    assert execution.head.end_time is not None
    (refusal,) = stages.live("/apis/apps/v1/namespaces/tight/replicasets/j-v000")["status"]["conditions"]
    since = datetime.fromisoformat(refusal["lastTransitionTime"])
    assert execution.head.end_time - since >= timedelta(minutes=1), "a quota may be freed"

    refused = deployed(stages, "tight", "acme/web:1", region="tight", services=[])
    assert "of pods 0 may be used and 0 is, it needs 2 more (quota none)" in problem_of(refused)


def test_an_api_server_that_goes_away_in_the_middle_delays_stages_and_fails_nothing(stages: Stages) -> None:
    """It cuts all watches, too: what is waited for afterwards is seen by those that begin again."""
    stages.done("deployManifest", manifests=[service("away", lb="away")])
    assert deployed(stages, "away", "acme/web:1").head.status is Status.SUCCEEDED
    template = {"spec": {"containers": [{"name": "main", "image": "acme/job"}], "restartPolicy": "Never"}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "away"}, "spec": {"template": template}}
    gated = {"containers": [{"name": "main", "image": "acme/web"}], "schedulingGates": [{"name": "acme.test/gate"}]}
    manifest = plain("ReplicaSet", "k", replicas=1)
    manifest["spec"]["template"]["spec"] = gated
    path = "/api/v1/namespaces/default/pods"

    async def meanwhile(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "deployManifest", task="waitForManifestToStabilize")
        with stages.plane.without_api_server():
            await asyncio.sleep(2)
        await until_found(ungated, "the ReplicaSet's pod is ready")

    async def ungated() -> bool:
        """A controller whose answer was cut off makes a second pod, and takes either of them away again."""
        for pod in stages.live(f"{path}?labelSelector=app%3Dk")["items"]:
            body = {"spec": {"schedulingGates": None}}
            stages.plane.request(
                "PATCH", f"{path}/{pod['metadata']['name']}", body, media="application/merge-patch+json"
            )
        return stages.live(f"{REPLICA_SETS}/k")["status"].get("readyReplicas") == 1

    keys = {"account": "prod", "moniker": {"app": "shop"}}
    several = (
        make.stage_json("manifest", type="deployManifest", manifests=[manifest], versioned=False, **keys),
        make.stage_json("group", type="createServerGroup", **version("away", "acme/web:2")),
        make.stage_json("job", type="runJobManifest", manifest=job, **keys),
    )
    execution = stages.harness.run(make.config(*several), meanwhile=meanwhile)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert (groups(stages, "away"), behind(stages, "away")) == (
        {"shop-away-v000": 2, "shop-away-v001": 2},
        {"acme/web:2"},
    )
    kubernetes_stages.until_job_is_complete(stages, "away")


@pytest.mark.parametrize("strategy", ["highlander", "redblack", "rollingredblack"])
def test_a_strategy_puts_the_new_version_behind_the_service_and_the_old_one_away(stages: Stages, strategy: str) -> None:
    stages.done("deployManifest", manifests=[service(strategy, lb=strategy)])
    for image in ("acme/web:1", "acme/web:2"):
        execution = deployed(stages, strategy, image, strategy)
        assert execution.head.status is Status.SUCCEEDED, problem_of(execution)

    assert behind(stages, strategy) == {"acme/web:2"}
    assert groups(stages, strategy)[f"shop-{strategy}-v001"] == 2


def test_a_version_that_the_api_server_refuses_leaves_the_old_one_serving(stages: Stages) -> None:
    stages.done("deployManifest", manifests=[service("kept", lb="kept")])
    assert deployed(stages, "kept", "acme/web:1").head.status is Status.SUCCEEDED
    too_large = {"containers": [{"name": "web", "resources": {"requests": {"cpu": "5"}, "limits": {"cpu": "1"}}}]}
    manifest = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": {"template": {"spec": too_large}}}

    execution = deployed(stages, "kept", "acme/web:2", manifest=manifest)

    assert "must be less than or equal to cpu limit" in problem_of(execution)
    assert behind(stages, "kept") == {"acme/web:1"}
    assert groups(stages, "kept") == {"shop-kept-v000": 2}


def test_server_groups_are_resized_disabled_enabled_and_destroyed(stages: Stages) -> None:
    stages.done("deployManifest", manifests=[service("ops", lb="ops")])
    for image in ("acme/web:1", "acme/web:2"):
        assert deployed(stages, "ops", image, "none").head.status is Status.SUCCEEDED
    old = {
        "serverGroupName": "shop-ops-v000",
        "credentials": "prod",
        "region": "default",
        "cloudProvider": "kubernetes",
    }
    assert behind(stages, "ops") == {"acme/web:1", "acme/web:2"}

    stages.done("disableServerGroup", **old)
    assert behind(stages, "ops") == {"acme/web:2"}
    stages.done("resizeServerGroup", **old, action="scale_exact", capacity={"min": 3, "max": 3, "desired": 3})
    stages.done("enableServerGroup", **old)
    assert behind(stages, "ops") == {"acme/web:1", "acme/web:2"}
    assert groups(stages, "ops") == {"shop-ops-v000": 3, "shop-ops-v001": 2}
    stages.done("destroyServerGroup", **old)
    assert groups(stages, "ops") == {"shop-ops-v001": 2}


def test_drift_names_the_field_and_who_has_changed_it_and_defaults_are_none(stages: Stages) -> None:
    """What the API server adds by itself (defaults, controllers' annotations, allocated addresses) is no drift."""
    sided = plain(name="drift-sided")
    sided["metadata"]["annotations"] = {"strategy.spinnaker.io/server-side-apply": "true"}
    stages.done(
        "deployManifest",
        moniker={"app": "drifting"},
        manifests=[plain(name="drift"), sided, service("drift"), config_map("drift", mode="fast")],
    )
    found: list[Drifts] = []
    for path in (f"{DEPLOYMENTS}/drift", f"{DEPLOYMENTS}/drift-sided", "/api/v1/namespaces/default/services/drift"):
        own, copies = stages.live(path), annotations.COPIES  # nobody has to be asked about them
        assert managers.is_as_applied(own, annotations.desired(own) or {}, manager=FIELD_MANAGER, but=copies)

    async def look(services: Services, _execution: str) -> None:
        (reader,) = services.manifests.values()
        found.append(await reader.drift("drifting", frozenset({"prod"})))
        patch = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 3}}
        for name in ("drift", "drift-sided"):
            named = {**patch, "metadata": {"name": name}}
            stages.plane.apply(f"{DEPLOYMENTS}/{name}", named, manager="someone&force=true")
        found.append(await reader.drift("drifting", frozenset({"prod"})))

    stages.done("resolveTargetManifest", manifestName="deployment drift", meanwhile=look)

    before, after = found
    assert {one.name: one.state for one in before.objects} == dict.fromkeys(
        ("configMap drift-v000", "deployment drift", "deployment drift-sided", "service drift"), DriftState.SAME
    )
    assert before.missing == {}
    drifted = {one.name: one.changes for one in after.objects if one.state is DriftState.DRIFTED}
    change = {"path": "/spec/replicas", "live": 3, "desired": 2, "by": ["someone"]}
    assert drifted == dict.fromkeys(("deployment drift", "deployment drift-sided"), (change,))


def test_what_a_stage_no_longer_contains_is_pruned_and_nothing_else(stages: Stages) -> None:
    config = make.config(
        make.stage_json("m", type="deployManifest", account="prod", moniker={"app": "shop"}, prune=True), id="pruning"
    )
    stage: Any = config["stages"][0]  # type: ignore[index]  # a list of maps
    stage["manifests"] = [service("pruned"), service("stays"), config_map("pruned", mode="fast")]
    assert stages.harness.run(config).head.status is Status.SUCCEEDED
    stage["manifests"] = [service("stays")]

    execution = stages.harness.run(config)

    assert first(execution).context["prunedManifests"] == ["service pruned", "configMap pruned-v000"]
    assert stages.live("/api/v1/namespaces/default/services/pruned") is None
    assert stages.live("/api/v1/namespaces/default/services/stays") is not None


@pytest.mark.parametrize(
    ("kind", "strategy"),
    [
        ("Deployment", "redblack"),
        ("StatefulSet", "highlander"),
    ],
)
def test_deployments_and_stateful_sets_are_server_groups_for_every_strategy(
    stages: Stages, kind: str, strategy: str
) -> None:
    stack = f"{kind}{strategy}".lower()
    manifest = {"apiVersion": "apps/v1", "kind": kind}
    keys = {"manifest": manifest, "services": [], "loadBalancers": [stack]}
    for image in ("acme/web:1", "acme/web:2"):
        execution = deployed(stages, stack, image, strategy, **keys)
        assert execution.head.status is Status.SUCCEEDED, problem_of(execution)

    listed = f"/apis/apps/v1/namespaces/default/{kind.lower()}s"
    newest, old = (f"{listed}/shop-{stack}-{number}" for number in ("v001", "v000"))
    assert stages.live(newest)["spec"]["replicas"] == 2
    until_equal(lambda: stages.live(newest)["status"].get("readyReplicas"), 2)
    shares = stages.balancers[stack].shares
    assert [name_of(one) for one, share in shares.items() if share.weight] == [f"shop-{stack}-v001"]
    left = stages.live(old)
    assert left is None or left["metadata"]["annotations"]["gennaker.io/disabled"] == "true"


@pytest.mark.parametrize(
    "strategy",
    [
        *("redblack", "rollingredblack"),
        *(
            pytest.param(name, marks=pytest.mark.thorough)
            for name in ("none", "highlander", "monitored", "rollingpush")
        ),
    ],
)
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_rollout_of_them_that_goes_wrong_at_any_step_leaves_one_whole_version(
    stages: Stages, kind: str, strategy: str
) -> None:
    """Refused by the API server, never ready, and killed again and again on the way."""
    stack = f"faults{kind}{strategy}".lower()
    steps = {key: value for key, value in keys_of(strategy).items() if key != "strategy"}
    manifest: dict[str, Any] = {"apiVersion": "apps/v1", "kind": kind}
    keys: dict[str, Any] = {"services": [], "loadBalancers": [stack], "manifest": manifest, **steps}
    gated = {**keys["manifest"], "spec": {"template": {"spec": {"schedulingGates": [{"name": "acme.io/never"}]}}}}
    resources = {"requests": {"cpu": "5"}, "limits": {"cpu": "1"}}
    greedy = {
        **keys["manifest"],
        "spec": {"template": {"spec": {"containers": [{"name": "a", "resources": resources}]}}},
    }
    kills: list[str] = []

    async def count(_: Services, execution_id: str) -> None:
        kills.append(execution_id)

    before = ([f"shop-{stack}-v000"], {f"shop-{stack}-v000": 2})
    assert deployed(stages, stack, "acme/web:1", "redblack", **keys).head.status is Status.SUCCEEDED
    come_to_serve(stages, kind, stack, before)

    refused = deployed(stages, stack, "acme/web:2", strategy, **{**keys, "manifest": greedy})
    assert "must be less than or equal to cpu limit" in problem_of(refused)
    come_to_serve(stages, kind, stack, before)
    sick = deployed(stages, stack, "acme/web:2", strategy, **{**keys, "manifest": gated}, upTimeout="PT1S")
    assert "isn't up after 1 s" in problem_of(sick)
    come_to_serve(stages, kind, stack, before)
    killed = deployed(stages, stack, "acme/web:2", strategy, kill_at=KILLED[strategy], after_kill=count, **keys)

    assert killed.head.status is Status.SUCCEEDED, problem_of(killed)
    assert len(kills) == len(KILLED[strategy])
    newest = str(first(killed).outputs["serverGroup"])
    together = [*(before[0] if strategy == "none" else []), newest]
    come_to_serve(stages, kind, stack, (together, dict.fromkeys(together, 2)))


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_deployments_and_stateful_sets_are_resized_disabled_enabled_and_destroyed(stages: Stages, kind: str) -> None:
    stack, path = f"ops{kind}".lower(), f"/apis/apps/v1/namespaces/default/{kind.lower()}s"
    keys = {"manifest": {"apiVersion": "apps/v1", "kind": kind}, "services": []}
    assert deployed(stages, stack, "acme/web:1", "none", **keys).head.status is Status.SUCCEEDED
    name = f"shop-{stack}-v000"
    there = {"serverGroupName": name, "credentials": "prod", "region": "default", "cloudProvider": "kubernetes"}

    stages.done("resizeServerGroup", **there, action="scale_exact", capacity={"min": 3, "max": 3, "desired": 3})
    until_equal(lambda: stages.live(f"{path}/{name}")["status"].get("readyReplicas"), 3)
    stages.done("resizeServerGroup", **there, action="scale_exact", capacity={"min": 1, "max": 1, "desired": 1})
    until_equal(lambda: stages.live(f"{path}/{name}")["status"]["replicas"], 1)
    stages.done("disableServerGroup", **there)
    assert stages.live(f"{path}/{name}")["metadata"]["annotations"]["gennaker.io/disabled"] == "true"
    stages.done("enableServerGroup", **there)
    assert "gennaker.io/disabled" not in stages.live(f"{path}/{name}")["metadata"]["annotations"]
    stages.done("destroyServerGroup", **there)
    assert stages.live(f"{path}/{name}") is None


def test_five_megabytes_are_deployed_in_parts_and_refused_in_one_piece(stages: Stages) -> None:
    parts = [config_map(f"part-{place}", text="x" * 1_000_000) for place in range(5)]
    stages.done("deployManifest", manifests=parts)
    names = [one["metadata"]["name"] for one in stages.live("/api/v1/namespaces/default/configmaps")["items"]]
    assert {f"part-{place}-v000" for place in range(5)} <= {*names}

    whole = config_map("whole", text="x" * 5_000_000)
    execution = stages.run("deployManifest", manifests=[config_map("beside", mode="fast"), whole])

    assert execution.head.status is Status.TERMINAL
    assert "configMap whole-v000" in problem_of(execution)
    assert "too large" in problem_of(execution).lower()
    assert stages.live("/api/v1/namespaces/default/configmaps/beside-v000") is None


def test_a_custom_resource_is_waited_for_by_its_accounts_rules_in_cel(stages: Stages) -> None:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}, "schema": schema}
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget"}
    spec = {"group": "acme.io", "scope": "Namespaced", "names": names, "versions": [version]}
    kind = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec}
    stages.done("deployManifest", manifests=[{**kind, "metadata": {"name": "widgets.acme.io"}}])
    path = "/apis/acme.io/v1/namespaces/default/widgets"
    stages.plane.wait(lambda: "widgets" in str(stages.live("/apis/acme.io/v1")))

    def run(name: str, status: dict[str, Any]) -> Execution:
        async def become(services: Services, execution_id: str) -> None:
            await reached(services, execution_id, "deployManifest", task="waitForManifestToStabilize")
            for one in ({"up": 1}, status):
                patch = {"status": one}
                stages.plane.request("PATCH", f"{path}/{name}/status", patch, media="application/merge-patch+json")

        widget = {"apiVersion": "acme.io/v1", "kind": "Widget", "metadata": {"name": name}, "spec": {"size": 3}}
        return stages.run("deployManifest", manifests=[widget], meanwhile=become)

    ready, failed = run("ready", {"up": 3}), run("failed", {"error": "no room"})

    assert ready.head.status is Status.SUCCEEDED, problem_of(ready)
    assert failed.head.status is Status.TERMINAL
    assert "Its account takes it for failed: has(object.status.error)" in problem_of(failed)
