"""Evidence and logs in memory; log folders are real ones below a given folder."""

import hashlib
from pathlib import Path

from gennaker.interfaces.evidence import EvidenceItem, LogFile
from gennaker.model.problems import Problem, Refused


class MemoryEvidence:
    """Items in the order in which they came, contents by digest."""

    def __init__(self) -> None:
        self._items: list[EvidenceItem] = []
        self._contents: dict[str, bytes] = {}

    async def put(self, item: EvidenceItem, content: bytes) -> None:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        if (digest, len(content)) != (item.digest, item.size_bytes):
            raise Refused(
                Problem(code="evidence.wrong", message=f"Digest or size of {item.name} isn't the content's."),
                status=422,
            )
        self._contents[digest] = content
        if _identity(item) not in {_identity(kept) for kept in self._items}:
            self._items.append(item)

    async def list(self, execution_id: str) -> tuple[EvidenceItem, ...]:
        found = [item for item in self._items if item.execution_id == execution_id]
        return tuple(sorted(found, key=lambda item: item.at))

    async def read(self, digest: str) -> bytes | None:
        return self._contents.get(digest)

    async def holders(self, digest: str) -> tuple[str, ...]:
        return tuple(sorted({item.execution_id for item in self._items if item.digest == digest}))


class MemoryLogs:
    """Logs in the order in which they came."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._logs: list[LogFile] = []

    def folder(self, execution_id: str, stage_id: str) -> Path:
        name = hashlib.sha256(f"{execution_id}\n{stage_id}".encode()).hexdigest()
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    async def register(self, log: LogFile) -> None:
        if (log.execution_id, log.path) not in {(kept.execution_id, kept.path) for kept in self._logs}:
            self._logs.append(log)

    async def list(self, execution_id: str) -> tuple[LogFile, ...]:
        return tuple(sorted((log for log in self._logs if log.execution_id == execution_id), key=lambda log: log.at))


def _identity(item: EvidenceItem) -> tuple[str, ...]:
    return item.execution_id, item.stage_id, item.name, item.digest
