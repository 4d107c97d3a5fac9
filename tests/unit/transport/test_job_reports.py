"""Reports of jobs are taken as far as the limits allow, and what isn't is named."""

from pathlib import Path

import pytest

from gennaker.transport import job_reports
from gennaker.transport.job_reports import Found, Taken


def file(path: str, size: int = 1) -> Found:
    return Found(path=path, size=size, read=path.encode)


def test_files_come_under_the_folders_name() -> None:
    taken = job_reports.from_folder("files", [file("b/c.png"), file("a.txt")])

    assert taken == Taken(reports={"files/a.txt": b"a.txt", "files/b/c.png": b"b/c.png"})


def test_an_empty_folder_is_said_to_be_so() -> None:
    assert job_reports.from_folder("files", []) == Taken(problem="has no files")


def test_a_large_file_is_left_out_and_the_others_are_kept() -> None:
    taken = job_reports.from_folder("files", [file("huge.webm", job_reports.FILE_BYTES + 1), file("small.webm")])

    assert taken.reports == {"files/small.webm": b"small.webm"}
    assert taken.problem.endswith("left out is part of it: huge.webm")


@pytest.mark.parametrize(
    ("count", "size", "kept"),
    [(job_reports.FOLDER_FILES + 5, 1, job_reports.FOLDER_FILES), (7, job_reports.FILE_BYTES, 5)],
    ids=["too many", "too much"],
)
def test_more_than_is_kept_is_left_out_by_name(count: int, size: int, kept: int) -> None:
    taken = job_reports.from_folder("files", [file(f"{number:03d}", size) for number in range(count)])

    assert len(taken.reports) == kept
    assert f"left out is part of it: {kept:03d}" in taken.problem


def test_a_folder_that_could_not_be_listed_to_its_end_is_said_to_be_so() -> None:
    taken = job_reports.from_folder("files", [file("a")], is_cut=True)

    assert (taken.reports, "left out is part of it" in taken.problem) == ({"files/a": b"a"}, True)


def test_what_lies_elsewhere_is_not_in_the_folder_wherever_links_lead(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    folder = tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a").write_text("a")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "folder").symlink_to(tmp_path)

    assert [(one.path, one.size, one.read()) for one in job_reports.below(folder)] == [("deep/a", 1, b"a")]
