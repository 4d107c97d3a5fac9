"""Commits that wait for the writer: which of them may be written together."""

from collections.abc import Sequence

from sqlalchemy import Connection

from gennaker.store.rows import CommitRows
from gennaker.store.writer import Job


class CommitJob(Job[None]):
    """A commit that waits for its answer."""

    __slots__ = ("fence", "rows")

    def __init__(self, rows: CommitRows, fence: int = 0) -> None:
        """`fence` is the server's that commits; 0: no others share the store."""
        super().__init__(_by_the_batches)
        self.rows = rows
        self.fence = fence

    def keys(self) -> set[str]:
        """Keys of the rows that it changes, of whichever table: two that only seem to be the same make a commit wait, no more."""
        rows = self.rows
        found: set[str] = set()
        for execution in rows.executions:
            found.add(execution.id)
            if execution.submission_key:
                found.add(execution.submission_key)
        for key, _, _ in rows.queues:
            found.add(key)
        for row in (*rows.effects, *rows.handed_over, *rows.dropped):
            found.add(str(row[0]))
        return found


def _by_the_batches(_: Connection) -> None:
    """Commits aren't made one by one."""


def apart(waiting: Sequence[CommitJob]) -> tuple[list[CommitJob], list[CommitJob]]:
    """Those of the first commits that touch no row in common, and the others, both in order."""
    lot: list[CommitJob] = []
    others: list[CommitJob] = []
    taken: set[str] = set()
    for job in waiting:
        keys = job.keys()
        if taken.isdisjoint(keys):
            lot.append(job)
        else:
            others.append(job)
        # Also those of a commit that waits: what comes after it must not overtake it.
        taken |= keys
    return lot, others
