"""Ending: an end that takes too long is made short, and says what held it."""

import json
import subprocess
import sys

import pytest
from tests.waiting import IN_VAIN_SECONDS

from gennaker.transport import ending

pytestmark = pytest.mark.slow

_LONG_SECONDS = 60.0
"""More than a slow machine needs; those that end in time don't wait for it."""
_SCRIPT = """
import asyncio, os, threading
from gennaker.transport import ending, reporting

reporting.configure(is_terminal=False)
stands, never = threading.Event(), threading.Event()

class Odd(asyncio.Task):
    def get_coro(self):
        raise ValueError("an odd task")

def stands_still():
    stands.set()
    never.wait()

async def waits_for_the_database():
    await asyncio.get_running_loop().create_future()

def fill_the_log():
    os.set_blocking(2, False)
    for size in (4096, 1):
        try:
            while True:
                os.write(2, b"x" * size)
        except BlockingIOError:
            pass
    os.set_blocking(2, True)

async def ends(end):
    {body}
    end.begin()
    end.begin()
    if stands.is_set():
        await asyncio.get_running_loop().create_future()

end = ending.Ending(seconds={seconds}, telling_seconds={telling_seconds})
asyncio.run(ends(end))
end.over()
threading.Timer(0.5, str).start()
"""
_HELD = "waits = asyncio.ensure_future(waits_for_the_database()); held = asyncio.ensure_future(asyncio.to_thread(stands_still))"
_HELD += "; await asyncio.to_thread(stands.wait)"


def script(body: str, *, seconds: float = 0.2, telling_seconds: float = _LONG_SECONDS) -> list[str]:
    return [sys.executable, "-c", _SCRIPT.format(body=body, seconds=seconds, telling_seconds=telling_seconds)]


def ended(body: str, *, seconds: float = 0.2) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        script(body, seconds=seconds), capture_output=True, text=True, check=False, timeout=IN_VAIN_SECONDS
    )


def test_a_process_whose_thread_cannot_be_told_to_end_is_ended_and_says_where_it_was() -> None:
    done = ended(_HELD)

    assert done.returncode == ending.FAILED
    (line,) = map(json.loads, done.stderr.splitlines())
    assert (line["event"], line["level"], line["seconds"]) == ("server.held", "error", 0.2)
    assert any(place.endswith(" stands_still") for stack in line["threads"].values() for place in stack)
    assert any(stack[0].endswith(" waits_for_the_database") for stack in line["tasks"].values())


def test_a_log_that_nobody_reads_keeps_no_process_from_ending() -> None:
    with subprocess.Popen(
        script(f"fill_the_log(); {_HELD}", telling_seconds=0.2), stderr=subprocess.PIPE, text=True
    ) as held:
        try:
            assert held.wait(IN_VAIN_SECONDS) == ending.FAILED
        finally:
            held.kill()


def test_what_goes_wrong_while_it_says_what_holds_it_is_said() -> None:
    done = ended(f"odd = Odd(waits_for_the_database()); {_HELD}")

    assert done.returncode == ending.FAILED
    assert "ValueError: an odd task" in done.stderr


def test_an_end_in_time_is_left_alone() -> None:
    done = ended("await asyncio.sleep(0)", seconds=_LONG_SECONDS)

    assert (done.returncode, done.stderr) == (0, "")
