"""The data folder: one server at a time, a token that only its owner reads, files that are never half written."""

import os
import stat
import subprocess
from pathlib import Path

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


def test_the_lock_knows_who_holds_the_folder(tmp_path: Path) -> None:
    assert folder.holder(tmp_path) is None

    held = DataFolder(tmp_path)

    assert folder.holder(tmp_path) == os.getpid()
    held.close()
    assert folder.holder(tmp_path) is None
    assert (tmp_path / "gennaker.lock").read_text().strip() == str(os.getpid())


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
    assert file.read_text() == '{"pid":1,"api":"http://127.0.0.1:1","registry":"127.0.0.1:2"}'
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
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], check=True)
    try:
        subprocess.run(["dd", "if=/dev/zero", f"of={tmp_path / 'fill'}", "bs=1k"], check=False, capture_output=True)
        with pytest.raises(Refused, match=r"can't be used: No space left on device.* --data"):
            DataFolder(tmp_path)
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)
