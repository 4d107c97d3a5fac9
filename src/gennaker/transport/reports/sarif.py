"""SARIF 2.1.0: what static analysis and scanners have found, by level.

Reference: OASIS Static Analysis Results Interchange Format 2.1.0, §3.27 (result), §3.20 (invocation). A result's level is
its own, else its rule's default, else `warning`; results of another kind than `fail`, suppressed ones and those that are
`absent` compared with a baseline are no findings.
"""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from gennaker.model.codec import Json, JsonObject
from gennaker.model.foreign import mapping, mappings, text_at
from gennaker.transport.reports.broken import BrokenReport

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
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenReport(f"it is not JSON: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("runs"), list):
        raise BrokenReport("it is no SARIF: it has no list of runs")
    if not str(document.get("version", "")).startswith("2."):
        raise BrokenReport(f"it is SARIF of version {document.get('version')!r}; 2.1.0 is read")
    runs = [run for run in document["runs"] if isinstance(run, dict)]
    if not runs:
        return FindingsReport(tools=(), findings=0, by_level={}, incomplete="It holds no run of a tool.")
    found, suppressed = _findings(runs)
    order = list(Level)
    found.sort(key=lambda finding: order.index(finding.level))
    return FindingsReport(
        tools=tuple(_text(mapping(run.get("tool")), "driver", "name") for run in runs),
        findings=len(found),
        by_level={level.value: count for level in Level if (count := sum(f.level is level for f in found))},
        suppressed=suppressed,
        incomplete=next(_failures(runs), ""),
        worst=tuple(found[:_MOST_FINDINGS]),
    )


def _findings(runs: list[JsonObject]) -> tuple[list[Finding], int]:
    found, suppressed = [], 0
    for run in runs:
        defaults = _default_levels(run)
        for result in mappings(run.get("results")):
            if result.get("kind", "fail") != "fail" or result.get("baselineState") == "absent":
                continue
            if any(one.get("status", "accepted") == "accepted" for one in mappings(result.get("suppressions"))):
                suppressed += 1
                continue
            found.append(_finding(result, defaults))
    return found, suppressed


def _finding(result: JsonObject, defaults: dict[str, Json]) -> Finding:
    rule = result.get("ruleId") or mapping(result.get("rule")).get("id") or ""
    level = result.get("level") or defaults.get(str(rule)) or Level.WARNING
    place = next(iter(mappings(result.get("locations"))), {})
    physical = mapping(place.get("physicalLocation"))
    file = _text(physical, "artifactLocation", "uri")
    line = mapping(physical.get("region")).get("startLine")
    return Finding(
        level=Level(level) if isinstance(level, str) and level in list(Level) else Level.WARNING,
        rule=str(rule)[:_MOST_CHARACTERS],
        message=_text(result, "message", "text")[:_MOST_CHARACTERS],
        place=f"{file}:{line}" if file and isinstance(line, int) else file,
    )


def _default_levels(run: JsonObject) -> dict[str, Json]:
    tool = mapping(run.get("tool"))
    components = [mapping(tool.get("driver")), *mappings(tool.get("extensions"))]
    rules = [rule for component in components for rule in mappings(component.get("rules"))]
    return {str(rule.get("id")): mapping(rule.get("defaultConfiguration")).get("level") for rule in rules}


def _failures(runs: list[JsonObject]) -> Iterator[str]:
    for run in runs:
        for invocation in mappings(run.get("invocations")):
            said = [
                _text(notification, "message", "text")
                for notification in mappings(invocation.get("toolExecutionNotifications"))
                if notification.get("level") == "error"
            ]
            if invocation.get("executionSuccessful") is False or said:
                yield next((text for text in said if text), "The tool says that it did not succeed.")[:_MOST_CHARACTERS]


def _text(value: JsonObject, first: str, second: str) -> str:
    return text_at(value.get(first), second)
