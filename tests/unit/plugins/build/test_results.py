"""Verdicts on steps."""

import pytest

from gennaker.plugins.build import results
from gennaker.plugins.build.build_file import FailOn, Step, StepKind
from gennaker.plugins.build.results import Ended, StepStatus, Verdict
from gennaker.transport.processes import EndReason, ProcessState, ProcessStatus
from gennaker.transport.reports import reading
from gennaker.transport.reports.reading import Report, ReportKind

GOOD = ProcessStatus(name="s", state=ProcessState.ENDED, reason=EndReason.EXITED, exit_status=0)
BAD = ProcessStatus(name="s", state=ProcessState.ENDED, reason=EndReason.EXITED, exit_status=2)
GONE = ProcessStatus(name="s", state=ProcessState.GONE, reason=EndReason.GONE)
KILLED = ProcessStatus(name="s", state=ProcessState.ENDED, reason=EndReason.EXITED, signal=9)
OVER_TIME = ProcessStatus(name="s", state=ProcessState.ENDED, reason=EndReason.TIMEOUT, signal=15)


def report_of_tests(failing: int) -> Report:
    cases = "".join(f'<testcase name="f{n}"><failure/></testcase>' for n in range(failing))
    return reading.read(ReportKind.JUNIT, f'<testsuite><testcase name="ok"/>{cases}</testsuite>'.encode())


def report_of_findings(level: str, *, is_complete: bool = True) -> Report:
    listed = f'[{{"level": "{level}", "ruleId": "R1", "message": {{"text": "bad"}}}}]' if level else "[]"
    invocations = f'[{{"executionSuccessful": {str(is_complete).lower()}}}]'
    text = f'{{"version": "2.1.0", "runs": [{{"invocations": {invocations}, "results": {listed}}}]}}'
    return reading.read(ReportKind.SARIF, text.encode())


@pytest.mark.parametrize(
    ("process", "reports", "said"),
    [
        (BAD, (), "exited with status 2"),
        (GONE, (), "disappeared without an exit status"),
        (KILLED, (), "was ended by SIGKILL"),
        (OVER_TIME, (), "was stopped at its time limit of 60 s"),
        (BAD, (report_of_tests(1),), "exited with status 2: 1 of 2 tests failed (f0)"),
        (
            GOOD,
            (report_of_tests(7),),
            "exited with status 0, but its report says: 7 of 8 tests failed (f0, f1, f2, f3, f4, …)",
        ),
        (GOOD, (report_of_findings("error"),), "has 1 finding of level error or worse: R1 bad"),
        (
            GOOD,
            (report_of_findings("", is_complete=False),),
            "did not do its work, its report says: The tool says that it did not succeed.",
        ),
    ],
)
def test_a_step_fails(process: ProcessStatus, reports: tuple[Report, ...], said: str) -> None:
    step = Step(name="s", run=("a",), timeout_seconds=60)

    assert results.judge(step, Ended(process=process, reports=reports)) == Verdict(
        status=StepStatus.FAILED, message=said
    )


@pytest.mark.parametrize(
    ("fail_on", "level", "status"),
    [
        (FailOn.ERROR, "warning", StepStatus.SUCCEEDED),
        (FailOn.WARNING, "warning", StepStatus.FAILED),
        (FailOn.NOTE, "warning", StepStatus.FAILED),
        (FailOn.NEVER, "error", StepStatus.SUCCEEDED),
    ],
)
def test_findings_fail_a_step_from_the_level_that_the_build_file_names(
    fail_on: FailOn, level: str, status: StepStatus
) -> None:
    step = Step(name="s", run=("a",), fail_on=fail_on)

    assert results.judge(step, Ended(process=GOOD, reports=(report_of_findings(level),))).status is status


def test_a_report_that_was_not_written_fails_the_step() -> None:
    ended = Ended(process=GOOD, broken=("has a junit report a.xml that can't be used: it was not written.",))

    assert results.judge(Step(name="s", run=("a",)), ended).status is StepStatus.FAILED


@pytest.mark.parametrize(
    ("run", "reports", "verdict"),
    [
        (
            (),
            (),
            Verdict(
                status=StepStatus.NOT_SCANNED,
                message="not scanned: no scanner and no advisory source is configured",
            ),
        ),
        (
            ("scan",),
            (report_of_findings("", is_complete=False),),
            Verdict(status=StepStatus.NOT_SCANNED, message="not scanned: The tool says that it did not succeed."),
        ),
        (("scan",), (report_of_findings(""),), Verdict(status=StepStatus.SUCCEEDED, message="no findings")),
        (
            ("scan",),
            (report_of_findings("note"),),
            Verdict(status=StepStatus.SUCCEEDED, message="1 finding (1 note)"),
        ),
    ],
)
def test_a_scan_without_an_advisory_source_is_not_scanned_and_never_clean(
    run: tuple[str, ...], reports: tuple[Report, ...], verdict: Verdict
) -> None:
    step = Step(name="s", kind=StepKind.SCAN, run=run)

    assert results.judge(step, Ended(process=GOOD if run else None, reports=reports)) == verdict
