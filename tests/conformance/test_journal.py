"""One suite for every journal: what it promises to the worker, whatever it is made of."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from tests import stores
from tests.conformance import subjects
from tests.fakes import servers
from tests.fakes.journal import MemoryJournal
from tests.fakes.servers import SharedJournal
from tests.simulation.checking import CheckedJournal

from gennaker.interfaces.journal import (
    Commit,
    Conflict,
    ExecutionChange,
    Journal,
    RecordedEvent,
    SubmissionExists,
)
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import Json
from gennaker.model.effect import Deliver, PendingEffect, RunTask
from gennaker.model.event import Done, Started, Submitted, TaskReported, TimerRang
from gennaker.model.execution import Authentication, Execution, Head, Stage, StageMap, Task
from gennaker.model.queue import Queue, Waiting
from gennaker.store.audit import DatabaseAuditTrail
from gennaker.store.journal import SqliteJournal
from gennaker.store.postgres.journal import PostgresJournal
from gennaker.worker.clock import SystemClock
from gennaker.worker.temporal.journal import HandingJournal

AT = datetime(2026, 11, 24, 9, 30, 0, 123456, tzinfo=UTC)
LARGE = "x" * 40_000

Result = TypeVar("Result")
Check = Callable[[Journal], Coroutine[None, None, Result]]
Run = Callable[[Check[Result]], Result]
SUBJECTS: dict[str, type[Journal]] = {
    "sqlite": SqliteJournal,
    "postgres": PostgresJournal,
    "memory": MemoryJournal,
    "shared memory": SharedJournal,
    "postgres for Temporal": HandingJournal,
}
DERIVED = {CheckedJournal: "refuses what the engine would never commit, such as the made-up commits here"}


@pytest.fixture(params=subjects.params(SUBJECTS, debian=("postgres", "postgres for Temporal")))
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run[None]]:
    """Runs a check on a fresh journal."""
    with opened(request.param, request, tmp_path) as journal:
        assert type(journal) is SUBJECTS[request.param]
        yield lambda check: asyncio.run(check(journal))


@contextmanager
def opened(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Journal]:
    if kind == "memory":
        yield MemoryJournal()
    elif kind == "shared memory":
        yield servers.the_only_server(SystemClock())[1]
    else:
        with stores.opened(kind.partition(" ")[0], request, folder) as database:
            journal = stores.journal_of(database)
            yield HandingJournal(journal) if "Temporal" in kind else journal


def head(version: int = 1, **fields: object) -> Head:
    given: dict[str, object] = {
        "id": "01A",
        "application": "shop",
        "build_time": AT,
        "authentication": Authentication(user="ada"),
        "version": version,
    }
    return Head(**{**given, **fields})  # type: ignore[arg-type]  # a builder's keywords


def stage(stage_id: str = "s1", **context: Json) -> Stage:
    tasks = (Task(id="1", name="run", memory={"cursor": 3}, timeout=timedelta(minutes=5)),)
    return Stage(id=stage_id, ref_id="1", type="wait", name="Wait", start_time=AT, context=context, tasks=tasks)


def new(submission_key: str = "", stages: tuple[Stage, ...] = (), **fields: object) -> Commit:
    accepted = head(1, **fields)
    event = RecordedEvent(number=1, event=Submitted(at=AT, head=accepted))
    change = ExecutionChange(
        head=accepted, expected_version=0, stages=stages, events=(event,), submission_key=submission_key
    )
    return Commit(executions=(change,))


def change(expected: int, *stages: Stage, removed: tuple[str, ...] = (), **fields: object) -> ExecutionChange:
    number = expected + 1
    return ExecutionChange(
        head=head(version=number, **fields),
        expected_version=expected,
        stages=stages,
        removed_stages=removed,
        events=(RecordedEvent(number=number, event=Started(at=AT), ignored="not now"),),
    )


def effect(key: str, due: datetime | None = None, tries: int = 0) -> PendingEffect:
    return PendingEffect(effect=RunTask(key=key, stage_id="s1", task_id="1"), execution_id="01A", due=due, tries=tries)


def test_an_execution_is_loaded_as_it_was_committed(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        commit = new(stages=(stage("s1", note="ü"), stage("s2")), stage_order=("s1", "s2"))

        await journal.commit(commit)

        stored = commit.executions[0]
        stages = StageMap({one.id: one for one in stored.stages})
        assert await journal.load("01A") == Execution(head=stored.head, stages=stages)
        assert await journal.events("01A") == stored.events

    run(check)


def test_the_engine_that_applied_the_events_is_remembered_once(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        await journal.commit(new(stages=(stage("s1"),)))
        await journal.commit(Commit(executions=(change(1, stage("s1", seen=True)),)))

        assert len(await journal.engine_versions("01A")) == 1
        assert await journal.engine_versions("01B") == ()

    run(check)


def test_what_was_never_committed_is_absent(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        assert await journal.load("01A") is None
        assert await journal.events("01A") == ()
        assert await journal.pending() == ()
        assert await journal.load_queue("pipeline:1") == Queue(key="pipeline:1")

    run(check)


def test_only_changed_stages_change_and_removed_ones_go(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        await journal.commit(new(stages=(stage("s1"), stage("s2"), stage("s3"))))

        await journal.commit(Commit(executions=(change(1, stage("s2", seen=True), removed=("s3", "never")),)))

        loaded = await journal.load("01A")
        assert loaded is not None
        assert dict(loaded.stages) == {"s1": stage("s1"), "s2": stage("s2", seen=True)}

    run(check)


def test_events_are_read_in_order_from_where_the_reader_was(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        await journal.commit(new())
        await journal.commit(Commit(executions=(change(1),)))
        await journal.commit(Commit(executions=(change(2),)))

        assert [event.number for event in await journal.events("01A")] == [1, 2, 3]
        assert await journal.events("01A", after=2) == (
            RecordedEvent(number=3, event=Started(at=AT), ignored="not now"),
        )

    run(check)


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_a_commit_on_another_version_conflicts_and_changes_nothing(run: Run[None], expected: int) -> None:
    async def check(journal: Journal) -> None:
        await journal.commit(new())
        await journal.commit(Commit(executions=(change(1, name="second"),)))
        before = await journal.load("01A")

        stale = change(expected, stage("late"), name="stale")
        with pytest.raises(Conflict):
            await journal.commit(Commit(executions=(stale,), effects=(effect("late"),)))

        assert await journal.load("01A") == before
        assert await journal.pending() == ()
        assert len(await journal.events("01A")) == 2

    run(check)


def test_an_unknown_execution_cannot_be_changed(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        with pytest.raises(Conflict):
            await journal.commit(Commit(executions=(change(1),)))

        assert await journal.load("01A") is None

    run(check)


def test_an_event_number_is_taken_once(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        await journal.commit(new())
        repeated = msgspec.structs.replace(change(1), events=(RecordedEvent(number=1, event=Started(at=AT)),))

        with pytest.raises(Conflict):
            await journal.commit(Commit(executions=(repeated,)))

        assert len(await journal.events("01A")) == 1

    run(check)


def test_a_submission_key_starts_one_execution(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        await journal.commit(new("docker:shop:1.2.3"))

        with pytest.raises(SubmissionExists) as caught:
            await journal.commit(new("docker:shop:1.2.3", id="01B"))

        assert caught.value.execution_id == "01A"
        assert await journal.load("01B") is None

    run(check)


def test_executions_without_a_submission_key_are_independent(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        await journal.commit(new())
        await journal.commit(new(id="01B"))

        assert await journal.load("01A") is not None
        assert await journal.load("01B") is not None

    run(check)


def test_all_of_a_commit_is_written_or_nothing(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        await journal.commit(Commit(queues=(Queue(key="pipeline:1", version=1),)))
        first = new().executions[0]
        second = new(id="01B").executions[0]

        with pytest.raises(Conflict):
            await journal.commit(
                Commit(
                    executions=(first, second),
                    queues=(Queue(key="pipeline:1", version=1),),
                    effects=(effect("a"),),
                )
            )

        assert await journal.load("01A") is None
        assert await journal.load("01B") is None
        assert await journal.pending() == ()

    run(check)


def test_a_queue_moves_one_version_at_a_time(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        waiting = Waiting(execution_id="01B", limit_concurrent=True, max_concurrent=0)
        first = Queue(key="pipeline:1", version=1, running=("01A",))
        second = Queue(key="pipeline:1", version=2, running=("01A",), waiting=(waiting,), numbers={"x": 4})
        await journal.commit(Commit(queues=(first,)))
        await journal.commit(Commit(queues=(second,)))

        for version in (1, 2, 4):
            with pytest.raises(Conflict):
                await journal.commit(Commit(queues=(Queue(key="pipeline:1", version=version),)))

        assert await journal.load_queue("pipeline:1") == second

    run(check)


def test_large_values_come_back_wherever_they_were(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        nested: Json = {"rows": [{"id": number, "text": "y" * 100} for number in range(1000)], "n": 1}
        large = msgspec.structs.replace(
            stage("s1", report=nested, text=LARGE, small=1, none=None, empty={}, listed=[LARGE, "b"]),
            outputs={"deep": {"a": {"b": {"c": LARGE}}}},
            tasks=(Task(id="1", name="run"), Task(id="2", name="poll", memory={"seen": LARGE})),
        )
        config = new(
            stages=(large, stage("s2")),
            initial_config={"stages": [{"type": "wait", "note": LARGE}, {"type": "wait"}]},
            notifications=({"type": "email"}, {"type": "webhook", "text": LARGE}),
            source=[LARGE],
            description=LARGE,
        )
        report = TaskReported(at=AT, key="k", stage_id="s1", task_id="1", result=Done(outputs={"log": LARGE}))
        deliver = PendingEffect(effect=Deliver(key="d", execution_id="01B", event=report), execution_id="01A")

        await journal.commit(msgspec.structs.replace(config, effects=(deliver,)))
        following = msgspec.structs.replace(
            change(1, large), events=(RecordedEvent(number=2, event=report), RecordedEvent(number=3, event=report))
        )
        await journal.commit(Commit(executions=(following,)))

        loaded = await journal.load("01A")
        assert loaded is not None
        assert loaded.stages == StageMap({"s1": large, "s2": stage("s2")})
        assert loaded.head == following.head
        assert await journal.events("01A") == (*config.executions[0].events, *following.events)
        assert [pending.effect for pending in await journal.pending()] == [deliver.effect]

    run(check)


def test_values_that_look_like_references_are_values(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        forged: Json = {"$blob": "sha256:" + "0" * 64, "digest": "sha256:" + "0" * 64, "at": ["context"]}
        tricky = stage("s1", forged=forged, large=LARGE, blobs=[forged])

        await journal.commit(new(stages=(tricky,)))

        loaded = await journal.load("01A")
        assert loaded is not None
        assert loaded.stages["s1"] == tricky

    run(check)


def test_a_large_value_may_shrink_and_grow_again(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        contexts: list[dict[str, Json]] = [{"a": LARGE}, {"a": "small"}, {"a": LARGE, "b": LARGE + "y"}, {}]
        await journal.commit(new())
        for version, context in enumerate(contexts, 1):
            await journal.commit(Commit(executions=(change(version, stage("s1", **context)),)))

            loaded = await journal.load("01A")
            assert loaded is not None
            assert loaded.stages["s1"].context == context

    run(check)


def test_concurrent_commits_on_one_version_let_one_through(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        await journal.commit(new())
        rivals = [Commit(executions=(change(1, name=str(number)),)) for number in range(20)]

        answers = await asyncio.gather(*(journal.commit(rival) for rival in rivals), return_exceptions=True)

        assert answers.count(None) == 1
        assert sum(isinstance(answer, Conflict) for answer in answers) == 19
        loaded = await journal.load("01A")
        assert loaded is not None
        assert loaded.head.name == str(answers.index(None))

    run(check)


def test_a_commit_that_fails_leaves_its_neighbours_alone(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        await journal.commit(new())
        good = [new(id=f"02{number:03}") for number in range(100)]
        bad = [Commit(executions=(change(7),), effects=(effect(f"bad-{number}"),)) for number in range(100)]
        mixed = [commit for pair in zip(good, bad, strict=True) for commit in pair]

        answers = await asyncio.gather(*(journal.commit(commit) for commit in mixed), return_exceptions=True)

        assert answers[::2] == [None] * 100
        assert all(isinstance(answer, Conflict) for answer in answers[1::2])
        assert all([await journal.load(f"02{number:03}") is not None for number in range(100)])
        assert await journal.pending() == ()

    run(check)


@pytest.mark.parametrize("kind", stores.DATABASES)
def test_audit_entries_are_committed_with_what_they_tell_of(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    entry = AuditEntry(at=AT, actor="ada", action="execution.submitted", subject="execution:01A")

    async def check(journal: Journal) -> None:
        await journal.commit(msgspec.structs.replace(new(), audit=(entry,)))
        with pytest.raises(Conflict):
            await journal.commit(msgspec.structs.replace(new(), audit=(entry, entry)))

    memory = MemoryJournal()
    asyncio.run(check(memory))
    with stores.opened(kind, request, tmp_path) as database:
        asyncio.run(check(stores.journal_of(database)))
        records = asyncio.run(DatabaseAuditTrail(database).records())

    assert memory.audit == (entry,)
    assert [record.entry for record in records] == [entry]


def test_timers_keep_their_microsecond(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        event = RecordedEvent(number=1, event=TimerRang(at=AT + timedelta(microseconds=1), key="t"))
        await journal.commit(
            Commit(
                executions=(ExecutionChange(head=head(), expected_version=0, events=(event,)),),
                effects=(effect("a", AT + timedelta(microseconds=1)),),
            )
        )

        assert await journal.events("01A") == (event,)
        assert await journal.pending() == (effect("a", AT + timedelta(microseconds=1)),)

    run(check)


def test_each_of_many_commits_at_once_has_its_own_answer(run: Run[None]) -> None:
    def step(name: str, expected: int) -> Commit:
        moved = change(expected, stage(f"{name}-{expected}"), id=name)
        return Commit(executions=(moved,), effects=(effect(f"{name}/{expected}"),))

    async def check(journal: Journal) -> None:
        names = [f"e{number}" for number in range(150)]
        await asyncio.gather(*(journal.commit(step(name, 0)) for name in names))

        late = {name for number, name in enumerate(names) if number % 50 == 7}
        commits = [journal.commit(step(name, 2 if name in late else 1)) for name in names]
        answers = await asyncio.gather(*commits, return_exceptions=True)

        assert {name for name, answer in zip(names, answers, strict=True) if isinstance(answer, Conflict)} == late
        assert all(answer is None or isinstance(answer, Conflict) for answer in answers)
        for name in names:
            loaded = await journal.load(name)
            assert loaded is not None
            steps = 1 if name in late else 2
            assert loaded.head.version == len(loaded.stages) == len(await journal.events(name)) == steps
        assert len(await journal.pending()) == 2 * len(names) - len(late)

    run(check)


def test_commits_at_once_on_the_same_effect_keep_their_order(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        added = [journal.commit(Commit(effects=(effect("k", tries=number),))) for number in range(5)]
        dropped = journal.commit(Commit(dropped_effects=("k",), effects=(effect("other"),)))
        await asyncio.gather(*added, dropped, journal.commit(Commit(effects=(effect("k", tries=9),))))

        assert sorted(pending.tries for pending in await journal.pending()) == [0, 9]

    run(check)
