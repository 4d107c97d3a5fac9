"""Stages on a real control plane of Kubernetes, for tests."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests import make
from tests.control_plane import ControlPlane
from tests.fakes.traffic import FakeBalancer, FakeTraffic
from tests.fakes.virtual_time import RealTime
from tests.harness import Harness, Meanwhile, problem_of
from tests.kubernetes_cluster import workload
from tests.waiting import until_equal, until_seen

from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.traffic import name_of
from gennaker.kubernetes_settings import CustomResourceSettings, KubernetesAccountSettings
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.deploy.plugin import plugin as deploy
from gennaker.plugins.flow import plugin as flow
from gennaker.plugins.kubernetes import plugin as kubernetes
from gennaker.settings import Settings

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
REPLICA_SETS = "/apis/apps/v1/namespaces/default/replicasets"
WIDGET = CustomResourceSettings(
    kind="Widget.acme.io", ready="object.status.up == object.spec.size", failed="has(object.status.error)"
)


class Stages:
    """Stages on the account `prod`, which is the real API server."""

    def __init__(self, plane: ControlPlane, *, rate: float = 1.0, data: Path | None = None) -> None:
        """`rate`: how much faster Gennaker's time passes than the cluster's."""
        self.plane = plane
        self.balancers: dict[str, FakeBalancer] = {}
        traffic = Plugin(name="traffic", traffic=(lambda _: FakeTraffic(self.balancers),))
        kubeconfig = str(plane.kubeconfig)
        accounts = {
            "prod": KubernetesAccountSettings(kubeconfig_file=kubeconfig, custom_resources=(WIDGET,)),
            "ci": KubernetesAccountSettings(kubeconfig_file=kubeconfig, context="ci"),
        }
        self.harness = Harness(
            flow.plugin,
            deploy,
            kubernetes.plugin,
            traffic,
            settings=Settings(kubernetes=accounts),
            time=RealTime(rate=rate),
            data=data,
        )

    def run(
        self,
        kind: str,
        *,
        meanwhile: Meanwhile | None = None,
        kill_at: Iterable[str] = (),
        after_kill: Meanwhile | None = None,
        **keys: Any,
    ) -> Execution:
        stage = make.stage_json(
            "m", **{"account": "prod", "location": "default", "moniker": {"app": "shop"}, **keys}, type=kind
        )
        return self.harness.run(make.config(stage), kill_at=kill_at, meanwhile=meanwhile, after_kill=after_kill)

    def done(self, kind: str, **keys: Any) -> Execution:
        execution = self.run(kind, **keys)
        assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
        return execution

    def live(self, path: str) -> Any:
        return self.plane.request("GET", path)


def deployed(stages: Stages, stack: str, image: str, strategy: str = "redblack", **keys: Any) -> Execution:
    """A version of the cluster `shop-<stack>`, behind the Service of its name."""
    return stages.run("createServerGroup", **version(stack, image, strategy, **keys))


def version(stack: str, image: str, strategy: str = "redblack", **keys: Any) -> dict[str, Any]:
    """The stage that deploys it."""
    return {
        "application": "shop",
        "stack": stack,
        "account": "prod",
        "region": "default",
        "cloudProvider": "kubernetes",
        "strategy": strategy,
        "capacity": {"min": 2, "max": 2, "desired": 2},
        "image": image,
        "version": image[-1],
        "services": [stack],
        "drainTimeout": "PT0S",
        **keys,
    }


def behind(stages: Stages, stack: str) -> set[str]:
    """Images of the pods to which the Service of the cluster leads."""
    pods = stages.live(f"/api/v1/namespaces/default/pods?labelSelector=lb%3D{stack}")["items"]
    return {one["spec"]["containers"][0]["image"] for one in pods if "deletionTimestamp" not in one["metadata"]}


def groups(stages: Stages, stack: str) -> dict[str, int]:
    """Sizes of the cluster's server groups."""
    listed = stages.live(REPLICA_SETS)["items"]
    own = [one for one in listed if one["metadata"]["name"].startswith(f"shop-{stack}-")]
    return {one["metadata"]["name"]: one["spec"]["replicas"] for one in own}


def plain(kind: str = "Deployment", name: str = "web", **spec: Any) -> dict[str, Any]:
    """Labels of its own, so that tests don't meet."""
    made = workload(kind, name, **spec)
    made["spec"]["selector"] = {"matchLabels": {"app": name}}
    made["spec"]["template"]["metadata"]["labels"] = {"app": name}
    return made


def until_pods_are_refused_by(plane: ControlPlane, namespace: str, quota: str) -> None:
    """By a new namespace's new quota: before it counts they are refused for other reasons, of which a ReplicaSet keeps the first."""
    pod = {"metadata": {"name": "refused"}, "spec": {"containers": [{"name": "main", "image": "acme/web"}]}}

    pods = f"/api/v1/namespaces/{namespace}/pods"

    def is_refused() -> bool:
        try:
            plane.request("POST", pods, pod)
        except RuntimeError as refusal:
            return f"exceeded quota: {quota}" in str(refusal)
        # An API server may still know of no quota.
        plane.request("DELETE", f"{pods}/refused?gracePeriodSeconds=0")
        return False

    until_seen(is_refused, f"the quota {quota} to count", pause_seconds=0.1)


def until_job_is_complete(stages: Stages, name: str) -> None:
    """Its controller may have made two pods, where its API server went away; that both end, and when it says so, is its own affair."""

    def is_complete() -> bool:
        conditions = stages.live(f"/apis/batch/v1/namespaces/default/jobs/{name}")["status"].get("conditions", [])
        return "Complete" in {one["type"] for one in conditions if one["status"] == "True"}

    until_seen(is_complete, f"the Job {name} to be complete")


def come_to_serve(stages: Stages, kind: str, stack: str, wanted: tuple[list[str], dict[str, int]]) -> None:
    """Counts of ready pods come from controllers, a little later than the pods' own word, by which Gennaker goes."""
    until_equal(lambda: serving(stages, kind, stack), wanted)


def serving(stages: Stages, kind: str, stack: str) -> tuple[list[str], dict[str, int]]:
    """Who of a stack gets traffic, and how many pods are ready in each server group that isn't disabled."""
    listed = stages.live(f"/apis/apps/v1/namespaces/default/{kind.lower()}s")["items"]
    own = {one["metadata"]["name"]: one for one in listed if one["metadata"]["name"].startswith(f"shop-{stack}-")}
    enabled = {
        name: one["status"].get("readyReplicas", 0)
        for name, one in own.items()
        if "gennaker.io/disabled" not in one["metadata"]["annotations"]
    }
    shares = stages.balancers[stack].shares
    return sorted(name_of(one) for one, share in shares.items() if share.weight), enabled
