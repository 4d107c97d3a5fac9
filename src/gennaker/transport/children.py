"""Programs that run as children to their end: nothing of one is left, however the waiting for it ends."""

import asyncio
import contextlib
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


class TooMuchOutput(Exception):
    """A program has written more than it may, and was ended."""


async def run(
    command: Sequence[str],
    place: Place,
    *,
    seconds: float | None = None,
    errors: int = asyncio.subprocess.PIPE,
    most_bytes: int | None = None,
) -> Ended:
    """Runs a program in a session of its own. Raises OSError when it can't begin, TimeoutError when it lasts too long.

    The session is killed when the waiting ends first, and gone when this returns or raises: also where a second
    cancellation meets the first one's tidying. `seconds` None: it may take for ever. `errors`: where they go; with
    `asyncio.subprocess.STDOUT` into the output. Raises TooMuchOutput when output or errors are longer than `most_bytes`
    (None: any length).
    """
    async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
        child = group.create_task(_run(command, place, errors, most_bytes))
    ended = child.result()
    if isinstance(ended, Exception):
        raise ended
    return ended


async def _run(
    command: Sequence[str], place: Place, errors: int, most_bytes: int | None
) -> Ended | OSError | TooMuchOutput:
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
        if most_bytes is None:
            output, said = await process.communicate()
        else:
            output, said = await asyncio.gather(
                _taken(process, process.stdout, most_bytes), _taken(process, process.stderr, most_bytes)
            )
        status = await process.wait()
    except TooMuchOutput as error:
        return error
    finally:
        await _kill(process)
    return Ended(status=status, output=output, errors=said or b"")


async def _taken(process: asyncio.subprocess.Process, stream: asyncio.StreamReader | None, most_bytes: int) -> bytes:
    """All that comes, if it isn't too much: else the session ends, and with it what the other stream waits for."""
    found = bytearray()
    while stream is not None and (chunk := await stream.read(65_536)):
        found += chunk
        if len(found) > most_bytes:
            await _kill(process)
            raise TooMuchOutput(f"more than {most_bytes:,} bytes")
    return bytes(found)


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Its session, if it hasn't ended."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):  # it has ended, and nobody has told us yet
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
