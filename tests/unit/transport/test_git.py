"""Git: exact commits, and nothing of a repository is run."""

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from tests.git_repositories import GitRepository

from gennaker.model.problems import Refused
from gennaker.transport.git import Git, Wanted, without_credentials
from gennaker.transport.permissions import private_files
from gennaker.transport.processes import host_path

pytestmark = pytest.mark.slow


@pytest.fixture
def git(tmp_path: Path) -> Git:
    (tmp_path / "home").mkdir()
    return Git(path=host_path(), home=tmp_path / "home", timeout=timedelta(seconds=30))


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return GitRepository(tmp_path / "repository")


def checked_out(git: Git, wanted: Wanted, folder: Path) -> dict[str, str]:
    """The commit's files."""
    (folder / "files").mkdir(parents=True)

    async def check_out() -> None:
        commit = await git.clone(wanted, folder / "history")
        await git.checkout(folder / "history", commit.hash, folder / "files")

    asyncio.run(check_out())
    files = [path for path in (folder / "files").rglob("*") if path.is_file()]
    return {str(path.relative_to(folder / "files")): path.read_text() for path in files}


def test_the_files_are_exactly_the_commits(git: Git, repository: GitRepository, tmp_path: Path) -> None:
    first = repository.commit("One", {"a/b.txt": "1", "gone.txt": "x"})
    repository.git("rm", "-q", "gone.txt")
    second = repository.commit("Two", {"a/b.txt": "2"})
    name = str(repository.folder)

    assert checked_out(git, Wanted(repository=name, commit=first), tmp_path / "1") == {"a/b.txt": "1", "gone.txt": "x"}
    assert checked_out(git, Wanted(repository=name, commit=second[:10]), tmp_path / "2") == {"a/b.txt": "2"}
    assert checked_out(git, Wanted(repository=name, branch="main"), tmp_path / "3") == {"a/b.txt": "2"}
    assert checked_out(git, Wanted(repository=f"file://{name}"), tmp_path / "4") == {"a/b.txt": "2"}


def test_the_files_are_as_on_any_machine_whoever_asks(git: Git, repository: GitRepository, tmp_path: Path) -> None:
    """A tool that builds an image takes their permissions over."""
    repository.commit("One", {"folder/file": "1"})

    with private_files():
        checked_out(git, Wanted(repository=str(repository.folder)), tmp_path / "1")

    modes = [(tmp_path / "1" / "files" / name).stat().st_mode & 0o777 for name in ("folder", "folder/file")]
    assert modes == [0o755, 0o644]


def test_a_commit_that_no_branch_holds_any_more_is_found(git: Git, repository: GitRepository, tmp_path: Path) -> None:
    repository.git("config", "uploadpack.allowAnySHA1InWant", "true")
    repository.commit("One", {"a": "1"})
    lost = repository.commit("Two", {"a": "2"})
    repository.git("reset", "--quiet", "--hard", "HEAD~1")

    assert checked_out(git, Wanted(repository=str(repository.folder), commit=lost), tmp_path / "1") == {"a": "2"}


