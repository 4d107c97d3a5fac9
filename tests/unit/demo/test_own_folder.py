"""The demo's folder: made if need be; one that won't do is refused with what to do instead."""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gennaker.demo import own_folder
from gennaker.model.problems import Refused
from gennaker.transport.folder import DataFolder

AT_ONCE = 8


def refused(folder: Path) -> str:
    with pytest.raises(Refused) as caught:
        own_folder.claim(folder)
    return str(caught.value)


def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"

    own_folder.claim(folder)

    assert [one.stat().st_mode & 0o777 for one in (folder, folder / "demo")] == [0o700, 0o700]
    assert [one.name for one in folder.iterdir()] == ["demo"]


def test_files_that_no_demo_makes_are_not_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    own_folder.claim(tmp_path)

    assert (tmp_path / "demo").is_dir()


def test_of_demos_that_start_together_one_gets_the_folder(tmp_path: Path) -> None:
    def claims(_: int) -> bool:
        try:
            own_folder.claim(tmp_path / "folder")
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(AT_ONCE) as pool:
        got_it = list(pool.map(claims, range(AT_ONCE)))

    assert sorted(got_it) == [False] * (AT_ONCE - 1) + [True]


@pytest.mark.parametrize(
    ("left", "whose"), [("demo", "An earlier demo"), ("gennaker.db", "A server"), ("gennaker.lock", "A server")]
)
def test_what_an_earlier_demo_or_a_server_has_left_is_not_touched(tmp_path: Path, left: str, whose: str) -> None:
    (tmp_path / left).touch()

    said = refused(tmp_path)

    assert f"{whose} has left its data in {tmp_path}." in said
    assert "Name another folder with --data" in said
    assert [one.name for one in tmp_path.iterdir()] == [left]


@pytest.mark.parametrize("whose", ["demo", "server"])
def test_who_is_running_there_is_named(tmp_path: Path, whose: str) -> None:
    if whose == "demo":
        own_folder.claim(tmp_path)
    held = DataFolder(tmp_path)
    try:
        said = refused(tmp_path)
    finally:
        held.close()

    assert f"A {whose} is running (pid {os.getpid()}) in {tmp_path}." in said


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")

    assert f"can't use the folder {file}" in refused(file)
    assert "Not a directory" in refused(file / "below")


def test_a_folder_of_the_system_is_refused_even_to_root() -> None:
    assert "can't use the folder /proc/gennaker-demo" in refused(Path("/proc/gennaker-demo"))


def test_without_a_place_for_temporary_files_one_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc")

    with pytest.raises(Refused, match=r"no place for temporary files: .*\. Name a folder with --data"):
        own_folder.temporary()
