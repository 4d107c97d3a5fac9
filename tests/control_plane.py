"""A real control plane of Kubernetes on loopback: etcd, API server, controllers, scheduler, and kwok for nodes and pods.

The binaries are built once from Go modules (nine minutes of one core) and kept outside the checkout:

    python tests/control_plane.py build     builds, or says where they are
    python tests/control_plane.py run       starts it, prints the kubeconfig's path, stops with Ctrl-C
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType

FOLDER = Path(__file__).parent / "e2e" / "cluster"
VERSION = "1.37.2"
_PARTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
_SOURCES = ("go.mod", "go.sum", "main.go", "tools.go")
_STAGES = ("node/fast/node-initialize.yaml", "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml")
_MADE_OF = "build"
"""4 GB that nobody needs once it is linked."""
ADMIN_TOKEN = "admin-token"
_READY_SECONDS = 900.0
"""Of a machine ten times as slow, on which much else runs: a part that has ended is noticed at once."""
_ANSWERS_SECONDS = 120.0
_NOT_NOW = frozenset({429, 503})
"""Nothing was done: an API server asks to be asked again, as while it sets up the storage of a new kind."""
_UNKNOWN = frozenset({500, 504})
"""Something may have been done: its storage didn't answer in time. Once more does no harm, but for what is made without a name."""
_COMMAND_SECONDS = 120.0
_FETCHED_SECONDS, _TRIES, _PAUSE_SECONDS = 600.0, 3, 5.0
_BUILD_SECONDS = 3600.0
"""Of one core, at low priority beside all the tests."""


def cache() -> Path:
    """Where binaries of this version are kept."""
    text = b"".join((FOLDER / name).read_bytes() for name in _SOURCES)
    version = subprocess.run(["go", "version"], check=True, capture_output=True, timeout=_COMMAND_SECONDS).stdout
    root = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return root / "gennaker" / "cluster" / hashlib.sha256(text + version).hexdigest()[:16]


def has_go() -> bool:
    """Whether it can be built."""
    return shutil.which("go") is not None


def is_built() -> bool:
    """Whether nothing has to be built."""
    return has_go() and (cache() / "stages.yaml").exists()


def build() -> Path:
    """Builds what isn't there, waiting for whoever builds it already; returns the folder of the binaries."""
    if not has_go():
        raise RuntimeError("The control plane is built with Go: install Go 1.26 or newer, so that `go` is on the PATH.")
    kept = cache()
    if is_built():
        return kept  # whoever has the lock may be building the kubelet, which takes a quarter of an hour
    kept.mkdir(parents=True, exist_ok=True)
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_built():
            _build(kept)
    return kept


def build_kubelet() -> Path:
    """As `build`, and the kubelet with them, which only real pods need; returns the program."""
    kept = build()
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _build_one(kept, "kubelet", "k8s.io/kubernetes/cmd/kubelet")
        shutil.rmtree(kept / _MADE_OF, ignore_errors=True)
    return kept / "kubelet"


