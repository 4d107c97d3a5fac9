"""Git repositories for tests: real ones, with commits whose hashes are the same in every run."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import gennaker.demo

SAMPLE = Path(gennaker.demo.__file__).parent / "sample"
"""The demo's monorepo of two services."""
_TIME = 1_790_000_000
_SECONDS = 120.0


class GitRepository:
    """A repository with a work tree."""

    def __init__(self, folder: Path) -> None:
        """Makes an empty one."""
        self.folder = folder
        self._commits = 0
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    @classmethod
    def of_sample(cls, folder: Path) -> "GitRepository":
        """The sample, committed."""
        made = cls(folder)
        shutil.copytree(SAMPLE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
        made.commit("Begin the storefront")
        return made

    def commit(self, subject: str, files: Mapping[str, str] | None = None) -> str:
        """Writes the files, commits everything, returns the hash."""
        for name, text in (files or {}).items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", subject)
        self._commits += 1
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *words: str) -> str:
        """Runs git in the work tree."""
        at = f"{_TIME + self._commits * 60} +0000"
        who = {"NAME": "Ada", "EMAIL": "ada@example.org", "DATE": at}
        people = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}
        environment = {"PATH": os.defpath, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **people}
        done = subprocess.run(
            ["git", *words],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=_SECONDS,
        )
        return done.stdout
