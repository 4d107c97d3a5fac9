"""Git: an exact commit of a repository as files, and its history. Reads only; nothing of a repository is ever run.

The `git` program does the work, as a child of its own with a time limit. It gets an environment of its own: no system or
user configuration, no hooks, no prompts, no filters, no submodules, and only transports that start no other program than ssh.
"""

import os
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from gennaker.model.problems import Problem, Refused
from gennaker.transport import children
from gennaker.transport.children import Place
from gennaker.transport.permissions import ORDINARY_UMASK

_HASH = re.compile(r"[0-9a-f]{7,64}\Z")
_ADDRESS = re.compile(r"(https?|ssh|git|file)://", re.IGNORECASE)
_SSH_ADDRESS = re.compile(r"[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:[^:]")
_USER_INFO = re.compile(r"://[^/@]*@")
_UNKNOWN_THERE = re.compile(r"not our ref|couldn't find remote ref|unadvertised object|want [0-9a-f]+ not valid")
"""Where git says so, the other side has answered, and doesn't give the commit."""
_TAIL_LINES = 5
_OPTIONS = (
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.attributesFile", os.devnull),
    ("advice.detachedHead", "false"),
    ("submodule.recurse", "false"),
    ("log.showSignature", "false"),
    ("i18n.logOutputEncoding", "UTF-8"),
    ("gc.auto", "0"),
)
_FIELD, _FORMAT = "\x1f", "%H%x1f%an%x1f%ct%x1f%s"


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """A commit as release notes show it."""

    hash: str
    subject: str
    author: str
    at: datetime
    """When it was committed."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which commit of which repository."""

    repository: str
    """Path of this machine, or address (https, http, ssh, git, file; also `user@host:path`)."""
    commit: str = ""
    """Its hash; empty: the newest of the branch."""
    branch: str = ""
    """Empty: the repository's own (HEAD)."""
    may_be_tag: bool = False
    """Where there is no such branch, the tag of that name is taken."""


class GitFailed(Exception):
    """Git ended with a status other than 0."""

    def __init__(self, output: str) -> None:
        """The output's last lines say why."""
        lines = [line.removeprefix("fatal: ") for line in output.strip().splitlines()]
        super().__init__("\n".join(lines[-_TAIL_LINES:]).rstrip("."))


class Git:
    """Git with one search path and one home folder."""

    def __init__(self, *, path: str, home: Path, timeout: timedelta, headers: Mapping[str, str] | None = None) -> None:
        """`path`: where git is looked for. `home`: an empty folder. `timeout`: of each operation.

        `headers`: an HTTP header by the beginning of the addresses that get it.
        """
        self._path = path
        self._home = home
        self._headers = headers or {}
        self._timeout = timeout

    async def clone(self, wanted: Wanted, history: Path) -> Commit:
        """Makes a bare copy of the repository that holds the commit. `history` must not exist. Raises Refused.

        The copy shares nothing with its source.
        """
        _check(wanted)
        try:
            await self._run(
                "clone", "--quiet", "--bare", "--no-local", "--template=", "--", wanted.repository, str(history)
            )
        except GitFailed as error:
            # An address may answer a moment later; a path won't.
            status = 502 if is_address(wanted.repository) else 404
            raise Refused(_no_repository(wanted, str(error)), status=status) from error
        return await self._find(wanted, history)

    async def checkout(self, history: Path, commit: str, files: Path) -> None:
        """Puts the commit's files into a folder that exists; no `.git` among them. Raises Refused."""
        place = (f"--git-dir={history}", f"--work-tree={files}", "-c", "core.bare=false")
        try:
            await self._run(*place, "checkout", "--quiet", "--force", "--detach", commit)
        except GitFailed as error:
            message = f"The files of commit {commit[:12]} can't be written: {error}"
            raise Refused(Problem(code="git.not_checked_out", message=message), status=500) from error

    async def log(
        self, history: Path, until: str, *, since: str = "", paths: tuple[str, ...] = (), limit: int = 50
    ) -> tuple[Commit, ...]:
        """Commits up to one, newest first: those that `since` doesn't have, that touch the paths. Raises Refused."""
        span = f"{since}..{until}" if since else until
        words = ["log", "-z", f"--format={_FORMAT}", f"--max-count={limit}", "--end-of-options", span, "--", *paths]
        try:
            output = await self._run(f"--git-dir={history}", "--literal-pathspecs", *words)
        except GitFailed as error:
            message = f"The history from {since or 'the beginning'} to {until} can't be read: {error}"
            raise Refused(Problem(code="git.no_history", message=message), status=422) from error
        return tuple(_commit(record) for record in output.split("\0") if record)

    async def _find(self, wanted: Wanted, history: Path) -> Commit:
        found = await self._resolve(
            history, wanted.commit or (f"refs/heads/{wanted.branch}" if wanted.branch else "HEAD")
        )
        if found is None and wanted.branch and wanted.may_be_tag and not wanted.commit:
            found = await self._resolve(history, f"refs/tags/{wanted.branch}")
        if found is None and wanted.commit:
            # It may be reachable from no branch any more: the branch was moved while the build waited.
            try:
                await self._run(f"--git-dir={history}", "fetch", "--quiet", "origin", wanted.commit)
            except GitFailed as error:
                raise _not_fetched(wanted, str(error)) from error
            found = await self._resolve(history, wanted.commit)
        if found is None:
            raise Refused(_unknown_commit(wanted) if wanted.commit else _unknown_branch(wanted), status=422)
        return (await self.log(history, found, limit=1))[0]

    async def _resolve(self, history: Path, name: str) -> str | None:
        words = ["rev-parse", "--quiet", "--verify", "--end-of-options", name + "^{commit}"]
        try:
            return (await self._run(f"--git-dir={history}", *words)).strip()
        except GitFailed:
            return None

    async def _run(self, *words: str) -> str:
        program = shutil.which("git", path=self._path)
        if program is None:
            message = "The program git is not installed on this machine."
            raise Refused(Problem(code="git.not_installed", message=message, remedy="Install git."), status=422)
        environment = _environment(self._path, self._home, self._headers)
        place = Place(environment=environment, folder=self._home, umask=ORDINARY_UMASK)
        seconds = self._timeout.total_seconds()
        try:
            ended = await children.run((program, *words), place, seconds=seconds)
        except TimeoutError as error:
            message = f"git did not finish within {seconds:g} s and was stopped."
            remedy = "Look whether the repository's address answers."
            raise Refused(Problem(code="git.timeout", message=message, remedy=remedy), status=504) from error
        if ended.status != 0:
            raise GitFailed(ended.errors.decode(errors="replace"))
        return ended.output.decode(errors="replace")


