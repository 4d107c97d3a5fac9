"""The logs of one pod, and whose it is."""

import asyncio
from typing import Any

import pytest
from tests.kubernetes_cluster import ACCOUNT, Cluster, Object

from gennaker.interfaces.manifests import ContainerLog, PodLogs
from gennaker.kubernetes_settings import KubernetesAccountSettings
from gennaker.plugins.kubernetes import pod_logs
from gennaker.plugins.kubernetes.accounts import Account
from gennaker.plugins.kubernetes.kinds import NO_CUSTOM_KINDS
from gennaker.plugins.kubernetes.objects import Objects
from gennaker.transport.kubernetes.kubeconfig import Access, User
from gennaker.transport.kubernetes.server import HttpApiServer
from gennaker.worker.clock import SystemClock

OWN = {"moniker.spinnaker.io/application": "shop"}


def owner(kind: str, name: str) -> dict[str, Any]:
    version = "batch/v1" if kind == "Job" else "apps/v1"
    return {"ownerReferences": [{"apiVersion": version, "kind": kind, "name": name, "uid": "u", "controller": True}]}


def pod(**metadata: Any) -> Object:
    spec = {"initContainers": [{"name": "first"}], "containers": [{"name": "main"}, {"name": "aside"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "migrate-x", **metadata}, "spec": spec}


def read(*objects: Object, name: str = "migrate-x") -> PodLogs | None:
    cluster = Cluster()
    for one in objects:
        cluster.api.put(one)
    cluster.api.logs |= {("migrate-x", "first"): "ready", ("migrate-x", "main"): "one\ntwo\nthree"}
    access = Access(server="http://cluster", namespace="shop", user=User(token="t"))
    server = HttpApiServer(ACCOUNT, lambda: access, now=SystemClock().now, transport=cluster.api)
    settings = KubernetesAccountSettings(in_cluster=True)
    account = Account(name=ACCOUNT, server=server, settings=settings, custom=NO_CUSTOM_KINDS)
    return asyncio.run(pod_logs.read(Objects(account), "shop", name, lines=2))


def test_each_container_has_the_end_of_its_log_or_why_there_is_none() -> None:
    found = read(pod())

    assert found is not None
    *logs, aside = found.containers
    assert logs == [ContainerLog(name="first", output="ready"), ContainerLog(name="main", output="two\nthree")]
    assert (aside.name, "not found" in aside.output) == ("aside", True)


def test_there_may_be_no_such_pod() -> None:
    assert read(name="gone") is None


@pytest.mark.parametrize(
    ("objects", "application"),
    [
        ([pod(annotations=OWN)], "shop"),
        ([pod(**owner("Job", "migrate"))], "migrate"),
        (
            [
                pod(**owner("Job", "migrate")),
                {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate", "annotations": OWN}},
            ],
            "shop",
        ),
        (
            [
                pod(**owner("ReplicaSet", "migrate")),
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "metadata": {"name": "migrate", **owner("Deployment", "web")},
                },
                {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "annotations": OWN}},
            ],
            "shop",
        ),
    ],
    ids=["its own", "by its name", "its job's", "of what has made that"],
)
def test_it_is_of_the_application_of_what_has_made_it(objects: list[Object], application: str) -> None:
    found = read(*objects)

    assert found is not None
    assert found.application == application
