"""The demo's git repository: a bare one that people push to, and a clone in which new versions are committed."""

import os
import shutil
import subprocess
import sys
from importlib.resources import as_file, files
from pathlib import Path

from gennaker.model.problems import Problem, Refused

BRANCH = "main"
PROJECT = "acme"
SLUG = "storefront"
_AUTHOR = {
    "GIT_AUTHOR_NAME": "Demo",
    "GIT_AUTHOR_EMAIL": "demo@example.org",
    "GIT_COMMITTER_NAME": "Demo",
    "GIT_COMMITTER_EMAIL": "demo@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}
_HOOK = """#!/bin/sh
exec {python} -m gennaker.plugins.git.post_receive
"""


class DemoRepository:
    """A bare repository with a hook that tells Gennaker of pushes, and a work tree."""

    def __init__(self, folder: Path) -> None:
        """Nothing is made before `create`."""
        self.bare = folder / f"{SLUG}.git"
        self.work = folder / SLUG

    def create(self, *, webhook: str, secret: str) -> None:
        """Makes both, with the sample's files committed but not pushed."""
        _git(self.bare.parent, "init", "--quiet", "--bare", f"--initial-branch={BRANCH}", str(self.bare))
        for key, value in (("url", webhook), ("secret", secret), ("project", PROJECT), ("slug", SLUG)):
            _git(self.bare, "config", f"gennaker.{key}", value)
        hook = self.bare / "hooks" / "post-receive"
        hook.write_text(_HOOK.format(python=sys.executable))
        hook.chmod(0o755)
        _git(self.bare.parent, "clone", "--quiet", str(self.bare), str(self.work))
        _git(self.work, "checkout", "--quiet", "-B", BRANCH)
        with as_file(files("gennaker.demo") / "sample") as sample:
            shutil.copytree(sample, self.work, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        self.commit("Begin the storefront: shop, cart and their shared library")

    def commit(self, message: str) -> str:
        """Commits everything in the work tree; returns the hash."""
        _git(self.work, "add", "--all")
        _git(self.work, "commit", "--quiet", "--allow-empty", "-m", message)
        return _git(self.work, "rev-parse", "HEAD").stdout.strip()

    def push(self) -> str:
        """Pushes; returns what the hook said on the pusher's terminal."""
        return _git(self.work, "push", "--quiet", "origin", BRANCH).stderr.strip()


def _git(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Raises Refused with what git says if it fails."""
    environment = {**os.environ, **_AUTHOR}
    try:
        return subprocess.run(
            ["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True
        )
    except FileNotFoundError as error:
        raise Refused(
            Problem(
                code="demo.no_git",
                message="The demo needs git, which is not installed here.",
                remedy="Install it, and start the demo again.",
            )
        ) from error
    except subprocess.CalledProcessError as failed:
        raise Refused(
            Problem(
                code="demo.git",
                message=f"`git {arguments[0]}` has failed in {folder}: {failed.stderr.strip()}",
                remedy="See to what it says, and start the demo again.",
            )
        ) from failed
