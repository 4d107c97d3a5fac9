"""Controllers and proxies as processes of their own, from when they listen to a block's end."""

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.fakes.gateway_cluster import GatewayCluster

from gennaker.transport import ports


@contextlib.contextmanager
def running(
    command: list[str],
    folder: Path,
    name: str,
    *,
    cluster: GatewayCluster,
    port: int,
    ends_by: signal.Signals = signal.SIGTERM,
) -> Iterator[None]:
    """The program in the folder, where `NAME.log` is its output. Raises RuntimeError where it ends before it listens on the port."""
    file = folder / f"{name}.log"
    with file.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        cluster.plane.wait(lambda: process.poll() is not None or not ports.is_free("127.0.0.1", port))
        if process.poll() is not None:
            raise RuntimeError(f"{name} has ended: {file.read_text()[-1500:]}")
        yield
    finally:
        process.send_signal(ends_by)
        process.wait(30)