def without_credentials(repository: str) -> str:
    """The repository as it may be shown: an address without user and password."""
    return _USER_INFO.sub("://", repository)


def is_address(repository: str) -> bool:
    """Whether it names a repository by address, not by a path of this machine."""
    return bool(_ADDRESS.match(repository) or _SSH_ADDRESS.match(repository))


def _check(wanted: Wanted) -> None:
    repository = wanted.repository
    is_path = repository.startswith("/")
    if not is_path and not is_address(repository):
        message = f"{without_credentials(repository)!r} is neither an absolute path nor the address of a repository."
        remedy = "Write /path/to/repository.git, https://host/name.git or ssh://user@host/name.git."
        raise Refused(Problem(code="git.address", message=message, remedy=remedy, pointer="/repository"), status=422)
    if is_path and not Path(repository).is_dir():
        raise Refused(_no_repository(wanted, "there is no such folder"), status=404)
    if wanted.commit and not _HASH.match(wanted.commit):
        message = f"{wanted.commit!r} is not a commit's hash."
        remedy = "Give 7 to 64 hexadecimal digits, or a branch and no commit."
        raise Refused(Problem(code="git.unknown_commit", message=message, remedy=remedy, pointer="/commit"), status=422)


def _environment(path: str, home: Path, headers: Mapping[str, str]) -> dict[str, str]:
    # Not as words of the command, which every user of the machine can read.
    options = (*_OPTIONS, *((f"http.{address}.extraHeader", header) for address, header in headers.items()))
    counted = {"GIT_CONFIG_COUNT": str(len(options))}
    for number, (key, value) in enumerate(options):
        counted |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {
        "PATH": path,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
        "GIT_NO_REPLACE_OBJECTS": "1",
        **counted,
    }


def _commit(record: str) -> Commit:
    name, author, at, subject = record.lstrip("\n").split(_FIELD, 3)
    return Commit(hash=name, subject=subject, author=author, at=datetime.fromtimestamp(int(at), UTC))


def _not_fetched(wanted: Wanted, said: str) -> Refused:
    if is_address(wanted.repository) and not _UNKNOWN_THERE.search(said):
        return Refused(_no_repository(wanted, said), status=502)
    return Refused(_unknown_commit(wanted), status=422)


def _no_repository(wanted: Wanted, reason: str) -> Problem:
    return Problem(
        code="git.no_repository",
        message=f"The git repository {without_credentials(wanted.repository)} can't be read: {_USER_INFO.sub('://', reason)}.",
        remedy="Check the stage's `repository` and that the server's user may read it.",
        pointer="/repository",
    )


def _unknown_commit(wanted: Wanted) -> Problem:
    return Problem(
        code="git.unknown_commit",
        message=f"The repository {without_credentials(wanted.repository)} has no commit {wanted.commit}.",
        remedy="Push it, or start the pipeline for a commit that is there.",
        pointer="/commit",
    )


def _unknown_branch(wanted: Wanted) -> Problem:
    named = f"no branch {wanted.branch!r}" if wanted.branch else "no commit yet"
    return Problem(
        code="git.unknown_branch",
        message=f"The repository {without_credentials(wanted.repository)} has {named}.",
        remedy="Push to it, or name another branch.",
        pointer="/branch",
    )
