"""Evidence and logs: reports, files and output that executions leave behind."""

from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec

from gennaker.model.codec import JsonObject


class EvidenceItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One kept file."""

    execution_id: str
    stage_id: str
    name: str
    """Unique within the stage, e.g. `unit-tests.junit.xml`."""
    kind: str
    """`junit`, `sarif`, `sbom`, `canary`, `log`, `http`, `approval`, `file`"""
    media_type: str
    digest: str
    """`sha256:…` of the content."""
    size_bytes: int
    at: datetime
    summary: JsonObject = {}
    """What was read from it: tests passed and failed, findings, components."""


class Evidence(Protocol):
    """Keeps files under their digest; putting the same again changes nothing."""

    async def put(self, item: EvidenceItem, content: bytes) -> None:
        """Keeps the file; digest and size are checked against the content."""
        ...

    async def list(self, execution_id: str) -> tuple[EvidenceItem, ...]:
        """All of an execution, in order of time."""
        ...

    async def read(self, digest: str) -> bytes | None:
        """The content; None: unknown."""
        ...

    async def holders(self, digest: str) -> tuple[str, ...]:
        """Ids of the executions that have left it; none: unknown."""
        ...


class LogFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A log that may still grow."""

    execution_id: str
    stage_id: str
    name: str
    path: str
    """Below the data folder."""
    at: datetime


class Logs(Protocol):
    """Which logs an execution has; the files themselves lie below the data folder."""

    def folder(self, execution_id: str, stage_id: str) -> Path:
        """Where a stage's logs go; exists."""
        ...

    async def register(self, log: LogFile) -> None:
        """Makes a log known; registering it again changes nothing."""
        ...

    async def list(self, execution_id: str) -> tuple[LogFile, ...]:
        """All of an execution, in order of time."""
        ...
