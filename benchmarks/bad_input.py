"""Bad input: what a server's memory comes to at most while it runs something huge, and how long that takes.

Run: `python benchmarks/bad_input.py [CASE] [URL]`. Each case in a process of its own: the real worker over the real store (SQLite in
a fresh folder, or the PostgreSQL database of the URL, whose own memory isn't counted), one execution, and a small one submitted
behind it that has to end well. Peak: the process's largest resident set, plugins and Python included; `nothing` is what it
needs for the small one alone.
"""

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.engine import BENCH, Starts, running

from gennaker.interfaces.executions import Submission
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.flow.plugin import plugin as flow
from gennaker.store.postgres.database import is_postgres
from gennaker.worker.core import Core

_LOOKS_AGAIN_SECONDS = 0.05
_MEGABYTE = 1_000_000
_STAGES, _CHILDREN = 5_000, 100


def stage(ref: str, *requires: str, type: str = "noop", **keys: Json) -> JsonObject:  # noqa: A002 - the key's name
    """A stage's JSON."""
    return {"refId": ref, "requisiteStageRefIds": [*requires], "type": type, "name": ref, **keys}


def pipeline(*stages: JsonObject, **keys: Json) -> JsonObject:
    """A pipeline's JSON."""
    return {"application": "bad", "name": "bad", "stages": [*stages], **keys}


def chain() -> JsonObject:
    """5,000 stages in a row."""
    return pipeline(*(stage(str(one), *([str(one - 1)] if one else [])) for one in range(_STAGES)))


def fan() -> JsonObject:
    """4,998 stages between one and one."""
    middle = [str(one) for one in range(1, _STAGES - 1)]
    return pipeline(stage("0"), *(stage(ref, "0") for ref in middle), stage("end", *middle))


def context() -> JsonObject:
    """A text of 50 MB in a stage's context, and a stage after it."""
    return pipeline(stage("a", type="benchNothing", text="x" * 50 * _MEGABYTE), stage("b", "a", type="benchNothing"))


def many_values() -> JsonObject:
    """50 MB of small values in a stage's context."""
    values: JsonObject = {f"key{one:06d}": f"value {one:030d}" for one in range(900_000)}
    return pipeline(stage("a", type="benchNothing", values=values), stage("b", "a", type="benchNothing"))


def expressions() -> JsonObject:
    """100 expressions of 10,000 characters."""
    texts: list[Json] = [f"${{{one}{'+1' * 4_990}}}" for one in range(100)]
    return pipeline(stage("a", type="benchNothing", texts=texts))


def nested() -> JsonObject:
    """100 pipelines in one another."""
    return pipeline(stage("p", type="pipeline", pipeline="n0", application="bad"))


CASES: Mapping[str, Callable[[], JsonObject]] = {
    "nothing": lambda: pipeline(stage("a")),
    "chain": chain,
    "fan": fan,
    "context": context,
    "many values": many_values,
    "expressions": expressions,
    "nested": nested,
}


async def run(case: str, url: str = "") -> JsonObject:
    """Runs a case in this process; its peak in MB, its seconds and how it ended."""
    bad = CASES[case]()
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder), Starts(), url, plugins=(flow,)) as built:
            await _save_nested(built)
            began = time.perf_counter()
            wanted = await built.services.executions.submit(Submission(config=bad), BENCH)
            small = await built.services.executions.submit(Submission(config=pipeline(stage("a"))), BENCH)
            ended = await _ended(built, wanted)
            seconds = time.perf_counter() - began
            beside = await _ended(built, small)
    assert beside.head.status is Status.SUCCEEDED, beside.head
    return {"case": case, "peak_mb": _peak_mb(), "seconds": round(seconds, 1), "status": ended.head.status.value}


def _peak_mb() -> int:
    """Of this program alone: `ru_maxrss` begins with that of the process that started it, and a test run's is large."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found, "only Linux says it"
    return round(int(found[1]) / 1024)


def measured(case: str, url: str) -> JsonObject:
    """As `run`, in a process of its own."""
    command = [sys.executable, __file__, case, url]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: JsonObject = json.loads(done.stdout.splitlines()[-1])
    return found


async def _save_nested(built: Core) -> None:
    for depth in range(_CHILDREN):
        is_last = depth == _CHILDREN - 1
        inner = stage("n") if is_last else stage("p", type="pipeline", pipeline=f"n{depth + 1}", application="bad")
        await built.services.definitions.save("pipeline", f"n{depth}", pipeline(inner), author="benchmark")


async def _ended(built: Core, execution_id: str) -> Execution:
    while True:
        found = await built.services.executions.get(execution_id)
        assert found is not None
        if found.head.status.is_complete:
            return found
        await asyncio.sleep(_LOOKS_AGAIN_SECONDS)


def main() -> None:
    """One case, or all of them."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    url = next((one for one in sys.argv[1:] if is_postgres(one)), "")
    wanted = " ".join(one for one in sys.argv[1:] if one != url).strip()
    if wanted:
        print(json.dumps(asyncio.run(run(wanted, url))))
        return
    for case in CASES:
        print(json.dumps(measured(case, url)))


if __name__ == "__main__":
    main()
