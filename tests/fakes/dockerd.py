"""The other container engine for tests: a Docker daemon of their own, with its containerd, over files, sockets and a bridge of their own.

`make docker` has it; `make test` has Podman alone (docs/decisions/0070-docker-itself.md).
"""

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import waiting
from tests.fakes.engines import EngineInTests, pushed
from tests.registry_servers import own_registry

from gennaker.settings import DockerSettings

_BRIDGE = "gennaker-docker"
_SUBNET = "10.213.70.1/24"
_PATH = f"{os.defpath}:/usr/sbin:/sbin"


class DockerInTests(EngineInTests, frozen=True, kw_only=True):
    """Docker, likewise."""

    network: str = "bridge"

    def memory_bytes(self) -> int:
        """Of its machine."""
        return int(self.run("info", "--format", "{{.MemTotal}}"))

    def check_health(self, name: str) -> None:
        """Docker has timers of its own."""

    def remove_all(self) -> None:
        """Removes all containers; one that is being removed already isn't there soon."""

        def are_gone() -> bool:
            listed = self.run("ps", "--all", "--quiet").split()
            if listed:
                subprocess.run(
                    [*self.command, "rm", "--force", "--volumes", *listed],
                    capture_output=True,
                    timeout=300,
                    check=False,
                )
            return not listed

        waiting.until_seen(are_gone, "all containers to be removed", pause_seconds=0.1)


@contextlib.contextmanager
def engine(folder: Path, programs: str) -> Iterator[EngineInTests]:
    """Starts one, ends it with everything that it runs. `programs`: the folder of dockerd and what it starts."""
    with own_registry(folder / "registry") as host, _service(folder / "root", programs) as (address, command):
        running = DockerInTests(
            settings=DockerSettings(address=address),
            registry=host,
            registry_files=folder / "registry",
            image=asyncio.run(pushed(folder, host)),
            files=folder / "image",
            command=command,
        )
        yield running
        running.remove_all()


@contextlib.contextmanager
def _service(root: Path, programs: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A daemon over files below `root`; its address, and the command line's words for it."""
    path = f"{programs}:{_PATH}"
    with TemporaryDirectory(prefix="dockerd-") as short, _bridge():
        run = Path(short)
        address = f"unix://{run / 's.sock'}"
        with (run / "log").open("wb") as log:
            serving = subprocess.Popen(_words(root, run, address, path), env={"PATH": path}, stdout=log, stderr=log)
        docker = (shutil.which("docker", path=path) or "docker", "--host", address)
        try:
            _wait_for(run / "s.sock", serving, run / "log")
            yield address, docker
        finally:
            serving.terminate()
            serving.wait(timeout=600)
            left = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if f" {run}/" in line]
            subprocess.run(["umount", *left], capture_output=True, timeout=300, check=False)


def _words(root: Path, run: Path, address: str, path: str) -> list[str]:
    """Nothing of the machine's own is changed: neither its packet filter nor its forwarding."""
    return [
        shutil.which("dockerd", path=path) or "dockerd",
        f"--host={address}",
        f"--data-root={root}",
        f"--exec-root={run / 'run'}",
        f"--pidfile={run / 'pid'}",
        f"--bridge={_BRIDGE}",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
        "--ip-masq=false",
        "--exec-opt=native.cgroupdriver=cgroupfs",
        f"--userland-proxy-path={shutil.which('docker-proxy', path=path)}",
        f"--init-path={shutil.which('docker-init', path=path)}",
    ]


@contextlib.contextmanager
def _bridge() -> Iterator[None]:
    subprocess.run(
        ["ip", "link", "delete", _BRIDGE], capture_output=True, timeout=300, check=False
    )  # of a run that was killed
    for words in (
        ("link", "add", "name", _BRIDGE, "type", "bridge"),
        ("address", "add", _SUBNET, "dev", _BRIDGE),
        ("link", "set", _BRIDGE, "up"),
    ):
        subprocess.run(["ip", *words], capture_output=True, timeout=300, check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "delete", _BRIDGE], capture_output=True, timeout=300, check=True)


def _wait_for(socket: Path, serving: subprocess.Popen[bytes], log: Path) -> None:
    """The daemon lets nobody in before it can answer."""

    def is_there() -> bool:
        assert serving.poll() is None, f"dockerd ended at once: {log.read_text()[-2000:]}"
        return socket.exists()

    waiting.until_seen(is_there, "dockerd to start", pause_seconds=0.05)
