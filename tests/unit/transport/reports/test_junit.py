"""JUnit XML."""

import pytest

from gennaker.transport.reports import junit
from gennaker.transport.reports.broken import BrokenReport
from gennaker.transport.reports.junit import FailedTest, TestReport


def test_passed_failed_and_skipped_are_counted_from_the_cases() -> None:
    content = b"""<?xml version="1.0" encoding="utf-8"?>
<testsuites name="x" tests="999"><testsuite name="pytest" errors="0" failures="0" skipped="0" tests="0">
<testcase classname="tests.a" name="one" time="0.5"/>
<testcase classname="tests.a" name="two" time="1,000.25"><failure message="1 != 2">trace</failure></testcase>
<testcase name="three" time="nan"><error message="boom"/><failure message="second"/></testcase>
<testcase classname="tests.a" name="four"><skipped message="later"/></testcase>
</testsuite></testsuites>"""

    assert junit.read(content) == TestReport(
        tests=4,
        passed=1,
        failed=2,
        skipped=1,
        seconds=1000.75,
        failures=(FailedTest(name="tests.a.two", message="1 != 2"), FailedTest(name="three", message="boom")),
    )


def test_many_failures_are_counted_but_not_all_listed() -> None:
    cases = "".join(f'<testcase name="t{n}"><failure/></testcase>' for n in range(500))

    report = junit.read(f"<testsuite>{cases}</testsuite>".encode())

    assert (report.failed, len(report.failures)) == (500, 50)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not well-formed"),
        (b"<testsuite>", "not well-formed"),
        (b"<html/>", "its root is <html>"),
        (b'<!DOCTYPE t [<!ENTITY a "b">]><testsuite>&a;</testsuite>', "declares a document type"),
        (b'<!DOCTYPE t SYSTEM "file:///etc/passwd"><testsuite/>', "declares a document type"),
        (b"<testsuite>" + b"<testsuite>" * 200, "nested more than"),
        (
            b"<testsuites>\n<testsuite failures='many'/></testsuites>",
            "`failures` of the <testsuite> in its line 2 is no num",
        ),
        (b"<testsuite errors='-1'/>", "`errors` of the <testsuite> in its line 1 is no number: '-1'"),
        (b"<testsuite errors='1' failures='2'><testcase name='a'/></testsuite>", "its suites tell of 3 failed tests"),
        (
            b"<testsuite><testcase name='a'><failure/><testcase name='b'/></testcase></testsuite>",
            "is inside another one",
        ),
    ],
)
def test_a_broken_or_hostile_report_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(BrokenReport, match=said):
        junit.read(content)


@pytest.mark.parametrize("encoding", ["utf-7", "nope", "idna", "hex"])
def test_an_encoding_that_cannot_be_read_is_told(encoding: str) -> None:
    with pytest.raises(BrokenReport, match="write UTF-8"):
        junit.read(f'<?xml version="1.0" encoding="{encoding}"?><testsuite/>'.encode())