def test_hooks_and_filters_of_a_repository_do_not_run(git: Git, repository: GitRepository, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    hook = repository.folder / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
    hook.chmod(0o755)
    repository.git("config", "filter.evil.smudge", f"touch {ran}; cat")
    repository.git("config", "core.fsmonitor", f"touch {ran}; true")
    repository.git("config", "uploadpack.packObjectsHook", f"touch {ran}; true")
    repository.commit("One", {"a.txt": "1", ".gitattributes": "* filter=evil\n"})
    ran.unlink(missing_ok=True)

    files = checked_out(git, Wanted(repository=str(repository.folder)), tmp_path / "1")

    assert files == {"a.txt": "1", ".gitattributes": "* filter=evil\n"}
    assert not ran.exists()


def test_the_history_between_two_commits_is_told_newest_first(
    git: Git, repository: GitRepository, tmp_path: Path
) -> None:
    hashes = [repository.commit(f"Change – {n}", {f"{'ab'[n % 2]}/x": str(n)}) for n in range(4)]

    async def look() -> tuple[list[str], list[str], list[str]]:
        history = tmp_path / "history"
        newest = await git.clone(Wanted(repository=str(repository.folder)), history)
        assert newest.hash == hashes[3]
        assert newest.author == "Ada"
        found = [
            await git.log(history, newest.hash, since=hashes[0]),
            await git.log(history, newest.hash, paths=("a",)),
            await git.log(history, newest.hash, limit=1),
        ]
        told = [[commit.subject for commit in commits] for commits in found]
        return told[0], told[1], told[2]

    assert asyncio.run(look()) == (
        ["Change – 3", "Change – 2", "Change – 1"],
        ["Change – 2", "Change – 0"],
        ["Change – 3"],
    )


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted(repository="/nowhere"), "there is no such folder"),
        (Wanted(repository="/tmp"), "repository '/tmp' does not exist"),
        (Wanted(repository="repository.git"), "neither an absolute path nor the address"),
        (Wanted(repository="-c"), "neither an absolute path nor the address"),
        (Wanted(repository="ext::sh -c id"), "neither an absolute path nor the address"),
        (Wanted(repository="http://user:secret@127.0.0.1:9/a.git"), "http://127.0.0.1:9/a.git can't be read"),
        (Wanted(repository="", commit="HEAD"), "neither an absolute path"),
    ],
)
def test_a_repository_that_cannot_be_read_is_refused(git: Git, tmp_path: Path, wanted: Wanted, said: str) -> None:
    with pytest.raises(Refused) as caught:
        asyncio.run(git.clone(wanted, tmp_path / "history"))

    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("commit", "branch", "said"),
    [
        ("f" * 40, "", f"has no commit {'f' * 40}"),
        ("--all", "", "'--all' is not a commit's hash"),
        ("main", "", "'main' is not a commit's hash"),
        ("", "other", "has no branch 'other'"),
        ("", "--all", "has no branch '--all'"),
    ],
)
def test_a_commit_that_there_is_not_is_refused(
    git: Git, repository: GitRepository, tmp_path: Path, commit: str, branch: str, said: str
) -> None:
    repository.commit("One", {"a": "1"})

    with pytest.raises(Refused) as caught:
        asyncio.run(git.clone(Wanted(repository=str(repository.folder), commit=commit, branch=branch), tmp_path / "h"))

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("said", "status", "problem"),
    [
        ("", 422, "has no commit"),
        ("fatal: unable to access 'x': The requested URL returned error: 503", 502, "returned error: 503"),
    ],
    ids=["the repository answers", "the line is down"],
)
def test_a_commit_that_could_not_be_asked_for_is_not_said_to_be_unknown(
    repository: GitRepository, tmp_path: Path, *, said: str, status: int, problem: str
) -> None:
    repository.commit("One", {"a": "1"})
    programs = tmp_path / "programs"
    programs.mkdir()
    real = shutil.which("git", path=host_path())
    fails = f'for word; do [ "$word" != fetch ] || {{ echo "{said}" >&2; exit 128; }}; done'
    (programs / "git").write_text(f'#!/bin/sh\n{fails if said else ""}\nexec {real} "$@"\n')
    (programs / "git").chmod(0o755)
    asked = Git(path=f"{programs}:{host_path()}", home=tmp_path, timeout=timedelta(seconds=60))
    wanted = Wanted(repository=f"file://{repository.folder}", commit="f" * 40)

    with pytest.raises(Refused, match=problem) as refused:
        asyncio.run(asked.clone(wanted, tmp_path / "history"))

    assert refused.value.status == status


def test_an_empty_repository_is_refused(git: Git, repository: GitRepository, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="has no commit yet"):
        asyncio.run(git.clone(Wanted(repository=str(repository.folder)), tmp_path / "history"))


def test_git_is_stopped_at_its_time_limit(repository: GitRepository, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (programs / "git").chmod(0o755)
    slow = Git(path=f"{programs}:{host_path()}", home=tmp_path, timeout=timedelta(seconds=0.2))

    with pytest.raises(Refused, match=r"git did not finish within 0\.2 s"):
        asyncio.run(slow.clone(Wanted(repository=str(repository.folder)), tmp_path / "history"))


def test_a_machine_without_git_says_so(repository: GitRepository, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="git is not installed"):
        asyncio.run(
            Git(path=str(tmp_path), home=tmp_path, timeout=timedelta(seconds=1)).clone(
                Wanted(repository=str(repository.folder)), tmp_path / "history"
            )
        )


def test_credentials_are_not_shown() -> None:
    assert without_credentials("https://ada:secret@example.org/a.git") == "https://example.org/a.git"
    assert without_credentials("git@example.org:a.git") == "git@example.org:a.git"
