"""A container engine for tests: Podman's Docker-compatible API over files of its own, and an image of the test's web server."""

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from tests import waiting
from tests.fakes.registry import MemoryRegistry
from tests.registry_servers import own_registry

from gennaker.plugins.docker import owners
from gennaker.plugins.docker.containers import OWNER
from gennaker.plugins.oci.client import RegistryClient
from gennaker.plugins.oci.session import RegistryAccount
from gennaker.settings import DockerSettings

APP = Path(__file__).parent / "image" / "app" / "server.py"
PYTHON = "/usr/bin/python3"
_CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=10000:10000"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_config_dir = "{networks}"
"""
_BRIDGE = Path("/sys/class/net/cni-podman0")
"""Of the engine's usual network: it makes it for its first container and leaves it behind."""
_MODULES = "import sys, http.client, asyncio, base64, hashlib, json, os, signal"
_LIST = f"{_MODULES}; print('\\n'.join(sorted({{m.__file__ for m in sys.modules.values() if getattr(m, '__file__', None)}})))"


class EngineInTests(msgspec.Struct, frozen=True, kw_only=True):
    """An engine that runs."""

    settings: DockerSettings
    registry: str
    """`127.0.0.1:port` of a registry that it may pull from."""
    registry_files: Path
    """Where the registry keeps what it holds."""
    image: str
    """A web server, with its digest; pushed, not pulled yet."""
    files: Path
    """What is in the image."""
    command: tuple[str, ...]
    """The command line's words for the same engine."""
    network: str = "podman"
    """Its usual one."""

    def run(self, *words: str) -> str:
        """What a command of the engine's own prints."""
        done = subprocess.run([*self.command, *words], capture_output=True, text=True, timeout=300, check=True)
        return done.stdout

    def names(self, folder: Path, *words: str) -> list[str]:
        """Names of the running containers of a data folder; with `--all` of the others, too.

        The engine is shared: a test that was over before its last request was answered may leave a container in it.
        """
        filtered = ("--filter", f"label={OWNER}={owners.read(folder)}", "--format", "{{.Names}}")
        return self.run("ps", *words, *filtered).split()

    def memory_bytes(self) -> int:
        """Of its machine."""
        return int(self.run("info", "--format", "{{.Host.MemTotal}}"))

    def check_health(self, name: str) -> None:
        """What the engine's timer does; Podman's needs systemd. The check fails."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self.run("healthcheck", "run", name)
            raise AssertionError("the check succeeded")

    def remove_all(self) -> None:
        """Removes all containers; one that removes itself meanwhile makes the engine fail, and is no longer there then."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self.run("rm", "--all", "--force", "--ignore", "--time=0")
            return
        self.run("rm", "--all", "--force", "--ignore", "--time=0")


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[EngineInTests]:
    """Starts one, ends it with everything that it runs."""
    with own_registry(folder / "registry") as host, service(folder / "root", host) as (address, command):
        image = asyncio.run(pushed(folder, host))
        yield EngineInTests(
            settings=DockerSettings(address=address),
            registry=host,
            registry_files=folder / "registry",
            image=image,
            files=folder / "image",
            command=command,
        )


@contextlib.contextmanager
def service(root: Path, host: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """An engine over files below `root` that may pull from a registry without TLS; its address, and the command line's words for it."""
    was_there = _BRIDGE.exists()
    with TemporaryDirectory(prefix="engine-") as short:
        run = Path(short)  # podman takes no longer path for its run root
        (run / "containers.conf").write_text(_CONTAINERS_CONF.format(networks=run / "networks"))
        (run / "registries.conf").write_text(f'[[registry]]\nlocation = "{host}"\ninsecure = true\n')
        environment = {
            "PATH": f"{os.defpath}:/usr/sbin:/sbin",
            "HOME": str(run),
            "CONTAINERS_CONF": str(run / "containers.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(run / "registries.conf"),
        }
        podman = ("podman", f"--root={root}", f"--runroot={run / 'run'}")
        words = ("env", "-i", *(f"{key}={value}" for key, value in environment.items()), *podman)
        serving = subprocess.Popen(
            [*words, "system", "service", "--time=0", f"unix://{run / 's.sock'}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=run,  # a container's monitor leaves an empty file where it was started
        )
        try:
            _wait_for(run / "s.sock", serving)
            yield f"unix://{run / 's.sock'}", words
        finally:
            serving.terminate()
            serving.wait(timeout=300)
            subprocess.run(
                [*words, "rm", "--all", "--force", "--time=0"], capture_output=True, timeout=600, check=False
            )
            subprocess.run(["umount", str(root / "overlay")], capture_output=True, timeout=300, check=False)
            if not was_there and _BRIDGE.exists() and not any((_BRIDGE / "brif").iterdir()):
                subprocess.run(["ip", "link", "delete", _BRIDGE.name], capture_output=True, timeout=300, check=False)


async def push(folder: Path, host: str, name: str, config: dict[str, object]) -> str:
    """Makes an image of a folder with the web server and Python, and pushes it; its name with digest."""
    memory = MemoryRegistry()
    config = {"Env": ["COLOUR=blue"], "ExposedPorts": {"8080/tcp": {}}, **config}
    made = memory.add(name, "1", folder, msgspec.convert(config, dict))
    layout = folder.parent / f"layout-{name}"
    digest = await memory.pull(name, made.partition("@")[2], layout)
    client = RegistryClient(RegistryAccount(name="tests", address=f"http://{host}"))
    try:
        await client.push(layout, digest, repository=name, tag="1")
    finally:
        await client.close()
    return f"{host}/{name}@{digest}"


async def pushed(folder: Path, host: str) -> str:
    """The web server's image; its name with digest."""
    root = await asyncio.to_thread(files, folder / "image")
    return await push(root, host, "web", {"Cmd": [PYTHON, "-B", "/app/server.py"], "WorkingDir": "/app"})


def files(root: Path) -> Path:
    """The web server, Debian's Python with what the server imports, and a shell."""
    (root / "app").mkdir(parents=True)
    shutil.copy(APP, root / "app" / "server.py")
    listed = subprocess.run([PYTHON, "-I", "-B", "-c", _LIST], capture_output=True, text=True, timeout=300, check=True)
    asked = ["ldd", PYTHON, *_extensions(listed.stdout)]
    libraries = subprocess.run(asked, capture_output=True, text=True, timeout=300, check=True)
    found = {word for line in libraries.stdout.splitlines() for word in line.split() if word.startswith("/lib")}
    for file in sorted({PYTHON, *listed.stdout.split(), *found}):
        target = root / file.lstrip("/").rstrip(":")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file.rstrip(":"), target)
    (root / "bin").mkdir()
    shutil.copy("/bin/busybox", root / "bin" / "busybox")
    for name in ("ln", "mkdir", "sh", "sleep"):
        (root / "bin" / name).symlink_to("busybox")
    (root / "tmp").mkdir()
    return root


def _extensions(listed: str) -> list[str]:
    return [file for file in listed.split() if file.endswith(".so")]


def _wait_for(socket: Path, service: subprocess.Popen[bytes]) -> None:
    def is_there() -> bool:
        assert service.poll() is None, "the engine ended at once"
        return socket.exists()

    waiting.until_seen(is_there, "the engine to start", pause_seconds=0.05)
