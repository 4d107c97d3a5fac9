"""The workflow's loop against a real Temporal, with activities that the test writes."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from tests.temporal_server import TemporalServer

from gennaker.interfaces.shells import Parcel
from gennaker.worker.temporal.messages import (
    EXECUTION,
    LOOK,
    PERFORM,
    STEP,
    Answer,
    Asked,
    Begin,
    Found,
    JsonPayloads,
    Performed,
    Wanted,
)
from gennaker.worker.temporal.workflow import ExecutionWorkflow

pytestmark = pytest.mark.slow
DONE = Performed(event=Parcel(body="done"))
_queues = itertools.count(1)


class Script:
    """What the store and the outside say. The looks and steps of a test follow one another as it lists them."""

    def __init__(self, looks: list[Found], steps: dict[str, Found]) -> None:
        self.looks = looks
        self.steps = steps
        self.wanted: list[Wanted] = []
        self.answered: list[Answer] = []
        self.order: list[str] = []
        self.begun: Counter[str] = Counter()

    @activity.defn(name=LOOK)
    async def look(self, _: str) -> Found:
        return self.looks.pop(0)

    @activity.defn(name=STEP)
    async def step(self, answer: Answer) -> Found:
        self.answered.append(answer)
        self.order.append(f"step {answer.key}")
        return self.steps[answer.key]

    @activity.defn(name=PERFORM)
    async def perform(self, wanted: Wanted) -> Performed:
        key = wanted.key
        self.wanted.append(wanted)
        self.begun[key] += 1
        if key.startswith("broken") and self.begun[key] == 1:
            raise ApplicationError("Somebody has ended it.", non_retryable=True)
        if key.startswith("hang"):
            await self._hang(key)
        self.order.append(f"performed {key}")
        return Performed() if key.startswith("silent") else DONE

    async def _hang(self, key: str) -> None:
        try:
            while True:
                activity.heartbeat()
                await asyncio.sleep(0.05)
        finally:
            await asyncio.sleep(0.3)
            self.order.append(f"ended {key}")


Meanwhile = Callable[[Script, WorkflowHandle[object, object]], Awaitable[None]]
Run = Callable[..., Script]


@pytest.fixture
def run(temporal_server: TemporalServer) -> Run:
    """Runs one workflow to its end."""

    async def main(script: Script, begin: Begin, meanwhile: Meanwhile | None) -> Script:
        client = await Client.connect(
            temporal_server.address, data_converter=DataConverter(payload_converter_class=JsonPayloads)
        )
        queue = f"loop-{next(_queues)}"
        worker = Worker(
            client,
            task_queue=queue,
            workflows=[ExecutionWorkflow],
            activities=[script.look, script.step, script.perform],
            workflow_runner=UnsandboxedWorkflowRunner(),
            # Here, what the loop raises is a failure of the test, not something that a mended version goes on with.
            workflow_failure_exception_types=[Exception],
            max_heartbeat_throttle_interval=timedelta(milliseconds=100),
        )
        async with asyncio.timeout(600), worker:
            handle = await client.start_workflow(EXECUTION, begin, id=f"{queue}/e", task_queue=queue)
            if meanwhile is not None:
                await meanwhile(script, handle)
            await handle.result()
        return script

    def run(
        looks: list[Found], steps: dict[str, Found], *, meanwhile: Meanwhile | None = None, is_continued: bool = False
    ) -> Script:
        begin = Begin(execution_id="e", heartbeat_seconds=60, is_continued=is_continued)
        return asyncio.run(main(Script(looks, steps), begin, meanwhile))

    return run


def whole(*asked: Asked, is_over: bool = False) -> Found:
    return Found(asked=asked, is_whole=True, is_over=is_over)


OVER = Found(is_over=True)


def test_what_is_performed_is_answered_by_a_step_and_what_that_asks_for_follows(run: Run) -> None:
    script = run([whole(Asked("a"))], {"a": Found(asked=(Asked("silent"), Asked("b"))), "b": OVER})

    assert script.answered == [Answer(execution_id="e", key=key, event=DONE.event) for key in ("a", "b")]
    assert sorted(wanted.key for wanted in script.wanted) == ["a", "b", "silent"]


def test_what_needs_no_activity_is_answered_by_its_step_alone(run: Run) -> None:
    script = run([whole(Asked("told", is_performed=False))], {"told": OVER})

    assert script.answered == [Answer(execution_id="e", key="told")]
    assert script.wanted == []


@pytest.mark.parametrize("is_continued", [False, True])
def test_what_is_there_at_the_beginning_may_have_been_begun_unless_the_run_before_ended_in_order(
    run: Run, is_continued: bool
) -> None:
    script = run([whole(Asked("a"))], {"a": Found(asked=(Asked("b"),)), "b": OVER}, is_continued=is_continued)

    assert [wanted.is_repeat for wanted in script.wanted] == [not is_continued, False]


def test_an_effect_waits_until_it_is_due(run: Run) -> None:
    due = datetime.now(UTC) + timedelta(seconds=1)  # noqa: TID251 - Temporal has the machine's clock

    run([whole(Asked("a", due))], {"a": OVER})

    assert datetime.now(UTC) >= due  # noqa: TID251 - as above


def test_an_effect_that_is_dropped_while_it_waits_is_never_performed(run: Run) -> None:
    far = datetime(2100, 1, 1, tzinfo=UTC)

    script = run([whole(Asked("late", far), Asked("a"))], {"a": Found(dropped=("late",), is_over=True)})

    assert [wanted.key for wanted in script.wanted] == ["a"]


def test_an_effect_that_is_due_earlier_by_now_does_not_wait_any_longer(run: Run) -> None:
    far = datetime(2100, 1, 1, tzinfo=UTC)

    script = run([whole(Asked("late", far), Asked("a"))], {"a": Found(asked=(Asked("late"),)), "late": OVER})

    assert [wanted.key for wanted in script.wanted] == ["a", "late"]


def test_what_follows_a_cancelled_run_waits_for_its_end(run: Run) -> None:
    async def meanwhile(script: Script, handle: WorkflowHandle[object, object]) -> None:
        while not script.begun["hang/1"]:  # noqa: ASYNC110 - the test's own list tells nobody
            await asyncio.sleep(0.01)
        await handle.signal(LOOK)

    stop = Asked("stop", after="hang/")
    script = run(
        [whole(Asked("hang/1")), whole(Asked("hang/1"), Asked("cancel", is_performed=False))],
        {"cancel": Found(asked=(stop,), dropped=("hang/1",)), "stop": OVER},
        meanwhile=meanwhile,
    )

    assert script.order == ["step cancel", "ended hang/1", "performed stop", "step stop"]


def test_what_a_look_no_longer_finds_is_dropped(run: Run) -> None:
    async def meanwhile(script: Script, handle: WorkflowHandle[object, object]) -> None:
        while not script.begun["hang"]:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
        await handle.signal(LOOK)

    script = run([whole(Asked("hang")), whole(is_over=True)], {}, meanwhile=meanwhile)

    assert script.order == ["ended hang"]


def test_what_is_asked_for_again_while_it_ends_is_begun_anew_after_that(run: Run) -> None:
    async def meanwhile(script: Script, handle: WorkflowHandle[object, object]) -> None:
        for count in (1, 2):
            while script.begun["hang"] < count:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
            await handle.signal(LOOK)

    drop = Asked("drop", is_performed=False)
    script = run(
        [whole(Asked("hang")), whole(Asked("hang"), drop), whole(is_over=True)],
        {"drop": Found(asked=(Asked("hang"),), dropped=("hang",))},
        meanwhile=meanwhile,
    )

    assert script.begun["hang"] == 2
    assert script.order == ["step drop", "ended hang", "ended hang"]


def test_what_somebody_has_ended_in_temporal_is_begun_anew_as_a_repeat(run: Run) -> None:
    script = run([whole(Asked("a"))], {"a": Found(asked=(Asked("broken"),)), "broken": OVER})

    assert [(wanted.key, wanted.is_repeat) for wanted in script.wanted[1:]] == [("broken", False), ("broken", True)]


def test_the_same_look_twice_begins_nothing_twice(run: Run) -> None:
    async def meanwhile(script: Script, handle: WorkflowHandle[object, object]) -> None:
        while not script.begun["hang"]:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
        for left in (2, 1, 0):
            await handle.signal(LOOK)
            while len(script.looks) > left:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)

    far = datetime(2100, 1, 1, tzinfo=UTC)
    same = whole(Asked("hang"), Asked("late", far))

    script = run([same, same, same, whole(is_over=True)], {}, meanwhile=meanwhile)

    assert script.begun == {"hang": 1}
