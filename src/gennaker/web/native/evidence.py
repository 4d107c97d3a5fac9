"""Evidence and logs in the native API: reports, and logs that are followed while they grow."""

import asyncio
import codecs
import contextlib
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from litestar import Controller, Response, get
from litestar.params import FromPath, FromQuery
from litestar.response import ServerSentEvent, ServerSentEventMessage

from gennaker.interfaces.evidence import EvidenceItem, LogFile
from gennaker.model.codec import JsonObject, encode
from gennaker.model.permissions import Need, Right
from gennaker.model.problems import Problem, Refused
from gennaker.web import judging, paging, shapes, visible
from gennaker.web.native.executions import existing
from gennaker.web.ports import Asking, Ports, WebPorts
from gennaker.web.sign_in import address_of
from gennaker.web.staying import Staying

_READ_BYTES = 64_000
_LOOKS_SECONDS = 0.3
_PICTURES = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (4, b"ftyp", "video/mp4"),
)
"""Where which bytes stand."""
_FIRST_BYTES = 200_000
"""Of a long log only the end is sent."""


class EvidenceController(Controller):
    """Routes under /api/v1/what executions leave."""

    path = "/api/v1"

    @get("/executions/{execution_id:str}/evidence")
    async def evidence(
        self,
        *,
        ports: Ports,
        principal: Asking,
        request: paging.Asked,
        execution_id: FromPath[str],
        after: paging.After = "",
        limit: paging.Limit = paging.MOST,
    ) -> Response[JsonObject]:
        """Reports of an execution."""
        await existing(ports, execution_id)
        found = await ports.services.evidence.list(execution_id)
        return paging.page(request, "evidence", found, key=_of_item, show=shapes.record, after=after, limit=limit)

    @get("/evidence/{digest:str}")
    async def content(
        self, ports: Ports, principal: Asking, request: paging.Asked, digest: FromPath[str]
    ) -> Response[bytes]:
        """One report, as it was left; pictures and videos may be shown in a page of ours, nothing as a page of ours.

        Of what an approver saw, only accounts that may be read: then `withheld` says so, and the digest is of the whole.
        """
        holder = await visible.holder(ports, principal, digest, address=address_of(request))
        content = None if holder is None else await ports.services.evidence.read(digest)
        if holder is None or content is None:
            raise Refused(Problem(code="evidence.unknown", message=f"There is no evidence {digest}."), status=404)
        content = await judging.shown(ports, principal, holder, digest, content)
        headers = {"content-disposition": "attachment"}
        return Response(content, media_type=_shown_as(content), headers=headers)

    @get("/executions/{execution_id:str}/logs")
    async def logs(
        self,
        *,
        ports: Ports,
        principal: Asking,
        request: paging.Asked,
        execution_id: FromPath[str],
        after: paging.After = "",
        limit: paging.Limit = paging.MOST,
    ) -> Response[JsonObject]:
        """Logs of an execution."""
        await existing(ports, execution_id)
        found = await ports.services.logs.list(execution_id)
        return paging.page(request, "logs", found, key=_of_log, show=shapes.record, after=after, limit=limit)

    @get("/executions/{execution_id:str}/log")
    async def follow(
        self,
        ports: Ports,
        principal: Asking,
        request: paging.Asked,
        execution_id: FromPath[str],
        path: FromQuery[str],
    ) -> ServerSentEvent:
        """A log as it grows; only registered ones. Ends when its stage has ended."""
        log = await _registered(ports, execution_id, path)
        return ServerSentEvent(_lines(ports, log, Staying(request, principal)))


def _of_item(item: EvidenceItem) -> str:
    return f"{paging.instant(item.at)} {item.stage_id} {item.name} {item.digest}"


def _of_log(log: LogFile) -> str:
    return f"{paging.instant(log.at)} {log.path}"


def _shown_as(content: bytes) -> str:
    """Its media type if it is a picture or a video by its first bytes, whatever its name says; SVG can hold scripts and is none."""
    found = (media for at, sign, media in _PICTURES if content[at : at + len(sign)] == sign)
    return next(found, "application/octet-stream")


async def _registered(ports: WebPorts, execution_id: str, path: str) -> LogFile:
    for log in await ports.services.logs.list(execution_id):
        if log.path == path:
            return log
    raise Refused(Problem(code="log.unknown", message=f"{execution_id} has no log {path!r}."), status=404)


async def _lines(ports: WebPorts, log: LogFile, follower: Staying) -> AsyncIterator[ServerSentEventMessage]:
    reader = _Growing(ports.services.data / log.path)
    try:
        while not ports.ending.is_set() and await _may_read(ports, log, follower):
            is_over = await _is_over(ports, log)  # asked before reading: what was written until then is still sent
            text = await asyncio.to_thread(reader.read)
            if text:
                yield ServerSentEventMessage(event="log", data=encode({"text": text}).decode())
            elif is_over:
                yield ServerSentEventMessage(event="end", data="{}")
                return
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(ports.ending.wait(), _LOOKS_SECONDS)
    finally:
        reader.close()


class _Growing:
    """Reads a file that grows and may be rotated: renamed, and begun anew under its old name.

    Read in a thread, and closed by whoever leaves while that still reads.
    """

    def __init__(self, path: Path) -> None:
        """Of a long file only the end is read."""
        self._path = path
        self._lock = threading.Lock()
        self._is_closed = False
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._file = self._opened()
        if self._file is not None:
            self._file.seek(max(0, os.fstat(self._file.fileno()).st_size - _FIRST_BYTES))

    def read(self) -> str:
        """What has come since the last time, or nothing; the rest of a rotated file comes before the new one."""
        with self._lock:
            while not self._is_closed:
                data = self._file.read(_READ_BYTES) if self._file is not None else b""
                if data:
                    text = self._decoder.decode(data)
                    if text:
                        return text
                elif not self._goes_on_elsewhere():
                    break
        return ""

    def close(self) -> None:
        """Gives the file back; nothing is read any more."""
        with self._lock:
            self._is_closed = True
            if self._file is not None:
                self._file.close()

    def _goes_on_elsewhere(self) -> bool:
        """Opens the file that has the name now, if it isn't the one that is open."""
        fresh = self._opened()
        if fresh is None:
            return False
        if self._file is not None:
            now, before = os.fstat(fresh.fileno()), os.fstat(self._file.fileno())
            is_same = (now.st_ino, now.st_dev) == (before.st_ino, before.st_dev)
            if is_same and now.st_size >= self._file.tell():
                fresh.close()
                return False
            self._file.close()
        self._file = fresh
        return True

    def _opened(self) -> BinaryIO | None:
        try:
            return self._path.open("rb")
        except FileNotFoundError:
            return None


async def _may_read(ports: WebPorts, log: LogFile, follower: Staying) -> bool:
    before, principal = follower.seen, await follower.principal()
    if principal is None or principal is before:
        return principal is not None
    execution = await ports.services.executions.get(log.execution_id)
    application = execution.head.application if execution else ""
    return await ports.services.authoriser.refusal(principal, Need(right=Right.READ, application=application)) is None


async def _is_over(ports: WebPorts, log: LogFile) -> bool:
    execution = await ports.services.executions.get(log.execution_id)
    stage = execution.stages.get(log.stage_id) if execution else None
    return stage is None or stage.status.is_complete
