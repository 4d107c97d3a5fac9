"""Inspecting: gathers what is known about an execution and everything that it waits for."""

from collections import deque
from datetime import datetime

from gennaker.engine import blockers
from gennaker.interfaces.inspection import Facts, Known, Workforce
from gennaker.interfaces.journal import Journal
from gennaker.model.execution import Execution
from gennaker.model.problems import Problem, Refused
from gennaker.model.queue import Queue

_AT_MOST = 50
"""Executions in one answer: a person reads it."""


async def facts(journal: Journal, execution_id: str, *, at: datetime, workforce: Workforce) -> Facts:
    """Follows the waits from execution to execution. Raises Refused(404)."""
    known: dict[str, Known] = {}
    queues: dict[str, Queue] = {}
    wanted = deque([execution_id])
    while wanted and len(known) < _AT_MOST:
        found_id = wanted.popleft()
        if not found_id or found_id in known:
            continue
        execution = await journal.load(found_id)
        if execution is None:
            continue
        known[found_id] = Known(
            execution=execution, outbox=await journal.pending_of(found_id), journal=await journal.events(found_id)
        )
        await _look_at_queue(journal, execution, queues)
        wanted.extend(blockers.executions(execution))
        wanted.extend(running for queue in queues.values() for running in queue.running)
    if execution_id not in known:
        raise Refused(Problem(code="execution.unknown", message=f"There is no execution {execution_id}."), status=404)
    return Facts(at=at, execution_id=execution_id, known=known, queues=queues, workforce=workforce)


async def _look_at_queue(journal: Journal, execution: Execution, queues: dict[str, Queue]) -> None:
    key = blockers.queue(execution)
    if key is not None and key not in queues:
        queues[key] = await journal.load_queue(key)
