"""Controllers of routes that take too long to build for each run of the tests: Istio's and ingress-nginx's own.

Built once from their Go modules and kept outside the checkout, as the control plane is:

    python benchmarks/surroundings/programs.py istio ingress-nginx     builds them, or says where they are
    python benchmarks/controllers.py                    shows what they make of routes
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

FOLDER = Path(__file__).parent
_SOURCES = ("go.mod", "go.sum", "tools.go")
_MADE_OF = "build"
_BUILT_WITHIN, _FETCHED_WITHIN = 7200.0, 600.0


class Controller(msgspec.Struct, frozen=True):
    """A program of a Go module."""

    module: str
    package: str


CONTROLLERS = {
    "istio": Controller("istio.io/istio", "istio.io/istio/pilot/cmd/pilot-discovery"),
    "ingress-nginx": Controller("k8s.io/ingress-nginx", "k8s.io/ingress-nginx/cmd/nginx"),
}


def build(name: str) -> Path:
    """The program; built if it isn't there, some minutes of both cores."""
    kept = _kept(name)
    program = kept / name
    if program.exists():
        return program
    kept.mkdir(parents=True, exist_ok=True)
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            fresh = kept / f"{name}.new"
            command = ["go", "build", "-mod=readonly", "-p=2", "-trimpath", "-ldflags=-s -w", "-o", str(fresh)]
            environment = {"GOCACHE": str(kept / _MADE_OF), **os.environ, "CGO_ENABLED": "0"}
            subprocess.run(
                [*command, CONTROLLERS[name].package],
                cwd=FOLDER / name,
                env=environment,
                check=True,
                timeout=_BUILT_WITHIN,
            )
            fresh.rename(program)
            shutil.rmtree(kept / _MADE_OF, ignore_errors=True)
    return program


def sources(name: str) -> Path:
    """The folder of its module, as it is fetched for building."""
    said = subprocess.run(
        ["go", "mod", "download", "-json", CONTROLLERS[name].module],
        check=True,
        capture_output=True,
        cwd=FOLDER / name,
        timeout=_FETCHED_WITHIN,
    )
    return Path(json.loads(said.stdout)["Dir"])


def _kept(name: str) -> Path:
    text = b"".join((FOLDER / name / one).read_bytes() for one in _SOURCES)
    version = subprocess.run(["go", "version"], check=True, capture_output=True, timeout=_FETCHED_WITHIN).stdout
    root = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return root / "gennaker" / name / hashlib.sha256(text + version).hexdigest()[:16]


def main(names: list[str]) -> int:
    """Builds these."""
    for name in names or CONTROLLERS:
        sys.stdout.write(f"{build(name)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
