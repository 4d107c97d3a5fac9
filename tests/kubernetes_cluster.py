"""A Kubernetes cluster for tests: the API server in memory, an account of it, and controllers that a test chooses."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests import make
from tests.fakes.kubernetes_api import KubernetesApi
from tests.harness import Harness

from gennaker.interfaces.api_servers import ApiServer
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.services import Services
from gennaker.kubernetes_settings import KubernetesAccountSettings
from gennaker.model.execution import Execution, Stage
from gennaker.plugins.flow import plugin as flow
from gennaker.plugins.kubernetes import plugin as kubernetes
from gennaker.settings import AccountSettings, Settings, SignInSettings
from gennaker.transport.kubernetes.kubeconfig import Access, User
from gennaker.transport.kubernetes.server import HttpApiServer

ACCOUNT = "prod"
Object = dict[str, Any]


class Cluster:
    """A harness whose account `prod` is the API server in memory."""

    def __init__(
        self,
        *also: Plugin,
        runs_services: bool = True,
        must_sign_in: bool = False,
        readers: tuple[str, ...] = (),
        **account: Any,
    ) -> None:
        """`also`: plugins beside it; `readers`: roles that alone may read the account."""
        self.api = KubernetesApi()
        self.api.behaviour = settle
        settings = Settings(
            kubernetes={ACCOUNT: KubernetesAccountSettings(in_cluster=True, **account)},
            accounts={ACCOUNT: AccountSettings(permissions={"READ": readers})} if readers else {},
            sign_in=SignInSettings(required=must_sign_in),
        )
        plugin = Plugin(
            name="kubernetes",
            stages=kubernetes.stages,
            api_servers=(self._server,),
            clouds=kubernetes.plugin.clouds,
            manifests=kubernetes.plugin.manifests,
            services=(kubernetes.watches,),
        )
        self.harness = Harness(flow.plugin, plugin, *also, settings=settings, runs_services=runs_services)

    def _server(self, services: Services) -> tuple[ApiServer, ...]:
        access = Access(server="http://cluster", namespace="shop", user=User(token="t"))
        return (HttpApiServer(ACCOUNT, lambda: access, now=services.clock.now, transport=self.api),)

    def run(
        self,
        stage_type: str,
        *,
        kill_at: tuple[str, ...] = (),
        meanwhile: Any = None,
        trigger: Any = None,
        afterwards: timedelta = timedelta(),
        pipeline: str = "",
        **keys: Any,
    ) -> Execution:
        """One stage, run to its end; `pipeline`: id of the stored one that it belongs to."""
        stage = make.stage_json("m", type=stage_type, **{"account": ACCOUNT, "cloudProvider": "kubernetes", **keys})
        config = make.config(stage, application="shop", **({"id": pipeline} if pipeline else {}))
        return self.harness.run(config, trigger, kill_at=kill_at, meanwhile=meanwhile, afterwards=afterwards)

    def deploy(self, *manifests: Object, **keys: Any) -> Execution:
        """Deploys these."""
        listed = [*manifests]
        return self.run("deployManifest", **{"source": "text", "manifests": listed, "moniker": {"app": "shop"}, **keys})


def settle(api: KubernetesApi, what: str, found: Object) -> None:
    """Controllers that do at once what they are told."""
    status = _settled(found)
    if what == "DELETED" or status is None:
        return
    metadata = found["metadata"]
    status = {"observedGeneration": metadata["generation"], **status}
    if found.get("status") != status:
        plural = f"{found['kind'].lower()}s"
        api.set_status(plural, metadata["name"], status, metadata["namespace"])


def _settled(found: Object) -> Object | None:
    replicas = found.get("spec", {}).get("replicas", 1) if isinstance(found.get("spec"), dict) else 1
    match found["kind"]:
        case "ReplicaSet":
            return dict.fromkeys(("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"), replicas)
        case "Deployment":
            return dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), replicas)
        case "Job":
            return {"succeeded": 1}
        case _:
            return None


def never(_api: KubernetesApi, _what: str, _found: Object) -> None:
    """No controller does anything."""


Behaviour = Callable[[KubernetesApi, str, Object], None]


def first(execution: Execution) -> Stage:
    return next(execution.top_level())


def config_map(name: str = "cfg", **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def workload(
    kind: str = "Deployment", name: str = "web", *, annotations: dict[str, str] | None = None, **spec: Any
) -> Object:
    pod = {"containers": [{"name": "web", "image": "acme/web", "envFrom": [{"configMapRef": {"name": "cfg"}}]}]}
    own: Object = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, **spec}
    own.setdefault("template", {"metadata": {"labels": {"app": "web"}}, "spec": pod})
    metadata: Object = {"name": name, **({"annotations": annotations} if annotations else {})}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": own}


def service(name: str = "lb", **selector: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": selector or {"lb": "on"}, "ports": [{"port": 80}]},
    }


def with_groups() -> Cluster:
    """With three versions of one cluster: web-v000 with 3 replicas, web-v001 with 2, web-v002 with 1."""
    made = Cluster()
    own = {"moniker.spinnaker.io/application": "shop", "moniker.spinnaker.io/cluster": "replicaSet web"}
    for place, name in enumerate(("web-v000", "web-v001", "web-v002")):
        made.api.put(workload("ReplicaSet", name, annotations=own, replicas=3 - place))
    return made
