"""Live manifests over an API server in memory: reading them, and where they are no longer what was applied."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs
from tests.kubernetes_cluster import ACCOUNT, Cluster, Object, config_map, service, with_groups, workload

from gennaker.interfaces.manifests import Drift, Drifts, DriftState, LiveManifests, Located, ManifestCluster
from gennaker.interfaces.services import Services
from gennaker.kubernetes_settings import KubernetesAccountSettings
from gennaker.model.problems import Refused
from gennaker.plugins.kubernetes.accounts import Account
from gennaker.plugins.kubernetes.kinds import NO_CUSTOM_KINDS
from gennaker.plugins.kubernetes.live import KubernetesManifests
from gennaker.transport.kubernetes.kubeconfig import Access, User
from gennaker.transport.kubernetes.server import HttpApiServer
from gennaker.worker.clock import SystemClock

SERVER_SIDE = {"strategy.spinnaker.io/server-side-apply": "true"}
REPLACE = {"strategy.spinnaker.io/replace": "true"}


def known(cluster: Cluster, **settings: Any) -> dict[str, Account]:
    access = Access(server="http://cluster", namespace="shop", user=User(token="t"))
    server = HttpApiServer(ACCOUNT, lambda: access, now=SystemClock().now, transport=cluster.api)
    own = KubernetesAccountSettings(in_cluster=True, **settings)
    return {ACCOUNT: Account(name=ACCOUNT, server=server, settings=own, custom=NO_CUSTOM_KINDS)}


def drift(cluster: Cluster, application: str = "shop", **settings: Any) -> Drifts:
    accounts = known(cluster, **settings)
    return asyncio.run(KubernetesManifests(lambda: accounts).drift(application, frozenset({ACCOUNT, "gone"})))


def states(found: Drifts) -> dict[str, DriftState]:
    return {one.name: one.state for one in found.objects}


def changed(cluster: Cluster, kind: str, name: str, **spec: Any) -> None:
    """By somebody else."""
    live: Object = cluster.api.object(f"{kind.lower()}s", name)
    cluster.api.put({**live, "spec": {**live["spec"], **spec}})


def test_what_was_deployed_is_what_is_there_until_somebody_changes_it() -> None:
    cluster = Cluster()
    cluster.deploy(workload(), config_map(mode="fast"), service())
    assert set(states(drift(cluster)).values()) == {DriftState.SAME}

    changed(cluster, "Deployment", "web", replicas=5)
    (found,) = [one for one in drift(cluster).objects if one.state is not DriftState.SAME]

    assert found == Drift(
        account=ACCOUNT,
        location="shop",
        name="deployment web",
        state=DriftState.DRIFTED,
        changes=({"path": "/spec/replicas", "live": 5, "desired": 2, "by": []},),
    )


def test_looking_changes_nothing_and_watches_nothing() -> None:
    cluster = Cluster()
    cluster.deploy(workload())
    changed(cluster, "Deployment", "web", replicas=5)
    cluster.api.asked.clear()

    drift(cluster)

    assert cluster.api.object("deployments", "web")["spec"]["replicas"] == 5
    assert not [one for one in cluster.api.asked if one.startswith(("POST", "PUT", "DELETE"))]


def test_what_others_add_is_no_drift() -> None:
    cluster = Cluster()
    cluster.deploy(workload())
    live = cluster.api.object("deployments", "web")
    cluster.api.put({**live, "metadata": {"name": "web", "annotations": {**live["metadata"]["annotations"], "x": "y"}}})

    assert states(drift(cluster)) == {"deployment web": DriftState.SAME}


@pytest.mark.parametrize("way", [SERVER_SIDE, REPLACE])
def test_it_is_known_whichever_way_an_object_was_applied(way: dict[str, str]) -> None:
    cluster = Cluster()
    cluster.deploy(workload(annotations=way))

    changed(cluster, "Deployment", "web", minReadySeconds=7, replicas=3)
    (found,) = drift(cluster).objects

    assert [one["path"] for one in found.changes] == ["/spec/replicas"], "nobody said anything of minReadySeconds"
    assert "kubectl.kubernetes.io/last-applied-configuration" not in str(cluster.api.object("deployments", "web"))


def test_of_versions_the_newest_counts_and_what_controllers_make_never() -> None:
    cluster = Cluster()
    cluster.deploy(config_map(mode="fast"), workload())
    cluster.deploy(config_map(mode="slow"))
    owner = {"kind": "Deployment", "name": "web", "uid": "u", "controller": True}
    made = workload("ReplicaSet", "web-7d4f")
    own = cluster.api.object("deployments", "web")["metadata"]
    copied = {key: own[key] for key in ("labels", "annotations")}
    cluster.api.put({**made, "metadata": {"name": "web-7d4f", "ownerReferences": [owner], **copied}})

    assert states(drift(cluster)) == {"configMap cfg-v001": DriftState.SAME, "deployment web": DriftState.SAME}


def test_server_groups_are_no_manifests_and_left_out() -> None:
    cluster = Cluster()
    cluster.deploy(workload())
    live = cluster.api.object("deployments", "web")
    own = {"labels": live["metadata"]["labels"], "annotations": {"moniker.spinnaker.io/application": "shop"}}
    own["annotations"]["gennaker.io/capacity"] = "1..3"
    cluster.api.put({**workload("ReplicaSet"), "metadata": {"name": "shop-web-v000", **own}})

    assert states(drift(cluster)) == {"deployment web": DriftState.SAME}


def test_what_nobody_has_a_copy_of_is_unknown_and_says_why() -> None:
    cluster = Cluster()
    cluster.deploy(workload())
    live = cluster.api.object("deployments", "web")
    live["metadata"]["annotations"].pop("kubectl.kubernetes.io/last-applied-configuration")

    (found,) = drift(cluster).objects

    assert (found.state, found.why) == (DriftState.UNKNOWN, "Nothing says what was applied last.")


def test_what_the_api_server_would_no_longer_have_is_unknown_in_its_words() -> None:
    cluster = Cluster()
    cluster.deploy(workload())
    cluster.api.invalid["web"] = "no such field"

    (found,) = drift(cluster).objects

    assert found.state is DriftState.UNKNOWN
    assert "no such field" in found.why


def test_contents_of_secrets_are_not_shown() -> None:
    cluster = Cluster()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "data": {"token": "aGlkZGVu"}}
    cluster.deploy(secret, versioned=False)
    live = cluster.api.object("secrets", "key")
    cluster.api.put({**live, "data": {"token": "c3RvbGVu"}})

    (found,) = drift(cluster).objects

    assert found.changes == ({"path": "/data/token", "live": "(not shown)", "desired": "(not shown)", "by": []},)


def test_other_applications_and_forbidden_namespaces_are_left_alone() -> None:
    cluster = Cluster()
    cluster.deploy(workload())

    assert drift(cluster, "cart").objects == ()
    assert drift(cluster, omit_namespaces=("shop",)).objects == ()
    assert states(drift(cluster, namespaces=("shop",))) == {"deployment web": DriftState.SAME}
    assert drift(cluster, omit_kinds=("deployment",)).objects == ()


def test_kinds_that_may_not_be_listed_are_named_and_the_others_looked_at() -> None:
    cluster = Cluster()
    cluster.deploy(workload(), config_map(mode="fast"))
    cluster.api.forbidden["GET secrets"] = 'User "ci" may not list secrets'

    found = drift(cluster)

    assert len(found.objects) == 2
    assert "may not list objects of the kinds secret:" in found.missing[ACCOUNT].message


def test_a_dry_run_that_may_not_be_made_is_said_once_for_the_account() -> None:
    cluster = Cluster()
    cluster.deploy(workload())
    cluster.api.forbidden["PATCH deployments"] = 'User "ci" may not patch deployments'

    found = drift(cluster)

    assert found.objects == ()
    assert "may not patch deployments" in found.missing[ACCOUNT].message


def asked(cluster: Cluster, ask: Callable[[LiveManifests], Awaitable[Any]]) -> Any:
    accounts = known(cluster)
    return asyncio.run(_awaited(ask(KubernetesManifests(lambda: accounts))))


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work


def test_a_manifest_is_read_with_its_status_its_artifacts_and_its_events() -> None:
    cluster = Cluster()
    cluster.deploy(workload(), config_map(mode="fast"))
    uid = cluster.api.object("deployments", "web")["metadata"]["uid"]
    for name, about in (("a", uid), ("b", "uid-of-another")):
        event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": name}, "involvedObject": {"uid": about}}
        cluster.api.put({**event, "reason": name})

    found = asked(cluster, lambda one: one.read(ACCOUNT, "shop", "deploy web", with_events=True))

    assert (found.name, found.location, found.moniker.app) == ("deployment web", "shop", "shop")
    assert found.status["stable"] == {"state": True, "message": None}
    assert {(one.type, one.reference) for one in found.artifacts} == {
        ("docker/image", "acme/web"),
        ("kubernetes/configMap", "cfg-v000"),
    }
    assert [one["reason"] for one in found.events] == ["a"]


def test_a_secret_is_read_without_its_content_or_copies_of_it() -> None:
    cluster = Cluster()
    way = {"strategy.spinnaker.io/server-side-apply": "true"}
    for name, annotations in (("plain", {}), ("sided", way)):
        metadata = {"name": name, "annotations": annotations}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"token": "aGlkZGVu"}}
        cluster.deploy(body, versioned=False)

        found = asked(cluster, lambda one, name=name: one.read(ACCOUNT, "shop", f"secret {name}"))

        assert "aGlkZGVu" not in str(found)
        assert "aGlkZGVu" in str(cluster.api.object("secrets", name))


def test_what_is_not_there_is_404() -> None:
    for ask in (
        lambda one: one.read(ACCOUNT, "shop", "deployment gone"),
        lambda one: one.read("elsewhere", "shop", "deployment gone"),
    ):
        with pytest.raises(Refused) as refused:
            asked(Cluster(), ask)
        assert refused.value.status == 404


def test_objects_of_a_cluster_are_found_by_their_annotations_and_chosen_by_criteria() -> None:
    cluster = with_groups()
    wanted = ManifestCluster(
        account=ACCOUNT, location="shop", kind="replicaSet", application="shop", name="replicaSet web"
    )

    listed = asked(cluster, lambda one: one.of_cluster(wanted))
    newest = asked(cluster, lambda one: one.target(wanted, "newest"))
    largest = asked(cluster, lambda one: one.target(wanted, "largest"))

    assert [one.name for one in listed] == ["web-v000", "web-v001", "web-v002"]
    assert newest == Located(kind="replicaSet", namespace="shop", name="web-v002")
    assert largest.name == "web-v000"


def test_an_account_that_is_slow_keeps_no_other_waiting() -> None:
    """It answers once the other has been looked at to its end."""
    slow, quick = Cluster(), Cluster()
    quick.deploy(workload())
    slow.deploy(config_map(mode="fast"))

    async def story() -> Drifts:
        seen = asyncio.Event()

        async def of_slow(request: httpx2.Request) -> httpx2.Response:
            await seen.wait()
            return await slow.api.handle_async_request(request)

        async def of_quick(request: httpx2.Request) -> httpx2.Response:
            answer = await quick.api.handle_async_request(request)
            if "dryRun" in str(request.url):
                seen.set()
            return answer

        settings = KubernetesAccountSettings(in_cluster=True)
        access = Access(server="http://cluster", namespace="shop", user=User(token="t"))
        accounts = {
            name: Account(
                name=name,
                server=HttpApiServer(
                    name, lambda: access, now=SystemClock().now, transport=httpx2.MockTransport(respond)
                ),
                settings=settings,
                custom=NO_CUSTOM_KINDS,
            )
            for name, respond in (("first", of_slow), ("second", of_quick))
        }
        async with asyncio.timeout(60):
            return await KubernetesManifests(lambda: accounts).drift("shop", frozenset(accounts))

    found = asyncio.run(story())

    assert [(one.account, one.name) for one in found.objects] == [
        ("first", "configMap cfg-v000"),
        ("second", "deployment web"),
    ]
    assert not found.missing


def test_the_accounts_are_those_of_the_settings() -> None:
    found: list[frozenset[str]] = []

    async def look(services: Services, _execution: str) -> None:
        found.extend(one.accounts for one in services.manifests.values())

    Cluster().run("resolveTargetManifest", manifestName="deployment web", location="shop", meanwhile=look)

    assert found == [frozenset({ACCOUNT})]


def test_a_list_of_a_kind_that_is_refused_is_empty_and_says_why_in_the_log() -> None:
    cluster = Cluster()
    cluster.api.forbidden["GET pods"] = "not yours"
    accounts = known(cluster)

    with capture_logs() as lines:
        found = asyncio.run(KubernetesManifests(lambda: accounts).of_kind("pod", "shop", frozenset({ACCOUNT})))

    assert found == ()
    (line,) = [one for one in lines if one["event"] == "kubernetes.unlisted"]
    assert (line["account"], line["kind"], line["namespace"]) == (ACCOUNT, "pod", "shop")
    assert "not yours" in line["why"]
