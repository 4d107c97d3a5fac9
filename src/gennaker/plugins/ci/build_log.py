"""Build logs: what a build elsewhere prints is kept with the stage that follows it, and grows there while it runs.

Shown as all logs of executions are (`/api/v1/executions/{id}/logs`), also after the CI system has dropped the build.
"""

import asyncio
import re
from pathlib import Path

from gennaker.interfaces.ci import CiFailure, CiSystem
from gennaker.interfaces.evidence import LogFile
from gennaker.interfaces.stages import TaskContext
from gennaker.model.problems import Refused

_FOLLOWED_BYTES = 256_000
"""A log that has grown longer is read again when the build has ended: CI systems send all of it each time."""
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")


async def keep(context: TaskContext, system: CiSystem, job: str, number: str, *, is_over: bool) -> None:
    """Brings the stage's copy up to date. A log that can't be read fails nothing; the copy says so in the end."""
    services, stage = context.services, context.stage
    name = f"build-{stage.attempt}-{_NOT_IN_NAMES.sub('-', number)}.log"
    path = services.logs.folder(context.execution.head.id, stage.id) / name
    before = await asyncio.to_thread(_read, path)
    if len(before) > _FOLLOWED_BYTES and not is_over:
        return
    try:
        text = await system.log(job, number)
    except (CiFailure, Refused) as failure:
        if not is_over:  # systems that give a log only when the build has ended, and those that are away for a while
            return
        text = f"{before.decode(errors='replace')}The log of build {number} of {job} can't be read: {failure}\n"
    await asyncio.to_thread(_write, path, before, text.encode())
    log = LogFile(
        execution_id=context.execution.head.id,
        stage_id=stage.id,
        name=f"{system.name}: {job} {number}",
        path=str(path.relative_to(services.data)),
        at=context.at,
    )
    await services.logs.register(log)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _write(path: Path, before: bytes, after: bytes) -> None:
    """Appends what is new, so that who follows the file sees only that; another beginning means another file."""
    if before and after.startswith(before):
        with path.open("ab") as opened:
            opened.write(after[len(before) :])
        return
    fresh = path.with_suffix(".new")
    fresh.write_bytes(after)
    fresh.replace(path)
