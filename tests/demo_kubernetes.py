"""`make demo-kubernetes`: the demo with its services as pods of a real cluster, which is started before and gone afterwards."""

import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from tests import cluster_node, control_plane
from tests.control_plane import ControlPlane
from tests.free_ports import free_port

from gennaker.demo import running, where
from gennaker.demo.telling import Teller
from gennaker.model.problems import Refused


def main(words: list[str]) -> int:
    """The demo's exit status; 1 if there can be no cluster, or if something of it is left."""
    if words not in ([], ["--keep"]):
        return _refused(f"It takes --keep or nothing, not {' '.join(words)}.")
    if said := cluster_node.problem():
        return _refused(said)
    teller = Teller()
    folder = Path(tempfile.mkdtemp(prefix="gennaker-cluster-"))
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with teller.step("Kubernetes' programs are there (built from source, once: some minutes)"):
            control_plane.build_kubelet()
        status = _on_cluster(folder, teller, keep="--keep" in words)
    except KeyboardInterrupt:
        return _refused("interrupted")
    except (Refused, RuntimeError, cluster_node.NodeUnavailable) as failure:
        return _refused(str(failure))
    shutil.rmtree(folder)
    left = cluster_node.left()
    teller.check("nothing of the cluster is left", holds=not left, found=left)
    return status or int(bool(left))


def _on_cluster(folder: Path, teller: Teller, *, keep: bool) -> int:
    ports = (free_port(), free_port(), free_port())
    with control_plane.running(folder, ports, has_fake_node=False) as plane, cluster_node.running(plane):
        with teller.step("A cluster with one node is up"):
            _make_namespace(plane)
        return running.run(data=None, config=None, flags=(), keep=keep, where=where.Pods(plane.kubeconfig))


def _make_namespace(plane: ControlPlane) -> None:
    plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": where.NAMESPACE}})
    account = f"/api/v1/namespaces/{where.NAMESPACE}/serviceaccounts/default"
    plane.wait(lambda: plane.request("GET", account) is not None)


def _refused(said: str) -> int:
    sys.stderr.write(f"{said}\n")
    return 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