@contextlib.contextmanager
def being_built() -> Iterator[None]:
    """Builds beside the block, at low priority, if it isn't built; what isn't done when the block ends is given up."""
    if not has_go() or is_built():
        yield
        return
    process = subprocess.Popen(
        ["nice", sys.executable, __file__, "build"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # whoever needs it builds it again and says what is wrong
        start_new_session=True,
    )
    try:
        yield
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(_COMMAND_SECONDS)


def _build(kept: Path) -> None:
    for name, package in (("cluster", "."), ("kwok", "sigs.k8s.io/kwok/cmd/kwok")):
        _build_one(kept, name, package)
    for part in _PARTS:
        if not (kept / part).exists():
            (kept / part).symlink_to("cluster")
    shutil.rmtree(kept / _MADE_OF, ignore_errors=True)
    (kept / "stages.yaml").write_text(_stages())


def _build_one(kept: Path, name: str, package: str) -> None:
    if (kept / name).exists():
        return
    major, minor, _ = VERSION.split(".")
    about = {"gitVersion": f"v{VERSION}", "gitMajor": major, "gitMinor": minor}
    flags = " ".join(f"-X k8s.io/component-base/version.{key}={value}" for key, value in about.items())
    command = ["go", "build", "-mod=readonly", "-p=2", "-trimpath", "-ldflags", f"-s -w {flags}"]
    environment = {"GOCACHE": str(kept / _MADE_OF), **os.environ, "CGO_ENABLED": "0"}
    fetching("list", "-deps", "-mod=readonly", package, folder=FOLDER, environment=environment)
    subprocess.run(
        [*command, "-o", str(kept / f"{name}.new"), package],
        cwd=FOLDER,
        env=environment,
        check=True,
        timeout=_BUILD_SECONDS,
    )
    (kept / f"{name}.new").rename(kept / name)


def fetching(*words: str, folder: Path, environment: Mapping[str, str] | None = None) -> bytes:
    """What a command of Go's that may fetch modules prints. Raises CalledProcessError or TimeoutExpired when no try succeeds.

    Go waits for ever for a server that has taken its request and doesn't answer, and gives up at one that breaks off; what has
    come until then it keeps.
    """
    for left in reversed(range(_TRIES)):
        try:
            done = subprocess.run(
                ["go", *words], cwd=folder, env=environment, check=True, capture_output=True, timeout=_FETCHED_SECONDS
            )
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
            if not left:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return done.stdout
    raise AssertionError("the last try returns or raises")


def _stages() -> str:
    """What kwok does to nodes and pods: they are ready at once."""
    listed = fetching("list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok", folder=FOLDER)
    folder = Path(listed.decode().strip()) / "kustomize" / "stage"
    pods = sorted((folder / "pod" / "fast").glob("pod-*.yaml"))
    return "\n---\n".join(file.read_text() for file in (*(folder / one for one in _STAGES), *pods))


class ControlPlane:
    """A running one."""

    def __init__(
        self, folder: Path, ports: tuple[int, int, int], *, has_fake_node: bool = True, has_controllers: bool = True
    ) -> None:
        """Without the fake node it has none, and pods wait for one; without controllers nothing becomes of objects."""
        self.folder = folder
        self._has_fake_node = has_fake_node
        self._has_controllers = has_controllers
        self.kubeconfig = folder / "kubeconfig"
        self._etcd, self._peers, self._api = ports
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Returns when the API server is ready and a node can be used."""
        binaries = build()
        key = self.folder / "sa.key"
        generated = ["openssl", "genrsa", "-out", str(key), "2048"]
        subprocess.run(generated, check=True, capture_output=True, timeout=_COMMAND_SECONDS)
        (self.folder / "tokens.csv").write_text(f'{ADMIN_TOKEN},admin,1,"system:masters"\nci-token,ci,2,"ci"\n')
        clients = f"http://127.0.0.1:{self._etcd}"
        peers = f"http://127.0.0.1:{self._peers}"
        self._run(
            binaries / "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={clients}",
            f"--advertise-client-urls={clients}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync",
        )
        self._run(
            binaries / "kube-apiserver",
            f"--etcd-servers={clients}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._api}",
            "--advertise-address=10.244.0.1",
            "--endpoint-reconciler-type=none",
            f"--cert-dir={self.folder / 'certificates'}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
        )
        self._until_ready()
        self._write_kubeconfig()
        if self._has_controllers:
            self._start_controllers(binaries, key)

    def _start_controllers(self, binaries: Path, key: Path) -> None:
        shared = (f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--secure-port=0")
        controllers = binaries / "kube-controller-manager"
        fast = ("--kube-api-qps=300", "--kube-api-burst=600")
        # On a busy machine kwok's heartbeats are late, and pods that a lost node made unready it never makes ready again.
        patient = "--node-monitor-grace-period=1h"
        self._run(controllers, *shared, *fast, patient, f"--service-account-private-key-file={key}")
        self._run(binaries / "kube-scheduler", *shared, *fast)
        if self._has_fake_node:
            self._fake_node(binaries)
        self.wait(lambda: self.request("GET", "/api/v1/namespaces/default/serviceaccounts/default") is not None)

    @property
    def address(self) -> str:
        """Of the API server."""
        return f"https://127.0.0.1:{self._api}"

    @property
    def certificate(self) -> Path:
        """The API server's own."""
        return self.folder / "certificates" / "apiserver.crt"

    def apply(self, path: str, body: object, *, manager: str) -> object:
        """As somebody else's field manager."""
        return self.request("PATCH", f"{path}?fieldManager={manager}", body, media="application/apply-patch+yaml")

    def request(self, method: str, path: str, body: object = None, *, media: str = "application/json") -> object:
        """As the admin; None: there is no such thing."""
        return self.send(method, path, None if body is None else json.dumps(body).encode(), media=media)

    def send(self, method: str, path: str, data: bytes | None, *, media: str) -> object:
        """As `request`, with a body that is written already."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        headers = {"authorization": f"Bearer {ADMIN_TOKEN}", "content-type": media}
        request = urllib.request.Request(f"https://127.0.0.1:{self._api}{path}", data, headers, method=method)
        ends = time.monotonic() + _READY_SECONDS
        while True:
            try:
                with urllib.request.urlopen(request, context=context, timeout=_ANSWERS_SECONDS) as answer:  # noqa: S310 - loopback
                    return json.loads(answer.read())
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    return None
                said = error.read().decode()[:500]
                if time.monotonic() > ends or not _passes(method, error.code, said):
                    raise RuntimeError(f"{method} {path}: {said}") from error
                time.sleep(0.5)

    @contextlib.contextmanager
    def without_api_server(self) -> Iterator[None]:
        """The API server is away during the block, and ready again after it."""
        place = next(i for i, one in enumerate(self._started) if _name(one) == "kube-apiserver")
        old = self._started[place]
        old.kill()  # in good order it waits a minute for those who watch
        old.wait(_COMMAND_SECONDS)
        try:
            yield
        finally:
            assert isinstance(old.args, list)
            with (self.folder / "kube-apiserver.log").open("ab") as log:
                self._started[place] = subprocess.Popen(old.args, stdout=log, stderr=log, cwd=self.folder)
            self._until_ready()

    def stop(self) -> None:
        """In reverse order, each waited for: an API server without its etcd hangs."""
        for process in reversed(self._started):
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(_COMMAND_SECONDS)

    def wait(self, is_so: Callable[[], bool]) -> None:
        """Until it is so. Raises RuntimeError with the ends of the logs if that takes too long or a part has ended."""
        ends = time.monotonic() + _READY_SECONDS
        while not is_so():
            dead = [one.args for one in self._started if one.poll() is not None]
            if dead or time.monotonic() > ends:
                logs = "\n".join(f"{file.name}: {file.read_text()[-1500:]}" for file in self.folder.glob("*.log"))
                raise RuntimeError(f"The cluster doesn't come up ({dead or 'too slow'}).\n{logs}")
            time.sleep(0.1)

    def _fake_node(self, binaries: Path) -> None:
        self._run(
            binaries / "kwok",
            f"--kubeconfig={self.kubeconfig}",
            f"--config={binaries / 'stages.yaml'}",
            "--manage-all-nodes=true",
        )
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-0", "labels": {"type": "kwok"}}}
        resources = {"cpu": "1000", "memory": "1000Gi", "pods": "10000"}
        self.request("POST", "/api/v1/nodes", {**node, "status": {"capacity": resources, "allocatable": resources}})

    def _run(self, program: Path, *arguments: str) -> None:
        log = (self.folder / f"{program.name}.log").open("wb")
        self._started.append(subprocess.Popen([str(program), *arguments], stdout=log, stderr=log, cwd=self.folder))
        log.close()

    def _until_ready(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

        def is_ready() -> bool:
            try:
                urllib.request.urlopen(f"https://127.0.0.1:{self._api}/readyz", context=context, timeout=10).close()
            except OSError:
                return False
            return True

        self.wait(is_ready)

    def _write_kubeconfig(self) -> None:
        cluster = {
            "server": self.address,
            "certificate-authority": str(self.certificate),
        }
        users = [{"name": name, "user": {"token": f"{name}-token"}} for name in ("admin", "ci")]
        contexts = [
            {"name": name, "context": {"cluster": "c", "user": name, "namespace": "default"}}
            for name in ("admin", "ci")
        ]
        whole = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "admin",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": users,
            "contexts": contexts,
        }
        self.kubeconfig.write_text(json.dumps(whole))


def _passes(method: str, code: int, said: str) -> bool:
    """Whether it may be asked again."""
    is_of_storage = code in _UNKNOWN and ("etcdserver" in said or "timed out" in said)
    is_overtaken = (
        code == 409 and "the object has been modified" in said
    )  # by a controller, between two steps of the server's
    return code in _NOT_NOW or (method != "POST" and is_of_storage) or (method == "PATCH" and is_overtaken)


def _name(process: "subprocess.Popen[bytes]") -> str:
    assert isinstance(process.args, list)
    return Path(str(process.args[0])).name


@contextlib.contextmanager
def running(
    folder: Path, ports: tuple[int, int, int], *, has_fake_node: bool = True, has_controllers: bool = True
) -> Iterator[ControlPlane]:
    """A control plane until the block ends."""
    plane = ControlPlane(folder, ports, has_fake_node=has_fake_node, has_controllers=has_controllers)
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()


def main(command: str) -> int:
    if command == "build":
        sys.stdout.write(f"{build()}\n")
        return 0
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), (22379, 22380, 26443)) as plane:
        sys.stdout.write(f"{plane.kubeconfig}\n")
        sys.stdout.flush()

        def end(_number: int, _frame: FrameType | None) -> None:
            raise KeyboardInterrupt

        signal.signal(signal.SIGTERM, end)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "run"))
