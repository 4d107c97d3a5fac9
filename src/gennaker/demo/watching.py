"""Watching the demo's server through its API: waiting for executions, and measuring it from outside."""

import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx2

from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.transport import tls
from gennaker.transport.client import Client

_LOOKS_EVERY_SECONDS = 0.2
_FINAL = frozenset({"SUCCEEDED", "TERMINAL", "CANCELED", "STOPPED", "SKIPPED", "FAILED_CONTINUE"})


class Watcher:
    """Waits for what the pipelines do."""

    def __init__(self, client: Client, now: Callable[[str], None]) -> None:
        """`now` is told what is under way."""
        self._client = client
        self._now = now

    def execution(self, execution_id: str) -> JsonObject:
        """An execution as it is."""
        return _object(self._client.get(f"/api/v1/executions/{execution_id}"))

    def executions(self, application: str, name: str) -> list[JsonObject]:
        """Executions of a pipeline, newest first."""
        answer = _object(self._client.get("/api/v1/executions", application=application, name=name, limit="50"))
        found = answer["executions"]
        return [_object(one) for one in found] if isinstance(found, list) else []

    def new_execution(self, application: str, name: str, *, known: set[str], within: float) -> JsonObject:
        """The execution of a pipeline that wasn't there before. Raises Refused after the time."""

        def look() -> JsonObject | None:
            return next((one for one in self.executions(application, name) if str(one["id"]) not in known), None)

        return self._until(look, within, f"{name} to start")

    def end_of(self, execution_id: str, *, within: float) -> JsonObject:
        """The execution, ended. Raises Refused after the time."""

        def look() -> JsonObject | None:
            found = self.execution(execution_id)
            self._now(f"{found['name']}: {found.get('waitingFor') or found.get('currentStage') or found['status']}")
            return found if found["status"] in _FINAL else None

        return self._until(look, within, f"execution {execution_id} to end")

    def judgment_in(self, execution_id: str, *, within: float) -> JsonObject | None:
        """The execution once a manual judgment waits; None if it ends without one."""

        def look() -> JsonObject | None:
            found = self.execution(execution_id)
            self._now(f"{found['name']}: {found.get('waitingFor') or found.get('currentStage') or found['status']}")
            return found if found["status"] in _FINAL or waiting_judgment(found) else None

        found = self._until(look, within, f"execution {execution_id} to ask for a judgment")
        return found if waiting_judgment(found) else None

    def _until(self, look: Callable[[], JsonObject | None], within: float, what: str) -> JsonObject:
        until = time.monotonic() + within
        while (found := look()) is None:
            if time.monotonic() > until:
                raise Refused(
                    Problem(code="demo.too_slow", message=f"Waited {within:.0f} s for {what}, and it did not come.")
                )
            time.sleep(_LOOKS_EVERY_SECONDS)
        return found


class Meter:
    """Measures the server process's memory (PSS) all the time."""

    def __init__(self, pid: Callable[[], int]) -> None:
        """`pid` of the process as it is now."""
        self.most_bytes = 0
        self._pid = pid
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops measuring."""
        self._is_ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_ending.wait(0.5):
            self.most_bytes = max(self.most_bytes, pss_bytes(self._pid()))


def pss_bytes(pid: int) -> int:
    """Proportional set size of a process; 0 if it is gone."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:")), 0)


def served_version(address: str) -> str:
    """Which version answers at a load balancer."""
    with httpx2.Client(trust_env=False, verify=tls.trusted(), timeout=5) as http:
        answer: Json = http.get(f"http://{address}/version").json()
    return str(answer["version"]) if isinstance(answer, dict) else ""


def seconds_until_only(address: str, version: str, *, began: float, within: float) -> float | None:
    """How long after `began` a client sees nothing but this version (20 answers in a row); None: not in time."""
    in_a_row, first = 0, began
    with httpx2.Client(trust_env=False, verify=tls.trusted(), timeout=5) as http:
        while time.monotonic() < began + within:
            answer: Json = http.get(f"http://{address}/version").json()
            if isinstance(answer, dict) and answer.get("version") == version:
                first = time.monotonic() if in_a_row == 0 else first
                in_a_row += 1
                if in_a_row >= 20:
                    return first - began
            else:
                in_a_row = 0
            time.sleep(0.01)
    return None


def waiting_judgment(execution: JsonObject) -> JsonObject | None:
    """The manual judgment that waits in an execution."""
    stages = execution.get("stages")
    for stage in stages if isinstance(stages, list) else []:
        if isinstance(stage, dict) and stage["type"] == "manualJudgment" and stage["status"] == "RUNNING":
            return stage
    return None


def stage(execution: JsonObject, name: str) -> JsonObject:
    """A stage by name. Raises KeyError."""
    stages = execution.get("stages")
    for one in stages if isinstance(stages, list) else []:
        if isinstance(one, dict) and one["name"] == name:
            return one
    raise KeyError(name)


def statuses(execution: JsonObject) -> dict[str, str]:
    """Statuses of the pipeline's own stages by name."""
    stages = execution.get("stages")
    listed = stages if isinstance(stages, list) else []
    return {str(one["name"]): str(one["status"]) for one in listed if isinstance(one, dict) and not one["parentId"]}


def problems(execution: JsonObject) -> str:
    """What went wrong, in words."""
    listed = execution.get("problems")
    return "; ".join(
        str(one.get("message")) for one in (listed if isinstance(listed, list) else []) if isinstance(one, dict)
    )


def reason(execution: JsonObject) -> str:
    """The last thing that went wrong, in a line or two: what comes before has led to it."""
    listed = execution.get("problems")
    last = listed[-1] if isinstance(listed, list) and listed else None
    return textwrap.shorten(str(last.get("message")), 300, placeholder=" …") if isinstance(last, dict) else ""


def _object(value: Json) -> JsonObject:
    assert isinstance(value, dict)
    return value
