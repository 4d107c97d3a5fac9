"""Surroundings of the cloud provider `kubernetes`: the API server in memory, and controllers that run what they are told."""

import itertools
from typing import Any

from tests.fakes.kubernetes_api import KubernetesApi, Object
from tests.fakes.registry import MemoryRegistry

from gennaker.access.masking import Masker
from gennaker.access.secrets import ResolvedSecrets
from gennaker.interfaces.clouds import Place
from gennaker.kubernetes_settings import KubernetesAccountSettings
from gennaker.plugins.kubernetes.accounts import Account
from gennaker.plugins.kubernetes.kinds import NO_CUSTOM_KINDS
from gennaker.plugins.kubernetes.provider import KubernetesProvider
from gennaker.transport.kubernetes.kubeconfig import Access, User
from gennaker.transport.kubernetes.server import HttpApiServer
from gennaker.worker.clock import SystemClock

COST = "controller.kubernetes.io/pod-deletion-cost"


class Controllers:
    """Make pods for ReplicaSets and Jobs, all ready at once; take away first what costs least."""

    def __init__(self) -> None:
        self._number = itertools.count(1)

    def __call__(self, api: KubernetesApi, what: str, found: Object) -> None:
        if what == "DELETED":
            return
        match found["kind"]:
            case "ReplicaSet":
                self._replicas(api, found)
            case "Job" if "status" not in found:
                self._pod(api, found)
                api.set_status("jobs", found["metadata"]["name"], {"active": 1}, found["metadata"]["namespace"])
            case "Job" if found["spec"]["activeDeadlineSeconds"] == 1 and found["status"].get("active"):
                over = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "too long"}
                status = {"conditions": [over]}
                api.set_status("jobs", found["metadata"]["name"], status, found["metadata"]["namespace"])

    def _replicas(self, api: KubernetesApi, found: Object) -> None:
        uid, wanted = found["metadata"]["uid"], found["spec"]["replicas"]
        own = [one for one in api.objects.values() if _owner(one) == uid]
        if len(own) < wanted:
            self._pod(api, found)
            self._replicas(api, found)
        elif len(own) > wanted:
            cheapest = min(own, key=lambda one: int(one["metadata"].get("annotations", {}).get(COST, "0")))
            api.remove("pods", cheapest["metadata"]["name"], found["metadata"]["namespace"])
            self._replicas(api, found)

    def _pod(self, api: KubernetesApi, owner: Object) -> None:
        number = next(self._number)
        name, namespace = f"{owner['metadata']['name']}-{number:05d}", owner["metadata"]["namespace"]
        template = owner["spec"]["template"]
        reference = {"kind": owner["kind"], "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
        metadata = {**template.get("metadata", {}), "name": name, "ownerReferences": [reference]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
        api.put(pod, namespace, manager="controllers")
        for one in template["spec"]["containers"]:
            api.logs[name, one["name"]] = "listening"
        status = {"phase": "Running", "podIP": f"10.0.0.{number}", "conditions": [{"type": "Ready", "status": "True"}]}
        api.set_status("pods", name, status, namespace)


def _owner(one: Object) -> Any:
    owners = one["metadata"].get("ownerReferences", [])
    return owners[0]["uid"] if owners else None


class KubernetesWorld:
    """One account, named as its namespace is."""

    def __init__(self, place: Place, image: str, source: MemoryRegistry, *, omit_kinds: tuple[str, ...] = ()) -> None:
        self.image = image
        self.api = KubernetesApi()
        self.api.behaviour = Controllers()
        self._place = place
        self._source = source
        self._omit_kinds = omit_kinds
        self.secrets = ResolvedSecrets(Masker())
        self._provider = self._new()

    def _new(self) -> KubernetesProvider:
        access = Access(server="http://cluster", namespace=self._place.region, user=User(token="t"))
        server = HttpApiServer(self._place.account, lambda: access, now=SystemClock().now, transport=self.api)
        settings = KubernetesAccountSettings(
            in_cluster=True, namespaces=(self._place.region,), omit_kinds=self._omit_kinds
        )
        account = Account(name=self._place.account, server=server, settings=settings, custom=NO_CUSTOM_KINDS)
        known = {account.name: account}
        return KubernetesProvider(lambda: known, {"docker": self._source}, secrets=self.secrets, now=SystemClock().now)

    def provider(self) -> KubernetesProvider:
        return self._provider

    async def restart(self) -> None:
        self._provider = self._new()
