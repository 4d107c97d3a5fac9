"""A node with real pods for the control plane of tests: containerd and a kubelet in namespaces of their own. Needs root.

Everything runs in a process namespace of its own, whose end is the end of all that it has started, and in a mount namespace in
which what the programs write to fixed places (/run, /var/lib, /var/log) is memory of their own. Pods are reached by their
addresses, through a bridge on this machine.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests import control_plane
from tests.control_plane import ControlPlane
from tests.free_ports import free_port

ADDRESS = "10.244.0.1"
_BRIDGE, _NAME = "gennaker-pods", "node-0"
_PAUSE = "gennaker.test/pause:1"
_PROGRAMS = ("containerd", "containerd-shim-runc-v2", "ctr", "runc", "buildah", "busybox", "ip", "unshare", "mount")
_SYSCTLS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward")
_CGROUPS = Path("/sys/fs/cgroup")
_UP_WITHIN, _DOWN_WITHIN = 60.0, 60.0
_COMMAND_SECONDS = 300.0
_INNER = """
set -e
for place in /run /var/lib /var/log; do mount -t tmpfs none "$place"; done
cd "$1"
containerd --config containerd.toml >containerd.log 2>&1 &
until ctr --address containerd.sock version >/dev/null 2>&1; do sleep 0.1; done
ctr --address containerd.sock --namespace k8s.io images import pause.tar >/dev/null
exec "$2" --kubeconfig kubeconfig --config kubelet.json --root-dir "$1/kubelet" --hostname-override "$3" --node-ip "$4" \
    >kubelet.log 2>&1
"""


class NodeUnavailable(Exception):
    """It can't be run here; says why and what to do."""


def problem() -> str:
    """Why it can't be run on this machine; empty: it can."""
    if os.geteuid() != 0:
        return "Real pods need root."
    missing = [one for one in _PROGRAMS if shutil.which(one) is None]
    if missing:
        return f"Programs are missing: {', '.join(missing)}. On Debian: apt-get install $(cut -d' ' -f1 setup/cluster-packages.txt)."
    if Path(f"/sys/class/net/{_BRIDGE}").exists():
        return (
            f"There is a network {_BRIDGE}: another cluster with pods is running, or was killed. "
            f"If none is running: ip link delete {_BRIDGE}."
        )
    return ""


def left() -> list[str]:
    """What an ended node has left on this machine; nothing, as it should be."""
    folders = [*_CGROUPS.glob("*/k8s.io"), Path(f"/sys/class/net/{_BRIDGE}")]
    return [str(one) for one in folders if one.exists()]


class Node:
    """The node of a control plane that has no fake one."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._folder = plane.folder / "node"
        self._inside: subprocess.Popen[bytes] | None = None
        self._sysctls: dict[Path, str] = {}

    def start(self) -> None:
        """Returns when it is ready. Raises NodeUnavailable, and RuntimeError if it doesn't come up."""
        if said := problem():
            raise NodeUnavailable(said)
        kubelet = control_plane.build_kubelet()
        self._folder.mkdir()
        shutil.copy(self._plane.kubeconfig, self._folder / "kubeconfig")
        _write_configuration(self._folder)
        _make_pause(self._folder)
        self._sysctls = {file: file.read_text() for file in (Path("/proc/sys") / one for one in _SYSCTLS)}
        _run("ip", "link", "add", _BRIDGE, "type", "bridge")
        _run("ip", "address", "add", f"{ADDRESS}/24", "dev", _BRIDGE)
        _run("ip", "link", "set", _BRIDGE, "up")
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        namespaces = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
        with (self._folder / "node.log").open("wb") as log:
            self._inside = subprocess.Popen(
                [*namespaces, "sh", "-c", _INNER, "node", str(self._folder), str(kubelet), _NAME, ADDRESS],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """Takes the pods away, then the node with all that is left in it. Raises RuntimeError if something stays."""
        try:
            if self._inside is not None and self._inside.poll() is None:
                self._empty()
        finally:
            self._end()

    def _empty(self) -> None:
        """Pods leave in order, so that their networks and control groups do, too."""
        for name in self._names("/api/v1/namespaces"):
            if name != "default" and not name.startswith("kube-"):
                self._plane.request("DELETE", f"/api/v1/namespaces/{name}")
        ends = time.monotonic() + _DOWN_WITHIN
        while self._names("/api/v1/pods") and time.monotonic() < ends:
            time.sleep(0.2)

    def _names(self, path: str) -> list[str]:
        listed = self._plane.request("GET", path)
        assert isinstance(listed, dict)
        return [one["metadata"]["name"] for one in listed["items"]]

    def _end(self) -> None:
        if self._inside is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._inside.pid, signal.SIGKILL)
            self._inside.wait(_COMMAND_SECONDS)
        if Path(f"/sys/class/net/{_BRIDGE}").exists():
            _run("ip", "link", "delete", _BRIDGE)
        for file, text in self._sysctls.items():
            file.write_text(text)
        _remove_control_groups()

    def _wait_until_ready(self) -> None:
        ends = time.monotonic() + _UP_WITHIN
        while not self._is_ready():
            assert self._inside is not None
            if self._inside.poll() is not None or time.monotonic() > ends:
                logs = "\n".join(f"{file.name}: {file.read_text()[-1500:]}" for file in self._folder.glob("*.log"))
                raise RuntimeError(f"The node doesn't come up.\n{logs}")
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        node = self._plane.request("GET", f"/api/v1/nodes/{_NAME}")
        conditions = node.get("status", {}).get("conditions", []) if isinstance(node, dict) else []
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


