"""Reading reports: one entrance for all kinds, with bounds on everything.

Reports come from programs that work on foreign code: nothing in them is believed, nothing in them is fetched or expanded.
"""

from enum import StrEnum
from pathlib import Path

import msgspec

from gennaker.model.codec import JsonObject, to_json
from gennaker.transport.reports import cyclonedx, junit, sarif
from gennaker.transport.reports.broken import BrokenReport

LIMIT_BYTES = 20_000_000
"""Larger reports are refused."""


class ReportKind(StrEnum):
    """Formats; the values are evidence kinds."""

    JUNIT = "junit"
    SARIF = "sarif"
    SBOM = "sbom"


MEDIA_TYPES = {
    ReportKind.JUNIT: "application/xml",
    ReportKind.SARIF: "application/sarif+json",
    ReportKind.SBOM: "application/vnd.cyclonedx+json",
}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A report that was read."""

    kind: ReportKind
    content: bytes
    read: junit.TestReport | sarif.FindingsReport | cyclonedx.ComponentsReport

    @property
    def summary(self) -> JsonObject:
        """What `EvidenceItem.summary` holds."""
        made = to_json(self.read)
        assert isinstance(made, dict)
        return made


def read(kind: ReportKind, content: bytes) -> Report:
    """Reads a report. Raises BrokenReport."""
    if len(content) > LIMIT_BYTES:
        raise BrokenReport(f"it has {len(content)} bytes, more than {LIMIT_BYTES}")
    match kind:
        case ReportKind.JUNIT:
            return Report(kind=kind, content=content, read=junit.read(content))
        case ReportKind.SARIF:
            return Report(kind=kind, content=content, read=sarif.read(content))
        case ReportKind.SBOM:
            return Report(kind=kind, content=content, read=cyclonedx.read(content))


def read_file(kind: ReportKind, folder: Path, path: str) -> Report:
    """Reads a report below a folder; a link that leads out of the folder is refused. Raises BrokenReport. Blocks."""
    inside = folder.resolve()
    file = (inside / path).resolve()
    if not file.is_relative_to(inside):
        raise BrokenReport("it lies outside the workspace")
    if not file.is_file():
        raise BrokenReport("it was not written")
    with file.open("rb") as opened:
        return read(kind, opened.read(LIMIT_BYTES + 1))
