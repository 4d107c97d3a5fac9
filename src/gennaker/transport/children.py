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
    begun = asyncio.get_running_loop().subprocess_exec(
        lambda: _Child(most_bytes),
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
        transport, child = await asyncio.shield(beginning)
    except OSError as error:
        return error
    except asyncio.CancelledError:
        await asyncio.wait((beginning,))
        if beginning.exception() is None:
            await _end(*beginning.result())
        raise
    try:
        await child.is_over.wait()
    finally:
        await _end(transport, child)
    if child.has_written_too_much:
        return TooMuchOutput(f"more than {most_bytes:,} bytes")
    status = transport.get_returncode()
    assert status is not None, "it has ended"
    return Ended(status=status, output=bytes(child.written[1]), errors=bytes(child.written[2]))


class _Child(asyncio.SubprocessProtocol):
    """A program, whose output is taken as it comes.

    `asyncio.subprocess.Process` tells of an end only when all output was read to its own end: not of a program that was killed
    because it writes too much to be read, nor of one whose output a process of another session has as well.
    """

    def __init__(self, most_bytes: int | None) -> None:
        """It begins."""
        self._most_bytes = most_bytes
        self.written = {1: bytearray(), 2: bytearray()}
        """By stream."""
        self.has_written_too_much = False
        self.has_ended = asyncio.Event()
        self.is_over = asyncio.Event()
        """It has ended, and nobody has its output any more; or it writes too much."""

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Keeps it."""
        if self.has_written_too_much:
            return
        self.written[fd] += data
        if self._most_bytes is not None and len(self.written[fd]) > self._most_bytes:
            self.has_written_too_much = True
            self.is_over.set()

    def process_exited(self) -> None:
        """There may still be output."""
        self.has_ended.set()

    def connection_lost(self, _: Exception | None) -> None:
        """There is none."""
        self.is_over.set()


async def _end(transport: asyncio.SubprocessTransport, child: _Child) -> None:
    """Kills its session, if it hasn't ended, and waits for its end alone."""
    if not child.has_ended.is_set():
        with contextlib.suppress(ProcessLookupError):  # it has ended, and nobody has told us yet
            os.killpg(transport.get_pid(), signal.SIGKILL)
        await child.has_ended.wait()
    transport.close()