@contextlib.contextmanager
def running(plane: ControlPlane) -> Iterator[Node]:
    """A node until the block ends."""
    node = Node(plane)
    try:
        node.start()
        yield node
    finally:
        node.stop()


def _write_configuration(folder: Path) -> None:
    (folder / "containerd.toml").write_text(_containerd(folder))
    (folder / "kubelet.json").write_text(json.dumps(_kubelet(folder)))
    network = {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": _BRIDGE,
                "isGateway": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": "10.244.0.0/24", "gateway": ADDRESS}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": str(folder / "addresses"),
                },
            }
        ],
    }
    (folder / "networks").mkdir()
    (folder / "networks" / "pods.conflist").write_text(json.dumps(network))


def _containerd(folder: Path) -> str:
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""version = 2
root = "{folder}/containerd"
state = "/run/containerd"
[grpc]
address = "{folder}/containerd.sock"
[{cri}]
sandbox_image = "{_PAUSE}"
disable_apparmor = true
restrict_oom_score_adj = true
[{cri}.cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{folder}/networks"
[{cri}.containerd]
default_runtime_name = "runc"
[{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
"""


def _kubelet(folder: Path) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "port": free_port(),
        "healthzPort": 0,
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},  # the address is the machine's own
        "containerRuntimeEndpoint": f"unix://{folder}/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "oomScoreAdj": 0,
        "resolvConf": "",
        "podLogsDir": f"{folder}/pod-logs",
        "volumePluginDir": f"{folder}/volume-plugins",
        "registerNode": True,
        "serializeImagePulls": False,
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "nodeStatusUpdateFrequency": "1s",
    }


def _make_pause(folder: Path) -> None:
    """The image that holds a pod's namespaces."""
    context = folder / "pause"
    context.mkdir()
    busybox = shutil.which("busybox")
    assert busybox is not None
    shutil.copy(busybox, context / "busybox")
    (context / "Dockerfile").write_text(
        'FROM scratch\nCOPY busybox /busybox\nENTRYPOINT ["/busybox", "sleep", "inf"]\n'
    )
    storage = ("--root", str(folder / "build"), "--runroot", str(folder / "build-run"), "--storage-driver", "vfs")
    _run("buildah", *storage, "build", "--quiet", "--isolation", "chroot", "--tag", _PAUSE, str(context))
    _run("buildah", *storage, "push", "--quiet", _PAUSE, f"oci-archive:{folder / 'pause.tar'}:{_PAUSE}")


def _remove_control_groups() -> None:
    """The empty ones that were left of containers which ended with the node."""
    for parent in (*_CGROUPS.glob("*/k8s.io"), _CGROUPS / "k8s.io"):
        for folder in (*parent.glob("*"), parent):
            if folder.is_dir():
                with contextlib.suppress(OSError):  # somebody else's, in use
                    folder.rmdir()


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_COMMAND_SECONDS)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
