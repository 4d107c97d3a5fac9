"""Records that several threads read for the first time."""

import subprocess
import sys

import pytest

# Each class is read by three threads at once, which take turns as often as they can.
_READERS = """
import sys, threading
import msgspec
from gennaker.model import first_use

NAMES = [f"field{number}" for number in range(20)]


def defined(number):
    inner = msgspec.defstruct(f"Inner{number}", [(name, "int | str | list[int]") for name in NAMES])
    return msgspec.defstruct(f"Outer{number}", [("inner", inner), *((name, "dict[str, int | None]", {}) for name in NAMES)])


def read(kind, barrier):
    barrier.wait()
    msgspec.convert({"inner": dict.fromkeys(NAMES, 1), **dict.fromkeys(NAMES, {"a": 1})}, kind)


kinds = [defined(number) for number in range(500)]
first_use.learn()
sys.setswitchinterval(1e-6)
for kind in kinds:
    barrier = threading.Barrier(3)
    threads = [threading.Thread(target=read, args=(kind, barrier)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


@pytest.mark.slow
def test_threads_may_read_records_of_a_class_at_once_for_the_first_time() -> None:
    done = subprocess.run([sys.executable, "-c", _READERS], capture_output=True, text=True, check=False, timeout=600)

    assert (done.returncode, done.stderr) == (0, "")
