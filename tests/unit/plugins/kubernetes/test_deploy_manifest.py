"""Deploy Manifest against an API server in memory: what is sent, what is waited for, and what goes wrong."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from tests.fakes.kubernetes_api import KubernetesApi, Object
from tests.harness import problem_of, reached
from tests.kubernetes_cluster import Cluster, config_map, first, never, service, settle, workload

from gennaker.interfaces.services import Services
from gennaker.model.codec import Json
from gennaker.model.statuses import Status

OPTIONS = {"enableTraffic": True, "services": ["service lb"]}
TRAFFIC = {"enabled": True, "options": {**OPTIONS, "strategy": "redblack"}}


def images(found: dict[str, Any]) -> list[str]:
    return [one["image"] for one in found["spec"]["template"]["spec"]["containers"]]


def test_what_the_list_of_its_kind_does_not_have_is_not_asked_for_one_by_one() -> None:
    cluster = Cluster()
    cluster.api.put({**config_map("cfg-1-v000"), "metadata": {"name": "cfg-1-v000", "namespace": "shop"}})

    execution = cluster.deploy(*(config_map(f"cfg-{number}", mode="fast") for number in range(3)))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    path = "/api/v1/namespaces/shop/configmaps"
    asked = [one for one in cluster.api.asked if one.startswith(f"GET {path}/")]
    assert asked == [f"GET {path}/cfg-1-v000"] * 2, (
        "somebody else has made that one: once to compare, once to take it over"
    )
    assert sum(one.startswith(f"PATCH {path}/") for one in cluster.api.asked) == 6


def test_manifests_become_objects_that_know_where_they_come_from() -> None:
    cluster = Cluster()

    execution = cluster.deploy(workload(), config_map(mode="fast"))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert cluster.api.names("configmaps") == ["cfg-v000"]
    made = cluster.api.object("deployments", "web")
    container = made["spec"]["template"]["spec"]["containers"][0]
    assert container["envFrom"] == [{"configMapRef": {"name": "cfg-v000"}}]
    assert made["metadata"]["annotations"]["moniker.spinnaker.io/application"] == "shop"
    assert made["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "spinnaker"
    stage = first(execution)
    assert stage.outputs["outputs.manifestNamesByNamespace"] == {"shop": ["configMap cfg-v000", "deployment web"]}
    artifacts: Any = stage.outputs["artifacts"]
    assert [one["reference"] for one in artifacts] == ["cfg-v000", "web"]
    assert [task.name for task in stage.tasks] == [
        "resolveDeploySourceManifest",
        "deployManifest",
        "waitForManifestToStabilize",
        "cleanupArtifacts",
        "bindProducedArtifacts",
    ]


def test_the_same_configuration_keeps_its_version_and_another_gets_the_next() -> None:
    cluster = Cluster()
    for mode in ("fast", "fast", "slow", "fast"):
        assert cluster.deploy(config_map(mode=mode)).head.status is Status.SUCCEEDED

    assert cluster.api.names("configmaps") == ["cfg-v000", "cfg-v001"]


def test_what_a_manifest_no_longer_says_goes_and_what_others_say_stays() -> None:
    cluster = Cluster()
    cluster.deploy(workload(minReadySeconds=5))
    live = cluster.api.object("deployments", "web")
    cluster.api.put({**live, "spec": {**live["spec"], "paused": False}}, manager="someone")

    cluster.deploy(workload())

    spec = cluster.api.object("deployments", "web")["spec"]
    assert "minReadySeconds" not in spec
    assert spec["paused"] is False


TASK = "RunTask:deployManifest.deployManifest"


@pytest.mark.parametrize(
    "point", [f"effect.{when}:{TASK}{number}" for when in ("before", "after") for number in ("", "#2")]
)
def test_a_crash_makes_no_second_version(point: str) -> None:
    cluster = Cluster()

    execution = cluster.run(
        "deployManifest", manifests=[config_map(mode="fast"), workload("ReplicaSet")], kill_at=(point,)
    )

    assert point.partition("#")[0] in cluster.harness.probe.seen
    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert cluster.api.names("configmaps") == ["cfg-v000"]
    assert cluster.api.names("replicasets") == ["web-v000"]


def test_everything_that_is_wrong_is_said_before_anything_is_sent() -> None:
    cluster = Cluster(namespaces=("shop",), omit_kinds=("secret",))
    wrong = [
        {"kind": "ConfigMap", "metadata": {"name": "a"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "b"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "elsewhere"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d", "labels": {"x": 1}}},
        {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}},
    ]

    execution = cluster.deploy(config_map(mode="fast"), *wrong)

    said = problem_of(execution)
    for piece in ("apiVersion", "kind secret", "'elsewhere'", "`x` in labels", "made by the cluster"):
        assert piece in said
    assert cluster.api.objects == {}


@pytest.mark.parametrize("comes_along", [False, True])
def test_a_namespace_that_is_not_there_must_come_along(*, comes_along: bool) -> None:
    cluster = Cluster()
    cluster.api.absent = {"fresh"}
    inside = {**config_map("b"), "metadata": {"name": "b", "namespace": "fresh"}}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "fresh"}}

    execution = cluster.deploy(config_map("a"), inside, *([namespace] if comes_along else []))

    made = (cluster.api.names("configmaps"), cluster.api.names("configmaps", "fresh"))
    if comes_along:
        assert made == (["a-v000"], ["b-v000"]), problem_of(execution)
    else:
        assert 'namespaces "fresh" not found' in problem_of(execution)
        assert made == ([], []), "nothing is half-applied"


@pytest.mark.parametrize(
    ("keys", "piece"),
    [
        ({"account": "nobody"}, "no Kubernetes account 'nobody'"),
        ({"manifests": []}, "no manifest"),
        ({"manifests": ["text"]}, "must be an object"),
        ({"manifests": "kind: ConfigMap"}, "`manifests` is a text, and must be a list"),
        ({"manifests": [{"kind": "List", "items": [config_map(), 5]}]}, "the number 5. (at /manifests/0/items/1)"),
        (
            {"manifests": [workload()], "trafficManagement": {"enabled": True, "options": OPTIONS}},
            "service lb of deployment web doesn't exist in the account's own namespace",
        ),
        ({"requiredArtifactIds": ["missing"]}, "No artifact is bound"),
        ({"trafficManagement": {"enabled": True, "options": {"strategy": "canary"}}}, "no strategy 'canary'"),
        ({"manifests": [{"apiVersion": "nope/v1", "kind": "Nope", "metadata": {"name": "x"}}]}, "has no kind Nope"),
    ],
)
def test_a_stage_that_cannot_work_says_why(keys: dict[str, Any], piece: str) -> None:
    cluster = Cluster()

    execution = cluster.run("deployManifest", **{"manifests": [config_map()], **keys})

    assert execution.head.status is Status.TERMINAL
    assert piece in problem_of(execution)


def test_a_required_artifact_is_bound_or_the_stage_fails() -> None:
    cluster = Cluster()
    image = {"type": "docker/image", "name": "acme/web", "reference": "acme/web@sha256:aa"}
    other = {**image, "name": "acme/other"}

    fine = cluster.deploy(workload(), requiredArtifacts=[{"artifact": image}])
    failed = cluster.deploy(workload("StatefulSet", "db"), requiredArtifacts=[{"artifact": other}])

    assert images(cluster.api.object("deployments", "web")) == ["acme/web@sha256:aa"]
    assert first(fine).outputs["outputs.boundArtifacts"] == [
        {"type": "docker/image", "name": "acme/web", "reference": "acme/web@sha256:aa"}
    ]
    assert "acme/other" in problem_of(failed)
    assert cluster.api.names("statefulsets") == []


def test_artifacts_that_the_run_carries_are_bound_where_they_fit() -> None:
    cluster = Cluster()
    image = {"type": "docker/image", "name": "acme/web", "reference": "acme/web:7"}

    cluster.run("deployManifest", manifests=[workload()], trigger={"artifacts": [image]})

    assert images(cluster.api.object("deployments", "web")) == ["acme/web:7"]


def test_the_artifacts_that_it_must_and_may_bind_are_put_out_without_what_they_hold() -> None:
    cluster = Cluster()
    image = {"type": "docker/image", "name": "acme/web", "reference": "acme/web:7"}
    baked = {"type": "embedded/base64", "name": "shop", "reference": "YTogMQ=="}
    sent = {"type": "docker/image", "name": "acme/other", "reference": "${ account }"}

    execution = cluster.run(
        "deployManifest",
        manifests=[workload()],
        requiredArtifacts=[{"artifact": image}],
        trigger={"artifacts": [image, baked, sent]},
    )

    stage = first(execution)
    assert stage.outputs["requiredArtifacts"] == [image]
    held = {"type": "embedded/base64", "name": "shop"}
    assert stage.outputs["optionalArtifacts"] == [image, held, sent], "what others have sent stays text"
    assert stage.context["requiredArtifacts"] == [{"artifact": image}]
    assert "optionalArtifacts" not in stage.context


def test_blue_green_takes_the_version_before_out_of_traffic() -> None:
    cluster = Cluster()
    cluster.api.put(service())
    cluster.deploy(workload("ReplicaSet"), trafficManagement=TRAFFIC)

    execution = cluster.deploy(workload("ReplicaSet", minReadySeconds=1), trafficManagement=TRAFFIC)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    labels = {
        name: cluster.api.object("replicasets", name)["spec"]["template"]["metadata"]["labels"]
        for name in cluster.api.names("replicasets")
    }
    assert {name: "lb" in own for name, own in labels.items()} == {"web-v000": False, "web-v001": True}


def test_blue_green_deletes_a_version_that_never_came_up() -> None:
    cluster = Cluster()
    cluster.api.put(service())
    cluster.deploy(workload("ReplicaSet"), trafficManagement=TRAFFIC)

    def breaks(api: KubernetesApi, what: str, found: dict[str, Any]) -> None:
        if found["metadata"]["name"] != "web-v000":
            settle(api, what, found)

    cluster.api.behaviour = breaks
    cluster.api.set_status("replicasets", "web-v000", {"replicas": 2})

    execution = cluster.deploy(workload("ReplicaSet", minReadySeconds=1), trafficManagement=TRAFFIC)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert cluster.api.names("replicasets") == ["web-v001"]


def test_highlander_leaves_one() -> None:
    cluster = Cluster()
    cluster.api.put(service())
    traffic = {"enabled": True, "options": {**OPTIONS, "strategy": "highlander"}}
    for seconds in range(3):
        cluster.deploy(workload("ReplicaSet", minReadySeconds=seconds), trafficManagement=traffic)

    assert cluster.api.names("replicasets") == ["web-v002"]


def test_only_so_many_versions_are_kept() -> None:
    cluster = Cluster()
    for mode in "abcd":
        manifest = config_map(mode=mode)
        manifest["metadata"]["annotations"] = {"strategy.spinnaker.io/max-version-history": "2"}
        cluster.deploy(manifest)

    assert cluster.api.names("configmaps") == ["cfg-v002", "cfg-v003"]


def test_a_version_that_is_used_again_is_not_cleaned_up_for_its_age() -> None:
    cluster = Cluster()
    for mode in ("fast", "slow"):
        assert cluster.deploy(config_map(mode=mode)).head.status is Status.SUCCEEDED
    again = config_map(mode="fast")
    again["metadata"]["annotations"] = {"strategy.spinnaker.io/max-version-history": "1"}

    execution = cluster.deploy(again, workload())

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert "configMap cfg-v000" in str(first(execution).outputs["outputs.manifestNamesByNamespace"])
    assert cluster.api.names("configmaps") == ["cfg-v000", "cfg-v001"]


def test_a_kind_that_spinnaker_doesnt_know_is_found_in_kubernetes_own_groups_and_has_no_namespace_put_into_it() -> None:
    cluster = Cluster()
    unknown = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 10}

    execution = cluster.deploy(unknown, config_map(mode="fast"), namespaceOverride="shop")

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert cluster.api.names("priorityclasses", "") == ["high"]
    assert "namespace" not in cluster.api.object("priorityclasses", "high", "")["metadata"]


def test_a_conflict_on_the_server_names_field_and_manager() -> None:
    cluster = Cluster()
    own = {"strategy.spinnaker.io/server-side-apply": "true"}
    cluster.api.put(workload(replicas=5), manager="autoscaler")

    refused = cluster.deploy(workload(annotations=own))
    forced = cluster.deploy(workload(annotations={**own, "strategy.spinnaker.io/server-side-apply": "force-conflicts"}))

    assert refused.head.status is Status.TERMINAL
    assert ".spec.replicas" in problem_of(refused)
    assert "autoscaler" in problem_of(refused)
    assert forced.head.status is Status.SUCCEEDED, problem_of(forced)
    assert cluster.api.object("deployments", "web")["spec"]["replicas"] == 2


def test_nothing_is_applied_if_the_server_refuses_anything_and_all_of_it_is_said() -> None:
    cluster = Cluster()
    cluster.api.invalid = {"web": "no such port", "db": "no such field"}

    execution = cluster.deploy(workload(), config_map(), workload("StatefulSet", "db"))

    assert execution.head.status is Status.TERMINAL
    said = problem_of(execution)
    for piece in ("no such port (/manifests/0)", "no such field (/manifests/2)"):
        assert piece in said
    assert cluster.api.objects == {}


def test_what_the_server_refuses_is_said_beside_what_is_malformed() -> None:
    cluster = Cluster()
    cluster.api.invalid = {"web": "no such port"}
    required = [{"type": "docker/image", "name": "nowhere", "reference": "nowhere:1"}]

    malformed: Any = {"apiVersion": "v1", "kind": "Service"}
    execution = cluster.deploy(malformed, workload(), config_map())
    other = cluster.deploy(malformed, workload(), requiredArtifacts=required)

    said = problem_of(execution)
    assert "neither `metadata.name` nor `metadata.generateName`. (/manifests/0/metadata)" in said
    assert "no such port (/manifests/1)" in said
    assert "(at /manifests/0/metadata)" in problem_of(other)
    assert "could not be bound" not in problem_of(other)
    assert cluster.api.objects == {}


def test_what_will_change_is_shown() -> None:
    cluster = Cluster()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "data": {"password": "aHVudGVyMg=="}}
    first_time = cluster.deploy(workload())

    execution = cluster.deploy(workload(replicas=3), {**secret, "data": {"password": "b3RoZXI="}}, versioned=False)

    created: Any = first(first_time).context["manifestDifferences"]
    assert [(one["name"], one["change"]) for one in created] == [("deployment web", "created")]
    changed: Any = first(execution).context["manifestDifferences"]
    assert changed[1]["changes"] == [{"path": "/spec/replicas", "before": 2, "after": 3}]


def test_objects_have_the_time_that_the_stage_gives_them() -> None:
    cluster = Cluster()
    cluster.api.behaviour = never

    execution = cluster.deploy(workload(), stableManifestTimeoutMinutes=5)

    assert execution.head.status is Status.TERMINAL
    assert execution.head.end_time is not None
    assert execution.head.start_time is not None
    assert 299 < (execution.head.end_time - execution.head.start_time).total_seconds() < 305
    assert "no number of minutes" in problem_of(cluster.deploy(workload(), stableManifestTimeoutMinutes="soon"))


def test_recreating_makes_another_object_and_replacing_keeps_it() -> None:
    cluster = Cluster()
    uids = []
    for way in ("replace", "replace", "recreate"):
        cluster.deploy(workload(annotations={f"strategy.spinnaker.io/{way}": "true"}))
        uids.append(cluster.api.object("deployments", "web")["metadata"]["uid"])

    assert uids[0] == uids[1] != uids[2]


def test_a_generated_name_is_made_once_even_if_the_server_is_killed() -> None:
    cluster = Cluster()
    pod: dict[str, Any] = {"apiVersion": "v1", "kind": "Widget", "metadata": {"generateName": "w-"}}
    pod["apiVersion"] = "acme.io/v1"

    execution = cluster.run("deployManifest", manifests=[pod], kill_at=(f"effect.after:{TASK}#2",))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert len(cluster.api.names("widgets")) == 1


def test_label_selectors_choose_what_is_sent() -> None:
    cluster = Cluster()
    chosen = config_map("a")
    chosen["metadata"]["labels"] = {"tier": "front"}
    selectors = {"selectors": [{"kind": "EQUALS", "key": "tier", "values": ["front"]}]}

    cluster.deploy(chosen, config_map("b"), labelSelectors=selectors)
    nothing = cluster.deploy(config_map("b"), labelSelectors=selectors)
    allowed = cluster.deploy(config_map("b"), labelSelectors=selectors, allowNothingSelected=True)

    assert cluster.api.names("configmaps") == ["a-v000"]
    assert "None of the manifests fits" in problem_of(nothing)
    assert allowed.head.status is Status.SUCCEEDED


def test_executions_keep_no_content_of_secrets() -> None:
    cluster = Cluster()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "data": {"password": "aHVudGVyMg=="}}

    execution = cluster.deploy(secret)

    assert cluster.api.object("secrets", "key-v000")["data"] == {"password": "aHVudGVyMg=="}
    kept: list[Json] = [first(execution).outputs["outputs.manifests"]]
    assert "aHVudGVyMg" not in json.dumps(kept)


def test_an_api_server_that_is_away_for_a_minute_is_asked_again() -> None:
    cluster = Cluster()
    cluster.api.is_down = True

    async def later(_services: Services, _execution_id: str) -> None:
        await asyncio.sleep(60)
        cluster.api.is_down = False

    execution = cluster.run("deployManifest", manifests=[workload()], meanwhile=later)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)


def test_busy_and_broken_answers_are_asked_for_again() -> None:
    cluster = Cluster()
    cluster.api.refusals = [
        httpx2.Response(429, headers={"retry-after": "2"}, json={"message": "slow down"}),
        httpx2.Response(500, text="broken"),
        httpx2.Response(503, text="away"),
    ]

    execution = cluster.deploy(workload())

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)


def test_a_right_that_is_missing_is_named() -> None:
    cluster = Cluster()
    said = 'configmaps is forbidden: User "ci" cannot list resource "configmaps"'
    cluster.api.forbidden = {"GET configmaps": said}

    execution = cluster.deploy(config_map())

    assert execution.head.status is Status.TERMINAL
    assert said in problem_of(execution)


def test_watches_whose_version_is_too_old_begin_anew() -> None:
    cluster = Cluster()
    cluster.api.behaviour = never

    async def later(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "deployManifest", task="waitForManifestToStabilize")
        await asyncio.sleep(5)
        cluster.api.forget_history()
        await asyncio.sleep(5)
        status = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 2)
        cluster.api.set_status("deployments", "web", status)

    execution = cluster.run("deployManifest", manifests=[workload()], meanwhile=later)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)


def test_without_watches_it_looks_itself() -> None:
    cluster = Cluster(runs_services=False)

    assert cluster.deploy(workload()).head.status is Status.SUCCEEDED


def test_a_few_of_one_kind_are_sent_at_once_and_no_more_are_tried_beside_one_that_is_refused() -> None:
    cluster = Cluster()
    quotas = {"cfg-9": "exceeded quota"}

    def behaviour(api: KubernetesApi, what: str, found: Object) -> None:
        settle(api, what, found)
        if found["metadata"]["name"] == "cfg-0":
            api.invalid |= quotas

    cluster.api.behaviour = behaviour
    settings = [config_map(f"cfg-{place}", mode="fast") for place in range(24)]

    execution = cluster.deploy(service(), workload(), *settings, versioned=False)

    names = cluster.api.names("configmaps")
    assert "exceeded quota" in problem_of(execution)
    assert {f"cfg-{place}" for place in range(16)} - {"cfg-9"} == {*names}
    assert cluster.api.names("deployments") == []


def test_of_two_manifests_of_one_object_the_later_one_counts() -> None:
    cluster = Cluster()

    execution = cluster.deploy(*(config_map("cfg", mode=mode) for mode in ("fast", "slow", "slower")), versioned=False)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert cluster.api.object("configmaps", "cfg")["data"] == {"mode": "slower"}
