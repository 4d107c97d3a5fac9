"""Accounts of git repositories: `git/repo`, a branch, tag or commit of one as a gzipped tar archive of its files.

A pipeline chooses the repository, and git reaches whatever the server can: so an account's repositories begin with its
address, and its credentials go there only.
"""

import asyncio
import base64
import io
import re
import tarfile
import tempfile
from datetime import timedelta
from pathlib import Path, PurePosixPath

from gennaker.interfaces.artifacts import ArtifactUnavailable
from gennaker.interfaces.secrets import Secrets
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.settings import ArtifactAccountSettings
from gennaker.transport.ci_http import token_of
from gennaker.transport.git import Git, Wanted
from gennaker.transport.processes import host_path

_TIMEOUT = timedelta(minutes=5)
_BRANCH = "master"
"""What Spinnaker reads where an artifact names no version."""
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_LARGEST_BYTES = 100_000_000
_PASSING = ("could not resolve", "failed to connect", "connection refused", "connection reset", "connection timed out")
_CUT = (
    "empty reply",
    "timed out",
    "early eof",
    "hung up",
    "unexpected eof",
    "unexpected disconnect",
    "transfer closed",
)
_MAY_PASS = re.compile("|".join(("error: (429|500|502|503|504)", *_PASSING, *_CUT)), re.IGNORECASE)


class RepositoryAccount:
    """One account."""

    def __init__(self, name: str, settings: ArtifactAccountSettings, *, secrets: Secrets | None = None) -> None:
        """Nothing is asked yet."""
        self.name = name
        self.types = ("git/repo",)
        self._settings = settings
        self._secrets = secrets

    async def fetch(self, artifact: JsonObject) -> bytes:
        """Clones the repository and packs its files, or of them the folder that `location` or `metadata.subPath` names."""
        repository = foreign.text_at(artifact, "reference")
        if not self._has(repository):
            raise Refused(self._not_of_it(repository))
        version = foreign.text_at(artifact, "version") or _BRANCH
        is_commit = bool(_COMMIT.match(version))
        wanted = Wanted(
            repository=repository,
            commit=version if is_commit else "",
            branch="" if is_commit else version,
            may_be_tag=True,
        )
        path = foreign.text_at(artifact, "location") or foreign.text_at(artifact.get("metadata"), "subPath")
        with tempfile.TemporaryDirectory(prefix="gennaker-repository-") as folder:
            files = await self._checked_out(wanted, Path(folder))
            return await asyncio.to_thread(_packed, files, path)

    async def _checked_out(self, wanted: Wanted, folder: Path) -> Path:
        home, files = folder / "home", folder / "files"
        home.mkdir()
        files.mkdir()
        git = Git(path=host_path(), home=home, timeout=_TIMEOUT, headers=await self._headers())
        try:
            commit = await git.clone(wanted, folder / "history")
        except Refused as refused:
            said = str(refused)
            if _MAY_PASS.search(said):
                raise ArtifactUnavailable(said) from refused
            raise Refused(*(_of_artifact(one) for one in refused.problems), status=refused.status) from refused
        await git.checkout(folder / "history", commit.hash, files)
        return files

    async def _headers(self) -> dict[str, str]:
        if not (self._settings.token or self._settings.token_file):
            return {}
        token = await token_of(self._settings, f"artifact-accounts.{self.name}", self._secrets)
        pair = base64.b64encode(f"{self._settings.username or 'token'}:{token}".encode()).decode()
        return {self._settings.address: f"Authorization: Basic {pair}"}

    def _has(self, repository: str) -> bool:
        """Whether it lies below the account's address: `https://host/team` doesn't cover `https://host/teams/x`."""
        address = self._settings.address
        if ".." in PurePosixPath(repository).parts or not repository.startswith(address):
            return False
        return repository == address or address.endswith(("/", ":")) or repository[len(address)] in "/:"

    def _not_of_it(self, repository: str) -> Problem:
        return Problem(
            code="artifact.repository",
            message=f"The repository {repository!r} isn't one of the account {self.name}: its own begin with {self._settings.address}.",
            remedy="Correct the artifact's reference, or name another account.",
        )


def _of_artifact(problem: Problem) -> Problem:
    """As an artifact's: nothing of it stands in the stage's own keys."""
    return Problem(
        code="artifact.not_given",
        message=problem.message,
        remedy="Correct the artifact's reference and version, or see whether its account may read it.",
    )


def _packed(files: Path, path: str) -> bytes:
    pure = PurePosixPath(path or ".")
    root = files / pure
    if (
        pure.is_absolute()
        or ".." in pure.parts
        or not root.is_dir()
        or not root.resolve().is_relative_to(files.resolve())
    ):
        message = f"The repository has no folder {path!r}."
        raise Refused(Problem(code="artifact.no_folder", message=message, remedy="Correct the artifact's location."))
    if sum(one.lstat().st_size for one in root.rglob("*")) > _LARGEST_BYTES:
        message = f"The repository's files are larger than {_LARGEST_BYTES:,} bytes."
        remedy = "Name the folder that is needed as the artifact's location."
        raise Refused(Problem(code="artifact.too_large", message=message, remedy=remedy))
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as archive:
        for one in sorted(files.iterdir() if root == files else (root,)):
            archive.add(one, arcname=str(one.relative_to(files)))
    return written.getvalue()
