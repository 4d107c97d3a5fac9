"""Results of steps: what the stage shows of each, and the verdict on one that has ended. Pure."""

from enum import StrEnum

import msgspec

from gennaker.model.codec import JsonObject
from gennaker.model.wording import counted
from gennaker.plugins.build.build_file import Step, StepKind
from gennaker.transport.processes import EndReason, ProcessStatus
from gennaker.transport.reports.cyclonedx import ComponentsReport
from gennaker.transport.reports.junit import TestReport
from gennaker.transport.reports.reading import Report
from gennaker.transport.reports.sarif import FindingsReport

_NAMED_TESTS = 5


class StepStatus(StrEnum):
    """Where a step is."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    NOT_SCANNED = "NOT_SCANNED"
    """Nothing was looked for: that is not the same as nothing found. The build goes on."""


class ReportResult(msgspec.Struct, frozen=True, kw_only=True):
    """A report that is kept as evidence."""

    kind: str
    name: str
    """Of the evidence."""
    digest: str
    summary: JsonObject


class StepResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One step as the stage's outputs show it."""

    name: str
    kind: StepKind
    command: str = ""
    """As one would type it; empty for what the builder does itself."""
    status: StepStatus
    seconds: float | None = None
    exit_status: int | None = None
    log: str = ""
    """Below the data folder."""
    message: str = ""
    """One line: what came of it."""
    reports: tuple[ReportResult, ...] = ()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What an ended step counts as, and why."""

    status: StepStatus
    message: str


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A step that has ended: its process, what it wrote."""

    process: ProcessStatus | None
    """None: the builder did the step itself."""
    reports: tuple[Report, ...] = ()
    broken: tuple[str, ...] = ()
    """Sentences about reports that can't be read."""


def judge(step: Step, ended: Ended) -> Verdict:
    """The verdict. A bad exit status counts first, then reports, then findings."""
    said = _said(ended.reports)
    if not _is_well(ended.process):
        ending = ended.process.ending if ended.process else ""
        if ended.process and ended.process.reason is EndReason.TIMEOUT and step.timeout_seconds:
            ending = f"{ending} of {step.timeout_seconds:g} s"
        return Verdict(status=StepStatus.FAILED, message=f"{ending}: {said}" if said else ending)
    if ended.broken:
        return Verdict(status=StepStatus.FAILED, message=" ".join(ended.broken))
    failure = next((failure for report in ended.reports if (failure := _failure(step, report))), "")
    if failure:
        return Verdict(status=StepStatus.FAILED, message=failure)
    if step.kind is StepKind.SCAN:
        return _scanned(step, ended.reports)
    return Verdict(status=StepStatus.SUCCEEDED, message=said)


def _is_well(process: ProcessStatus | None) -> bool:
    return process is None or (process.reason is EndReason.EXITED and process.exit_status == 0)


def _failure(step: Step, report: Report) -> str:
    """Why a report fails its step, or nothing."""
    match report.read:
        case TestReport() as tests if tests.failed:
            return f"exited with status 0, but its report says: {_tests(tests)}"
        case FindingsReport() as findings:
            level = step.fail_on.level
            count = findings.at_least(level) if level else 0
            if count:
                worst = "; ".join(f"{one.place} {one.rule} {one.message}".strip() for one in findings.worst[:3])
                return f"has {counted(count, 'finding')} of level {step.fail_on} or worse: {worst}"
            if findings.incomplete and step.kind is not StepKind.SCAN:
                return f"did not do its work, its report says: {findings.incomplete}"
            return ""
        case _:
            return ""


def _scanned(step: Step, reports: tuple[Report, ...]) -> Verdict:
    if not step.run:
        reason = "not scanned: no scanner and no advisory source is configured"
        return Verdict(status=StepStatus.NOT_SCANNED, message=reason)
    for report in reports:
        if isinstance(report.read, FindingsReport) and report.read.incomplete:
            return Verdict(status=StepStatus.NOT_SCANNED, message=f"not scanned: {report.read.incomplete}")
    return Verdict(status=StepStatus.SUCCEEDED, message=_said(reports))


def _said(reports: tuple[Report, ...]) -> str:
    """What the reports say, in one line."""
    return "; ".join(_line(report) for report in reports)


def _line(report: Report) -> str:
    match report.read:
        case TestReport() as tests:
            return _tests(tests)
        case FindingsReport() as findings:
            levels = ", ".join(f"{count} {level}" for level, count in findings.by_level.items())
            return f"{counted(findings.findings, 'finding')} ({levels})" if levels else "no findings"
        case ComponentsReport() as components:
            return counted(components.components, "component")


def _tests(tests: TestReport) -> str:
    skipped = f", {tests.skipped} skipped" if tests.skipped else ""
    if not tests.failed:
        return f"{counted(tests.passed, 'test')} passed{skipped}"
    names = ", ".join(one.name for one in tests.failures[:_NAMED_TESTS])
    more = ", …" if tests.failed > _NAMED_TESTS else ""
    return f"{tests.failed} of {counted(tests.tests, 'test')} failed{skipped} ({names}{more})"
