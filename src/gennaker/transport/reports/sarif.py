"""SARIF 2.1.0: what static analysis and scanners have found, by level.

Reference: OASIS Static Analysis Results Interchange Format 2.1.0, §3.27 (result), §3.20 (invocation). A result's level is
its own, else its rule's default, else `warning`; results of another kind than `fail`, suppressed ones and those that are
`absent` compared with a baseline are no findings. Whatever of this has another type makes the report unreadable: it might
be a finding. A run without a list of results says that nothing was looked at (§3.14.23).
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Literal

import msgspec

from gennaker.model.codec import decode_json
from gennaker.transport.reports.broken import BrokenReport, shaped

_MOST_FINDINGS = 50
_MOST_CHARACTERS = 500


class Level(StrEnum):
    """How bad a finding is, worst first."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    NONE = "none"


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One finding."""

    level: Level
    rule: str = ""
    message: str = ""
    place: str = ""
    """`file:line`"""


class FindingsReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """All findings of a report."""

    tools: tuple[str, ...]
    findings: int
    by_level: dict[str, int]
    suppressed: int = 0
    incomplete: str = ""
    """Not empty: the tool says that it could not do its work, and why."""
    worst: tuple[Finding, ...] = ()
    """At most 50, worst first."""

    def at_least(self, level: Level) -> int:
        """How many findings are of this level or worse."""
        order = list(Level)
        return sum(count for name, count in self.by_level.items() if order.index(Level(name)) <= order.index(level))


def read(content: bytes) -> FindingsReport:
    """Reads a report. Raises BrokenReport."""
    try:
        document = decode_json(content)
    except msgspec.DecodeError as error:
        raise BrokenReport(f"it is not JSON: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("runs"), list):
        raise BrokenReport("it is no SARIF: it has no list of runs")
    if not str(document.get("version", "")).startswith("2."):
        raise BrokenReport(f"it is SARIF of version {document.get('version')!r}; 2.1.0 is read")
    runs = shaped(document["runs"], tuple[_Run, ...], at="/runs")
    if not runs:
        return FindingsReport(tools=(), findings=0, by_level={}, incomplete="It holds no run of a tool.")
    found, suppressed = _findings(runs)
    order = list(Level)
    found.sort(key=lambda finding: order.index(finding.level))
    return FindingsReport(
        tools=tuple(run.tool.driver.name for run in runs),
        findings=len(found),
        by_level={level.value: count for level in Level if (count := sum(f.level is level for f in found))},
        suppressed=suppressed,
        incomplete=next(_failures(runs), ""),
        worst=tuple(found[:_MOST_FINDINGS]),
    )


class _Object(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of a report: what is read of it. `null` counts as absent, as many tools write it so."""


class _Message(_Object, frozen=True):
    text: str | None = None


class _Configuration(_Object, frozen=True):
    level: Level | None = None


class _Rule(_Object, frozen=True):
    id: str
    default_configuration: _Configuration | None = None


class _Component(_Object, frozen=True):
    name: str = ""
    rules: tuple[_Rule, ...] | None = None


class _Tool(_Object, frozen=True):
    driver: _Component = _Component()
    extensions: tuple[_Component, ...] | None = None


class _File(_Object, frozen=True):
    uri: str | None = None


class _Region(_Object, frozen=True):
    start_line: int | None = None


class _Place(_Object, frozen=True):
    artifact_location: _File | None = None
    region: _Region | None = None


class _Location(_Object, frozen=True):
    physical_location: _Place | None = None


class _Suppression(_Object, frozen=True):
    status: Literal["accepted", "underReview", "rejected"] | None = None


class _RuleReference(_Object, frozen=True):
    id: str | None = None


class _Result(_Object, frozen=True):
    rule_id: str | None = None
    rule: _RuleReference | None = None
    kind: Literal["notApplicable", "pass", "fail", "review", "open", "informational"] | None = None
    level: Level | None = None
    baseline_state: Literal["new", "unchanged", "updated", "absent"] | None = None
    message: _Message | None = None
    locations: tuple[_Location, ...] | None = None
    suppressions: tuple[_Suppression, ...] | None = None


class _Notification(_Object, frozen=True):
    level: Level | None = None
    message: _Message | None = None


class _Invocation(_Object, frozen=True):
    execution_successful: bool | None = None
    tool_execution_notifications: tuple[_Notification, ...] | None = None


class _Run(_Object, frozen=True):
    tool: _Tool = _Tool()
    results: tuple[_Result, ...] | None = None
    invocations: tuple[_Invocation, ...] | None = None


def _findings(runs: tuple[_Run, ...]) -> tuple[list[Finding], int]:
    found, suppressed = [], 0
    for run in runs:
        defaults = _default_levels(run.tool)
        for result in run.results or ():
            if result.kind not in {None, "fail"} or result.baseline_state == "absent":
                continue
            if any(one.status in {None, "accepted"} for one in result.suppressions or ()):
                suppressed += 1
                continue
            found.append(_finding(result, defaults))
    return found, suppressed


def _finding(result: _Result, defaults: dict[str, Level]) -> Finding:
    rule = result.rule_id or (result.rule and result.rule.id) or ""
    return Finding(
        level=result.level or defaults.get(rule, Level.WARNING),
        rule=rule[:_MOST_CHARACTERS],
        message=_text(result.message)[:_MOST_CHARACTERS],
        place=_place(result),
    )


def _place(result: _Result) -> str:
    place = result.locations[0].physical_location if result.locations else None
    file = place.artifact_location.uri if place and place.artifact_location else None
    line = place.region.start_line if place and place.region else None
    return f"{file}:{line}" if file and line is not None else file or ""


def _default_levels(tool: _Tool) -> dict[str, Level]:
    rules = [rule for component in (tool.driver, *(tool.extensions or ())) for rule in component.rules or ()]
    configured = {rule.id: rule.default_configuration for rule in rules}
    return {rule: said.level for rule, said in configured.items() if said and said.level}


def _failures(runs: tuple[_Run, ...]) -> Iterator[str]:
    for run in runs:
        for invocation in run.invocations or ():
            notifications = invocation.tool_execution_notifications or ()
            said = [_text(one.message) for one in notifications if one.level is Level.ERROR]
            if invocation.execution_successful is False or said:
                yield next((text for text in said if text), "The tool says that it did not succeed.")[:_MOST_CHARACTERS]
        if run.results is None:
            yield "A run of a tool has no list of results, so it looked at nothing."


def _text(message: _Message | None) -> str:
    return (message and message.text) or ""
