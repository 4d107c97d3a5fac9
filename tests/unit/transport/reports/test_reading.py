"""Reading reports from files that foreign programs have written."""

from pathlib import Path

import pytest

from gennaker.transport.reports import reading
from gennaker.transport.reports.broken import BrokenReport
from gennaker.transport.reports.reading import ReportKind

JUNIT = "<testsuite><testcase name='a'/></testsuite>"


def test_a_report_has_a_summary_in_plain_json(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(JUNIT)

    report = reading.read_file(ReportKind.JUNIT, tmp_path, "a.xml")

    assert report.content == JUNIT.encode()
    assert report.summary == {"tests": 1, "passed": 1, "failed": 0, "skipped": 0, "seconds": 0.0, "failures": []}


def test_links_that_lead_out_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.xml").write_text(JUNIT)
    inside = tmp_path / "workspace"
    inside.mkdir()
    (inside / "a.xml").symlink_to(tmp_path / "secret.xml")

    for path in ("a.xml", "../secret.xml", str(tmp_path / "secret.xml")):
        with pytest.raises(BrokenReport, match="outside the workspace"):
            reading.read_file(ReportKind.JUNIT, inside, path)


def test_a_missing_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenReport, match="it was not written"):
        reading.read_file(ReportKind.JUNIT, tmp_path, "a.xml")


def test_a_report_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "a.xml").open("wb") as file:
        file.truncate(reading.LIMIT_BYTES + 5)

    with pytest.raises(BrokenReport, match="more than"):
        reading.read_file(ReportKind.JUNIT, tmp_path, "a.xml")
