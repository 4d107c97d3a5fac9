"""`make demo-containers`: the demo with its services as containers of Podman, whose engine is started before and gone afterwards."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType

from tests.fakes import engines
from tests.free_ports import free_port

from gennaker.demo import running, where
from gennaker.demo.telling import Teller
from gennaker.model.problems import Refused

_PROGRAMS = ("podman", "runc")


def main(words: list[str]) -> int:
    """The demo's exit status; 1 if there can be no engine, or if something of it is left."""
    if words not in ([], ["--keep"]):
        return _refused(f"It takes --keep or nothing, not {' '.join(words)}.")
    if said := _problem():
        return _refused(said)
    teller = Teller()
    folder = Path(tempfile.mkdtemp(prefix="gennaker-containers-"))
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        status, running_still = _on_engine(folder, teller, keep="--keep" in words)
    except KeyboardInterrupt:
        return _refused("interrupted")
    except (Refused, TimeoutError, AssertionError, subprocess.SubprocessError) as failure:
        return _refused(str(failure))
    teller.check("no container outlived the demo", holds=not running_still, found=running_still)
    shutil.rmtree(folder)
    left = [line for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line]
    teller.check("nothing of the engine is left", holds=not left, found=left)
    return status or int(bool(running_still or left))


def _on_engine(folder: Path, teller: Teller, *, keep: bool) -> tuple[int, list[str]]:
    """The story's exit status, and the containers that ran when it was over."""
    port = free_port()
    with engines.service(folder / "root", f"127.0.0.1:{port}") as (address, podman):
        with teller.step("A container engine is up"):
            version = subprocess.run([*podman, "--version"], capture_output=True, text=True, timeout=60, check=True)
        teller.note(version.stdout.strip())
        status = running.run(data=None, config=None, flags=(), keep=keep, where=where.Containers(address, port))
        listed = [*podman, "ps", "--format", "{{.Names}}"]
        found = subprocess.run(listed, capture_output=True, text=True, timeout=60, check=True)
        return status, found.stdout.split()


def _problem() -> str:
    """Why there can be no engine on this machine; empty: there can."""
    if os.geteuid() != 0:
        return "This demo's engine needs root."
    missing = [one for one in _PROGRAMS if shutil.which(one) is None]
    return (
        f"Programs are missing: {', '.join(missing)}. On Debian: apt-get install {' '.join(missing)}."
        if missing
        else ""
    )


def _refused(said: str) -> int:
    sys.stderr.write(f"{said}\n")
    return 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
