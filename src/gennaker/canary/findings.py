"""Findings: what lint has to say about a place in a canary config."""

from enum import StrEnum

import msgspec

from gennaker.model.problems import Problem


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to be said about a config: an error ends a run, a warning is hardly meant, a note has no effect."""

    severity: Severity
    problem: Problem


def error(pointer: str, code: str, message: str, remedy: str) -> Finding:
    """A finding that would end a run."""
    return _finding(Severity.ERROR, pointer, code, message, remedy)


def warning(pointer: str, code: str, message: str, remedy: str) -> Finding:
    """A finding that is accepted, but hardly meant."""
    return _finding(Severity.WARNING, pointer, code, message, remedy)


def note(pointer: str, code: str, message: str, remedy: str = "") -> Finding:
    """A finding without effect on the judgement."""
    return _finding(Severity.NOTE, pointer, code, message, remedy)


def _finding(severity: Severity, pointer: str, code: str, message: str, remedy: str) -> Finding:
    problem = Problem(code=f"canary.lint.{code}", message=message, remedy=remedy, pointer=pointer)
    return Finding(severity=severity, problem=problem)
