"""The data folder: one server at a time, a token that only its owner reads, files that are never half written."""

import contextlib
import errno
import fcntl
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gennaker.model.problems import Refused
from gennaker.model.server_file import ServerFile
from gennaker.transport import folder
from gennaker.transport.folder import DataFolder


def test_a_second_server_is_told_who_runs_already(tmp_path: Path) -> None:
    first = DataFolder(tmp_path / "data")

    with pytest.raises(Refused, match=rf"already running \(pid {os.getpid()}\)") as caught:
        DataFolder(tmp_path / "data")
    assert caught.value.status == 409

    first.close()
    DataFolder(tmp_path / "data").close()


def test_a_lock_file_that_somebody_removes_lets_no_second_server_in(tmp_path: Path) -> None:
    first = DataFolder(tmp_path / "data")
    first.announce(ServerFile(pid=os.getpid(), api="http://127.0.0.1:1", registry="127.0.0.1:2"))
    (tmp_path / "data" / "gennaker.lock").unlink()

    with pytest.raises(Refused, match=rf"already running \(pid {os.getpid()}\)") as caught:
        DataFolder(tmp_path / "data")

    assert caught.value.status == 409
    assert folder.holder(tmp_path / "data") == os.getpid()
    first.close()
    DataFolder(tmp_path / "data").close()


def test_the_lock_knows_who_holds_the_folder(tmp_path: Path) -> None:
    assert folder.holder(tmp_path) is None

    held = DataFolder(tmp_path)

    assert folder.holder(tmp_path) == os.getpid()
    held.close()
    assert folder.holder(tmp_path) is None
    assert (tmp_path / "gennaker.lock").read_bytes() == b""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """As `flock PATH` does, the usual way to back a folder up."""
    opened = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def left_by_a_killed_server(path: Path, pid: int) -> None:
    DataFolder(path).close()
    (path / "gennaker.lock").write_text(f"{pid}\n")
    announced = ServerFile(pid=pid, api="http://127.0.0.1:1", registry="127.0.0.1:2", process="another")
    (path / "server.json").write_bytes(msgspec.json.encode(announced))


def test_somebody_elses_lock_makes_no_server_of_what_a_killed_one_wrote_down(tmp_path: Path) -> None:
    left_by_a_killed_server(tmp_path, os.getpid())

    with locked(tmp_path):
        with pytest.raises(Refused, match=r"somebody else has locked .*backup") as caught:
            folder.holder(tmp_path)
        assert caught.value.status == 409
        assert not folder.is_served(tmp_path)
        with pytest.raises(Refused, match="somebody else has locked"):
            DataFolder(tmp_path)

    DataFolder(tmp_path).close()


OF_A_CONTAINER = b"OWN ID\nanother\n"


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"0\n", b"-1\n", b"12345678901234567890\n", b"\xc2\xb2\n", OF_A_CONTAINER]
)
def test_a_lock_file_that_names_no_process_stands_for_none(tmp_path: Path, content: bytes) -> None:
    held = DataFolder(tmp_path)
    (tmp_path / "gennaker.lock").write_bytes(content.replace(b"OWN ID", str(os.getpid()).encode()))
    (tmp_path / "server.json").write_bytes(b'{"pid":1,"api":"\xff"}')

    with pytest.raises(Refused, match="doesn't say which process it is"):
        folder.holder(tmp_path)
    with pytest.raises(Refused, match=r"already running \(pid unknown\)"):
        DataFolder(tmp_path)

    assert folder.is_served(tmp_path)
    held.announce(ServerFile(pid=os.getpid(), api="http://127.0.0.1:1", registry="127.0.0.1:2"))
    assert folder.holder(tmp_path) == os.getpid()
    held.close()


@pytest.mark.parametrize("number", [errno.EISDIR, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP, errno.EIO])
def test_a_file_system_that_locks_no_folders_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    lock = fcntl.flock

    def refuse_folders(opened: int, operation: int) -> None:
        if stat.S_ISDIR(os.fstat(opened).st_mode):
            raise OSError(number, os.strerror(number))
        lock(opened, operation)

    monkeypatch.setattr(fcntl, "flock", refuse_folders)
    held = DataFolder(tmp_path)

    assert held.lacks == os.strerror(number)
    assert folder.holder(tmp_path) == os.getpid()
    with pytest.raises(Refused, match="already running"):
        DataFolder(tmp_path)
    held.close()
    assert folder.holder(tmp_path) is None


@pytest.mark.usefixtures("open_to_all")
def test_the_folder_and_its_lock_are_its_owners_alone(tmp_path: Path) -> None:
    DataFolder(tmp_path / "deep" / "data").close()

    assert stat.S_IMODE((tmp_path / "deep" / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "deep" / "data" / "gennaker.lock").stat().st_mode) == 0o600


def test_the_token_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    held = DataFolder(tmp_path)

    assert held.token("one") == "one"
    assert held.token("two") == "one"
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    held.close()


def test_an_empty_token_is_none(tmp_path: Path) -> None:
    held = DataFolder(tmp_path)
    (tmp_path / "token").write_text("\n")

    assert held.token("new") == "new"
    held.close()


def test_a_token_that_can_not_be_read_is_said(tmp_path: Path) -> None:
    held = DataFolder(tmp_path)
    (tmp_path / "token").mkdir()

    with pytest.raises(Refused, match=r"The token .* can't be read"):
        held.token("new")
    held.close()


def test_the_announcement_is_there_while_the_server_is(tmp_path: Path) -> None:
    held = DataFolder(tmp_path)

    held.announce(ServerFile(pid=1, api="http://127.0.0.1:1", registry="127.0.0.1:2"))

    file = tmp_path / "server.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert msgspec.json.decode(file.read_bytes(), type=ServerFile) == ServerFile(
        pid=1, api="http://127.0.0.1:1", registry="127.0.0.1:2", process=folder.process_of(1)
    )
    assert sorted(one.name for one in tmp_path.iterdir()) == ["gennaker.lock", "server.json"]
    held.close()
    assert not file.exists()


def test_a_folder_that_can_not_be_used_is_said_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(Refused, match=r"can't be used: .* name another folder with --data"):
        DataFolder(tmp_path / "file" / "data")


@pytest.mark.root
@pytest.mark.slow
def test_a_disk_without_a_byte_left_is_said_with_what_to_do(tmp_path: Path) -> None:
    """Closing what couldn't be written tries to write it once more."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], check=True, timeout=600)
    try:
        subprocess.run(
            ["dd", "if=/dev/zero", f"of={tmp_path / 'fill'}", "bs=1k"], check=False, capture_output=True, timeout=600
        )
        with pytest.raises(Refused, match=r"can't be used: No space left on device.* --data"):
            DataFolder(tmp_path)
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True, timeout=600)
