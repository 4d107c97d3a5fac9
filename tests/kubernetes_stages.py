"""Stages on a real control plane of Kubernetes, for tests."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests import make
from tests.control_plane import ControlPlane
from tests.fakes.traffic import FakeBalancer, FakeTraffic
from tests.fakes.virtual_time import RealTime
from tests.harness import Harness, Meanwhile, problem_of

from gennaker.interfaces.plugins import Plugin
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.deploy.plugin import plugin as deploy
from gennaker.plugins.flow import plugin as flow
from gennaker.plugins.kubernetes import plugin as kubernetes
from gennaker.settings import CustomResourceSettings, KubernetesAccountSettings, Settings

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
    cluster = {
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
    return stages.run("createServerGroup", **cluster)
