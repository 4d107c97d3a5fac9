"""Where the demo's services run: processes of this machine, containers, or pods of a Kubernetes cluster. What pipelines say of it."""

from pathlib import Path
from typing import Protocol

from gennaker.model.codec import Json, JsonObject

NAMESPACE = "storefront"
_ACCOUNT = "cluster"
_ENGINE = "engine"
_OF_THE_NODE = ("bin", "lib", "lib64", "usr")
"""The images hold the services alone: Python comes from the machine that runs them."""


class Where(Protocol):
    """A place for the demo's services."""

    @property
    def settings(self) -> tuple[str, ...]:
        """What the server is told of it, `section.key=value`."""
        ...

    @property
    def place(self) -> JsonObject:
        """The keys that name it in a stage or cluster."""
        ...

    @property
    def cluster(self) -> JsonObject:
        """`place`, and whatever else a server group needs there."""
        ...

    def job(self, *, image: str, command: tuple[str, ...], report: str) -> JsonObject:
        """The keys of a stage that runs tests; `report` is the file of JUnit's form that they write."""
        ...


class Processes:
    """Processes of this machine."""

    settings: tuple[str, ...] = ()

    @property
    def place(self) -> JsonObject:
        """The account that is always there."""
        return {"account": "local", "cloudProvider": "local", "region": "local"}

    @property
    def cluster(self) -> JsonObject:
        """Needs nothing more."""
        return self.place

    def job(self, *, image: str, command: tuple[str, ...], report: str) -> JsonObject:
        """Its report is kept."""
        return {
            "type": "runJob",
            **self.place,
            "image": image,
            "command": [*command],
            "reports": {"junit": report},
        }


class Pods:
    """Pods in the namespace `storefront` of a cluster whose nodes are this machine: load balancers reach them by their addresses."""

    def __init__(self, kubeconfig: Path) -> None:
        """`kubeconfig`: of an account that may do everything in the namespace, which is there."""
        self._kubeconfig = kubeconfig

    @property
    def settings(self) -> tuple[str, ...]:
        """The account."""
        account = f"kubernetes.{_ACCOUNT}"
        return (f"{account}.kubeconfig-file={self._kubeconfig}", f'{account}.namespaces=["{NAMESPACE}"]')

    @property
    def place(self) -> JsonObject:
        """A namespace is a region."""
        return {"account": _ACCOUNT, "cloudProvider": "kubernetes", "region": NAMESPACE}

    @property
    def cluster(self) -> JsonObject:
        """A ReplicaSet whose pods listen on their own address."""
        told: list[Json] = [
            {"name": "HOST", "value": "0.0.0.0"},  # noqa: S104 - of the pod
            {"name": "GENNAKER_INSTANCE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ]
        manifest: JsonObject = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "spec": {"template": {"spec": _pod({"name": "service", "env": told})}},
        }
        return {**self.place, "manifest": manifest}

    def job(self, *, image: str, command: tuple[str, ...], report: str) -> JsonObject:
        """In the machine's network, in which the load balancers listen; its log is kept, and its report is not.

        Pipelines test at the same time: a Job of one name would replace another's.
        """
        container: JsonObject = {"name": "tests", "image": image, "command": [*command]}
        manifest: JsonObject = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"generateName": "tests-", "namespace": NAMESPACE},
            "spec": {
                "backoffLimit": 0,
                "template": {"spec": {**_pod(container), "hostNetwork": True, "restartPolicy": "Never"}},
            },
        }
        return {"type": "runJobManifest", "account": _ACCOUNT, "source": "text", "manifest": manifest}


class Containers:
    """Containers of an engine on this machine."""

    def __init__(self, address: str, registry_port: int) -> None:
        """`address`: of the engine, which pulls from the registry that will listen on the port."""
        self._address = address
        self._registry_port = registry_port

    @property
    def settings(self) -> tuple[str, ...]:
        """The account, and where the registry listens."""
        account = f"docker.{_ENGINE}"
        mounts = ", ".join(f'"/{one}"' for one in _OF_THE_NODE)
        return (
            f"registry.port={self._registry_port}",
            f"{account}.address={self._address}",
            f"{account}.mounts=[{mounts}]",
            f"{account}.host-network=true",
        )

    @property
    def place(self) -> JsonObject:
        """The one account."""
        return {"account": _ENGINE, "cloudProvider": "docker", "region": "local"}

    @property
    def cluster(self) -> JsonObject:
        """Containers with the machine's programs and libraries, and limits."""
        return {**self.place, "container": {"memory": "256m", "pids": 100, "mounts": _folders()}}

    def job(self, *, image: str, command: tuple[str, ...], report: str) -> JsonObject:
        """In the machine's network, in which the load balancers listen; its report is kept."""
        return {
            "type": "runJob",
            **self.place,
            "image": image,
            "command": [*command],
            "reports": {"junit": report},
            "container": {"networks": ["host"], "mounts": _folders()},
        }


PROCESSES = Processes()


def _folders() -> list[Json]:
    return [{"source": f"/{one}", "target": f"/{one}"} for one in _OF_THE_NODE if Path(f"/{one}").exists()]


def _pod(container: JsonObject) -> JsonObject:
    """A pod whose one container has the machine's programs and libraries."""
    mounts: list[Json] = [{"name": one, "mountPath": f"/{one}", "readOnly": True} for one in _OF_THE_NODE]
    volumes: list[Json] = [{"name": one, "hostPath": {"path": f"/{one}"}} for one in _OF_THE_NODE]
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "containers": [{**container, "volumeMounts": mounts}],
        "volumes": volumes,
    }
