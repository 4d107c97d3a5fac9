"""Programs that run as children to their end: nothing of one is left, however the waiting for it ends."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a program ended and what it wrote."""

    status: int
    """Below 0: the signal that ended it."""
    output: bytes
    errors: bytes
    """Empty where they were asked for in the output."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a program finds around it."""

    environment: Mapping[str, str]
    folder: Path | None = None
    """None: this process's."""
    umask: int = -1
    """-1: this process's."""


async def run(
    command: Sequence[str], place: Place, *, seconds: float | None = None, errors: int = asyncio.subprocess.PIPE
) -> Ended:
    """Runs a program in a session of its own. Raises OSError when it can't begin, TimeoutError when it lasts too long.

    The session is killed when the waiting ends first, and gone when this returns or raises: also where a second
    cancellation meets the first one's tidying. `seconds` None: it may take for ever. `errors`: where they go; with
    `asyncio.subprocess.STDOUT` into the output.
    """
    async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
        child = group.create_task(_run(command, place, errors))
    ended = child.result()
    if isinstance(ended, OSError):
        raise ended
    return ended


async def _run(command: Sequence[str], place: Place, errors: int) -> Ended | OSError:
    """In a group, that cancels it at most once: nothing cuts off the wait for what was killed."""
    begun = asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=errors,
        env=place.environment,
        cwd=place.folder,
        start_new_session=True,
        umask=place.umask,
    )
    # Cut off while it begins, asyncio would kill the program alone, and wait for whatever it has started by then.
    beginning = asyncio.ensure_future(begun)
    try:
        process = await asyncio.shield(beginning)
    except OSError as error:
        return error
    except asyncio.CancelledError:
        await asyncio.wait((beginning,))
        if beginning.exception() is None:
            await _kill(beginning.result())
        raise
    try:
        output, said = await process.communicate()
        status = await process.wait()
    finally:
        await _kill(process)
    return Ended(status=status, output=output, errors=said or b"")


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Its session, if it hasn't ended."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
