"""The virtual environment: makes `.venv` with the locked packages of one level; does nothing where it is as it must be.

    python3 setup/environment.py demo    what `gennaker demo` and `gennaker serve` need
    python3 setup/environment.py dev     also what tests and checks need

Standard library only: it runs under the machine's own Python. What was installed for which locks stands in
`.venv/.setup/<level>`, written last, so that an interrupted set-up is taken up again.
"""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
MARKS = VENV / ".setup"
LEVELS = ("demo", "dev")
"""Each holds the ones before it."""
LOCKED = ["--require-hashes", "--only-binary", ":all:", "--requirement"]


def main(arguments: list[str]) -> int:
    """Brings the virtual environment to the level; exit status 1 with a sentence where that fails."""
    if len(arguments) != 1 or arguments[0] not in LEVELS:
        print(f"usage: environment.py {'|'.join(LEVELS)}", file=sys.stderr)
        return 2
    level = arguments[0]
    if is_current(level):
        return 0
    started = time.monotonic()
    print(f"Setting up .venv ({level}) …", flush=True)
    try:
        install(level)
    except subprocess.CalledProcessError as failed:
        command = " ".join(str(word) for word in failed.cmd)
        print(
            f"Setting up .venv failed (`{command}` ended with status {failed.returncode}, see above): "
            "the first set-up needs the network and about 400 MB of disk; run the same command again.",
            file=sys.stderr,
        )
        return 1
    print(f"Set up .venv ({level}) in {time.monotonic() - started:.0f} s.", flush=True)
    return 0


def is_current(level: str) -> bool:
    """Whether this level, or one that holds it, was installed from the locks as they are now."""
    holding = LEVELS[LEVELS.index(level) :]
    return works() and any(
        (MARKS / held).exists() and (MARKS / held).read_text() == fingerprint(held) for held in holding
    )


def works() -> bool:
    """Whether the virtual environment's Python starts and has pip: a half-made or moved one is made anew."""
    if not PYTHON.exists():
        return False
    return subprocess.run([PYTHON, "-c", "import pip"], check=False, capture_output=True).returncode == 0


def fingerprint(level: str) -> str:
    """Changes when the locks or our own metadata (dependencies, entry points) change."""
    digest = hashlib.sha256()
    for path in (ROOT / "requirements/setup.txt", ROOT / f"requirements/{level}.txt", ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def install(level: str) -> None:
    """Installs the level's lock and the checkout itself, in place."""
    if not works():
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    pip: list[str | Path] = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, *LOCKED, ROOT / "requirements/setup.txt"])
    uv: list[str | Path] = [VENV / "bin" / "uv", "pip", "install", "--quiet", "--python", PYTHON]
    run([*uv, *LOCKED, ROOT / f"requirements/{level}.txt"])
    run([*uv, "--no-deps", "--no-build-isolation", "--reinstall-package", "gennaker", "--editable", ROOT])
    MARKS.mkdir(exist_ok=True)
    (MARKS / level).write_text(fingerprint(level))


def run(command: list[str | Path]) -> None:
    """Runs a program of the virtual environment to its end; raises CalledProcessError when it fails."""
    subprocess.run(command, check=True, cwd=ROOT, env=environment())


def environment() -> dict[str, str]:
    """Ours, with the package index that pip is set to use: uv reads no pip.conf."""
    # An index may break off or be slow for a moment: half of a set-up is none.
    variables = {"UV_HTTP_RETRIES": "6", "UV_HTTP_TIMEOUT": "120", **os.environ}
    asking: list[str | Path] = [PYTHON, "-m", "pip", "config", "get", "global.index-url"]
    index = subprocess.run(asking, check=False, capture_output=True, text=True)
    if index.returncode == 0 and index.stdout.strip():
        variables.setdefault("UV_DEFAULT_INDEX", index.stdout.strip())
    elif "PIP_INDEX_URL" in variables:
        variables.setdefault("UV_DEFAULT_INDEX", variables["PIP_INDEX_URL"])
    return variables


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
