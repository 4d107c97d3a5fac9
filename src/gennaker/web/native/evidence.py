"""Evidence and logs in the native API: reports, and logs that are followed while they grow."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from litestar import Controller, Response, get
from litestar.response import ServerSentEvent, ServerSentEventMessage

from gennaker.interfaces.evidence import LogFile
from gennaker.model.codec import JsonObject, encode
from gennaker.model.problems import Problem, Refused
from gennaker.web import shapes
from gennaker.web.native.executions import existing
from gennaker.web.ports import WebPorts

_READ_BYTES = 64_000
_LOOKS_SECONDS = 0.3
_FIRST_BYTES = 200_000
"""Of a long log only the end is sent."""


class EvidenceController(Controller):
    """Routes under /api/v1/what executions leave."""

    path = "/api/v1"

    @get("/executions/{execution_id:str}/evidence")
    async def evidence(self, ports: WebPorts, execution_id: str) -> JsonObject:
        """Reports of an execution."""
        await existing(ports, execution_id)
        return {"evidence": [shapes.record(item) for item in await ports.services.evidence.list(execution_id)]}

    @get("/evidence/{digest:str}")
    async def content(self, ports: WebPorts, digest: str) -> Response[bytes]:
        """One report, as it was left; never shown as a page of ours."""
        content = await ports.services.evidence.read(digest)
        if content is None:
            raise Refused(Problem(code="evidence.unknown", message=f"There is no evidence {digest}."), status=404)
        headers = {"content-disposition": "attachment"}
        return Response(content, media_type="application/octet-stream", headers=headers)

    @get("/executions/{execution_id:str}/logs")
    async def logs(self, ports: WebPorts, execution_id: str) -> JsonObject:
        """Logs of an execution."""
        await existing(ports, execution_id)
        return {"logs": [shapes.record(log) for log in await ports.services.logs.list(execution_id)]}

    @get("/executions/{execution_id:str}/log")
    async def follow(self, ports: WebPorts, execution_id: str, path: str) -> ServerSentEvent:
        """A log as it grows; only registered ones. Ends when its stage has ended."""
        log = await _registered(ports, execution_id, path)
        return ServerSentEvent(_lines(ports, log))


async def _registered(ports: WebPorts, execution_id: str, path: str) -> LogFile:
    for log in await ports.services.logs.list(execution_id):
        if log.path == path:
            return log
    raise Refused(Problem(code="log.unknown", message=f"{execution_id} has no log {path!r}."), status=404)


async def _lines(ports: WebPorts, log: LogFile) -> AsyncIterator[ServerSentEventMessage]:
    file = ports.services.data / log.path
    position = max(0, _size(file) - _FIRST_BYTES)
    inode = _inode(file)
    while True:
        is_over = await _is_over(ports, log)
        text = await asyncio.to_thread(_read, file, position)
        position += len(text)
        if text:
            yield ServerSentEventMessage(event="log", data=encode({"text": text.decode(errors="replace")}).decode())
        elif is_over:
            yield ServerSentEventMessage(event="end", data="{}")
            return
        else:
            await asyncio.sleep(_LOOKS_SECONDS)
            if _inode(file) != inode or _size(file) < position:
                inode, position = _inode(file), 0  # rotated: what follows is a new file


async def _is_over(ports: WebPorts, log: LogFile) -> bool:
    execution = await ports.services.executions.get(log.execution_id)
    stage = execution.stages.get(log.stage_id) if execution else None
    return stage is None or stage.status.is_complete


def _read(file: Path, position: int) -> bytes:
    try:
        with file.open("rb") as opened:
            opened.seek(position)
            return opened.read(_READ_BYTES)
    except FileNotFoundError:
        return b""


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _inode(file: Path) -> int:
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return 0
