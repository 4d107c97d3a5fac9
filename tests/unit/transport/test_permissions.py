"""Who may read what is written: files, folders, and what the machine had before."""

import os
import stat
from pathlib import Path

import pytest

from gennaker.transport.permissions import open_private, private_files


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("open_to_all")
def test_what_is_made_meanwhile_is_its_owners_alone(tmp_path: Path) -> None:
    with private_files():
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "file").write_text("x")
    (tmp_path / "later").write_text("x")

    assert mode(tmp_path / "folder") == 0o700
    assert mode(tmp_path / "folder" / "file") == 0o600
    assert mode(tmp_path / "later") == 0o666


@pytest.mark.usefixtures("open_to_all")
def test_the_umask_comes_back_after_a_fault() -> None:
    with pytest.raises(ValueError, match="fault"), private_files():
        raise ValueError("fault")

    assert os.umask(0) == 0


@pytest.mark.usefixtures("open_to_all")
def test_a_file_can_be_made_private_by_itself(tmp_path: Path) -> None:
    with open(tmp_path / "file", "a+", opener=open_private) as opened:
        opened.write("x")

    assert mode(tmp_path / "file") == 0o600
