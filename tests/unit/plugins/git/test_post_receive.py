"""The hook, in a real bare repository: what a push tells, signed, and what is said on the pusher's terminal."""

import hashlib
import hmac
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests import waiting
from tests.git_repositories import GitRepository

from gennaker.plugins.git import post_receive
from gennaker.triggers import scm, signatures

pytestmark = pytest.mark.slow
SECRET = "s3cret"
_SECONDS = 120.0
NO_HASH = "0" * 40


class Receiver:
    """An HTTP server that keeps deliveries and answers as told."""

    def __init__(self) -> None:
        self.deliveries: list[tuple[dict[str, list[str]], bytes]] = []
        self.statuses: list[int] = []
        """Answers in order; 200 where there is none."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): [value] for name, value in self.headers.items()}
                receiver.deliveries.append((headers, raw))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.end_headers()
                self.wfile.write(b"said the server")

            def log_message(self, *_: object) -> None:
                """Stays quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhooks/git/github"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(raw) for _, raw in self.deliveries]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    waiting.joined(thread)
    made.server.server_close()


@pytest.fixture
def work(tmp_path: Path, receiver: Receiver) -> GitRepository:
    bare = tmp_path / "store.git"
    made = GitRepository(tmp_path / "work")
    made.git("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    hook = bare / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    # A proxy of the environment must not come between, nor the locale turn names into something else.
    hook.write_text(
        f"#!/bin/sh\nexport http_proxy=http://127.0.0.1:1 LC_ALL=C\nexec {sys.executable} {post_receive.__file__}\n"
    )
    hook.chmod(0o755)
    for name, value in {"url": receiver.url, "secret": SECRET, "project": "acme", "slug": "store"}.items():
        made.git("-C", str(bare), "config", f"gennaker.{name}", value)
    made.git("remote", "add", "origin", str(bare))
    return made


def push(work: GitRepository, *words: str) -> str:
    """Pushes; returns what the pusher sees."""
    done = subprocess.run(
        ["git", "push", *(words or ("origin", "main"))],
        cwd=work.folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=_SECONDS,
    )
    return done.stderr


def normalised(body: dict[str, Any]) -> dict[str, Any]:
    found = scm.normalise("github", body, {})
    assert found is not None
    return found


def test_a_push_tells_its_commits_and_their_files(work: GitRepository, receiver: Receiver) -> None:
    work.commit("Begin", {"a.txt": "1", "b.txt": "1"})
    push(work)
    first = work.git("rev-parse", "HEAD").strip()
    (work.folder / "b.txt").unlink()
    second = work.commit("Change", {"a.txt": "2", "deep/c.txt": "1"})

    seen = push(work)

    body = receiver.bodies[1]
    assert (body["before"], body["after"], body["ref"]) == (first, second, "refs/heads/main")
    assert (body["created"], body["deleted"], body["forced"]) == (False, False, False)
    (commit,) = body["commits"]
    assert (commit["added"], commit["modified"], commit["removed"]) == (["deep/c.txt"], ["a.txt"], ["b.txt"])
    assert (commit["id"], commit["message"], commit["author"]["name"]) == (second, "Change", "Ada")
    content = normalised(body)
    assert (content["repoProject"], content["slug"], content["branch"], content["hash"]) == (
        "acme",
        "store",
        "main",
        second,
    )
    assert sorted(content["changedFiles"]) == ["a.txt", "b.txt", "deep/c.txt"]
    assert "Gennaker was not told" not in seen


def test_every_delivery_is_signed_over_its_bytes_and_has_an_id_of_its_own(
    work: GitRepository, receiver: Receiver
) -> None:
    for number in range(2):
        work.commit(str(number), {"a.txt": str(number)})
        push(work)

    for headers, raw in receiver.deliveries:
        assert signatures.is_accepted(SECRET, headers, raw)
        assert not signatures.is_accepted("other", headers, raw)
        wanted = hmac.new(SECRET.encode(), raw, hashlib.sha1).hexdigest()
        assert headers["x-hub-signature"] == [f"sha1={wanted}"]
        assert headers["x-github-event"] == ["push"]
    ids = {headers["x-github-delivery"][0] for headers, _ in receiver.deliveries}
    assert len(ids) == 2


def test_a_new_branch_does_not_tell_which_files_have_changed(work: GitRepository, receiver: Receiver) -> None:
    work.commit("Begin", {"a.txt": "1"})

    push(work, "origin", "main", "main:feature/x")

    by_branch = {normalised(body)["branch"]: normalised(body) for body in receiver.bodies}
    assert set(by_branch) == {"main", "feature/x"}
    assert all(body["created"] for body in receiver.bodies)
    assert {content["changedFiles"] for content in by_branch.values()} == {None}


def test_a_forced_push_is_told_as_one(work: GitRepository, receiver: Receiver) -> None:
    work.commit("Begin", {"a.txt": "1"})
    work.commit("Wrong", {"a.txt": "2"})
    push(work)
    work.git("reset", "--quiet", "--hard", "HEAD~1")
    work.commit("Right", {"b.txt": "2"})

    push(work, "--force", "origin", "main")

    assert receiver.bodies[1]["forced"] is True
    assert normalised(receiver.bodies[1])["changedFiles"] is None


def test_a_deleted_branch_is_told_without_commits(work: GitRepository, receiver: Receiver) -> None:
    work.commit("Begin", {"a.txt": "1"})
    push(work, "origin", "main", "main:gone")

    push(work, "origin", ":gone")

    body = receiver.bodies[-1]
    assert (body["deleted"], body["after"], body["commits"], body["head_commit"]) == (True, NO_HASH, [], None)


def test_of_many_commits_the_newest_twenty_are_told_and_nobody_claims_to_know_all_files(
    work: GitRepository, receiver: Receiver
) -> None:
    work.commit("Begin", {"a.txt": "0"})
    push(work)
    for number in range(25):
        work.commit(f"Step {number}", {f"{number}.txt": "1"})

    push(work)

    body = receiver.bodies[1]
    assert [commit["message"] for commit in body["commits"]] == [f"Step {number}" for number in range(5, 25)]
    assert body["head_commit"]["message"] == "Step 24"
    assert normalised(body)["changedFiles"] is None


def test_a_merge_tells_the_files_of_its_branch_and_those_that_only_it_changed(
    work: GitRepository, receiver: Receiver
) -> None:
    work.commit("Begin", {"a.txt": "1"})
    push(work)
    work.git("checkout", "--quiet", "-b", "side")
    work.commit("Side", {"side.txt": "1"})
    work.git("checkout", "--quiet", "main")
    work.commit("Main", {"main.txt": "1"})
    work.git("merge", "--quiet", "--no-commit", "side")
    work.commit("Merge", {"a.txt": "changed by the merge itself"})

    push(work)

    assert sorted(normalised(receiver.bodies[1])["changedFiles"]) == ["a.txt", "main.txt", "side.txt"]


def test_names_and_messages_arrive_as_they_are(work: GitRepository, receiver: Receiver) -> None:
    work.commit("Begin", {"a.txt": "1"})
    push(work)
    work.commit('Über "alles"\n\nbody', {"dir with space/é.txt": "1", 'quo"te.txt': "1", "tab\there.txt": "1"})

    push(work)

    (commit,) = receiver.bodies[1]["commits"]
    assert commit["message"] == 'Über "alles"'
    assert sorted(commit["added"]) == ["dir with space/é.txt", 'quo"te.txt', "tab\there.txt"]


def test_a_wrong_secret_is_said_on_the_terminal_and_the_push_stands(work: GitRepository, receiver: Receiver) -> None:
    receiver.statuses = [401]
    work.commit("Begin", {"a.txt": "1"})

    seen = push(work)

    assert "Gennaker was not told of this push: 401 said the server" in seen
    assert len(receiver.deliveries) == 1
    again = next(line for line in seen.splitlines() if "To tell it again: " in line).partition("To tell it again: ")[2]
    subprocess.run(again, shell=True, check=True, capture_output=True, timeout=_SECONDS)  # noqa: S602 - what a person is told to paste
    assert receiver.bodies[0] == receiver.bodies[1]
    assert work.git("ls-remote", "origin", "main").split()[0] == work.git("rev-parse", "HEAD").strip()


def test_a_server_that_is_not_up_is_asked_again_with_the_same_id(receiver: Receiver) -> None:
    receiver.statuses = [503, 502]

    assert post_receive.deliver(receiver.url, SECRET, b"{}", "id-1", pauses=(0, 0)) == ""

    assert [headers["x-github-delivery"] for headers, _ in receiver.deliveries] == [["id-1"]] * 3


def test_after_three_attempts_it_is_said(receiver: Receiver) -> None:
    receiver.statuses = [503] * 9

    assert post_receive.deliver(receiver.url, "", b"{}", "id", pauses=(0, 0)) == "503 said the server"
    assert len(receiver.deliveries) == 3


def test_nobody_there_is_said(receiver: Receiver) -> None:
    nowhere = receiver.url.replace(str(receiver.server.server_port), "1")

    assert "refused" in post_receive.deliver(nowhere, "", b"{}", "id", pauses=())


def test_a_hook_that_is_not_set_up_says_what_to_set(work: GitRepository, tmp_path: Path) -> None:
    work.git("-C", str(tmp_path / "store.git"), "config", "--unset", "gennaker.url")
    work.commit("Begin", {"a.txt": "1"})

    assert "gennaker.url is not set" in push(work)


def test_without_a_secret_nothing_is_signed(work: GitRepository, receiver: Receiver, tmp_path: Path) -> None:
    work.git("-C", str(tmp_path / "store.git"), "config", "--unset", "gennaker.secret")
    work.commit("Begin", {"a.txt": "1"})

    push(work)

    assert not [name for name in receiver.deliveries[0][0] if name.startswith("x-hub")]
