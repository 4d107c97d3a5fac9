"""One suite for every shell: whichever drives the executions, the store holds the same afterwards.

What is compared: executions and their stages, journals, audit records, the outbox (empty), and what has arrived outside. Masked
are instants, ids that can't be the same twice, and how often something that waits has looked; the order of events is left open,
as branches run side by side, but each journal must fold to its state.
"""

import asyncio
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from temporalio.client import Client, WorkflowExecutionStatus
from tests import shell_stages, shells
from tests import temporal_server as temporal
from tests.fakes.scripted import Target
from tests.shell_scenarios import SCENARIOS, Lab, News
from tests.temporal_server import TemporalServer

from gennaker.engine import differences, replay, rules
from gennaker.interfaces.executions import Found
from gennaker.interfaces.journal import RecordedEvent
from gennaker.model import codec
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Again, TaskReported
from gennaker.model.execution import Execution
from gennaker.plugins.flow import plugin as flow
from gennaker.settings import Settings

pytestmark = [pytest.mark.debian, pytest.mark.slow, pytest.mark.xdist_group("shells")]

OTHERS = ["embedded on PostgreSQL", "Temporal on PostgreSQL"]
_QUIET_SECONDS = 600
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z|\b\d\d:\d\d:\d\d\b|\bPT[\d.]+S\b|\b\d+ seconds?\b")
"""An instant, a time of day, a length of time."""
_LOOKS = re.compile(r"(/\d+\.\d+/(?:prepare/)?|/ended/|/notify/pipeline\.\w+/)\d+")
_COUNTS = re.compile(r",\"(?:poll|version)\":\d+")
"""Numbers of events and looks, in keys and records: how often a task that waits has looked depends on how fast all was."""
_NUMBER = re.compile(r"(?:\b|(?<=_))1[6-9]\d{11}\b")
"""Milliseconds since 1970, also at the end of a child's correlation id."""


Left = dict[str, JsonObject | Exception]
"""What each scenario has left, masked, or what it has raised."""


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """What all scenarios leave with the embedded loop on SQLite."""
    return left_by(shells.settings_of(), tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="module", params=OTHERS)
def other(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, temporal_server: TemporalServer
) -> Left:
    """What all scenarios leave with another shell or another database."""
    address = temporal_server.address if request.param.startswith("Temporal") else ""
    with request.getfixturevalue("postgres_server").database() as url:
        settings = shells.settings_of(url=url, temporal_address=address, task_queue="conformance")
        return left_by(settings, tmp_path_factory.mktemp("postgres"))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_runs_as_it_must_on_the_embedded_shell(reference: Left, scenario: str) -> None:
    raised = reference[scenario]
    if isinstance(raised, Exception):
        raise raised


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_shell_leaves_the_same_in_the_store(reference: Left, other: Left, scenario: str) -> None:
    left = other[scenario]
    if isinstance(left, Exception):
        raise left
    expected = reference[scenario]
    assert isinstance(expected, dict), "it is told by its own test"
    assert list(differences.between(expected, left)) == []


LONG = ("branches_and_joins", "synthetic_stages", "pausing", "queueing")
_LONG_EVENTS = 40
"""Temporal suggests a new run after so many; its own default is some thousands."""


def test_a_long_run_goes_on_as_a_new_one_and_leaves_the_same(
    reference: Left, postgres_url: str, tmp_path: Path
) -> None:
    with temporal.running(f"limit.historyCount.suggestContinueAsNew={_LONG_EVENTS}") as server:
        settings = shells.settings_of(url=postgres_url, temporal_address=server.address)
        left = left_by(settings, tmp_path, LONG)
        continued = asyncio.run(runs_that_went_on(server.address))

    for scenario in LONG:
        found, expected = left[scenario], reference[scenario]
        assert isinstance(found, dict), scenario
        assert isinstance(expected, dict), scenario
        assert list(differences.between(expected, found)) == []
    assert continued >= len(LONG)


async def runs_that_went_on(address: str) -> int:
    client = await Client.connect(address)
    async with asyncio.timeout(_QUIET_SECONDS):
        found = [run async for run in client.list_workflows() if run.status is WorkflowExecutionStatus.CONTINUED_AS_NEW]
    return len(found)


def left_by(settings: Settings, folder: Path, names: Iterable[str] = SCENARIOS) -> Left:
    """Runs scenarios beside one another in one installation."""

    async def main() -> Left:
        target, news = Target(), News()
        plugins = (flow.plugin, shell_stages.plugin(target))
        async with shells.running(settings, folder, plugins) as running, asyncio.TaskGroup() as group:
            services = running.core.services
            hearing = group.create_task(news.hear(services))
            labs = [Lab(name, services, news, target) for name in names]
            left = await asyncio.gather(*(one(running, lab) for lab in labs))
            hearing.cancel()
            return {lab.name: found for lab, found in zip(labs, left, strict=True)}

    async def one(running: shells.Running, lab: Lab) -> JsonObject | Exception:
        try:
            await SCENARIOS[lab.name](lab)
            return await contents(lab, running)
        except Exception as error:  # noqa: BLE001 - it is raised by the test of this scenario
            return error

    return asyncio.run(main())


async def contents(lab: Lab, running: shells.Running) -> JsonObject:
    """Of one scenario, once nothing of it is in the outbox any more."""
    found = await running.core.services.executions.find(Found(application=lab.name, limit=100))
    await quiet(running, {execution.head.id for execution in found})
    executions = [await stored(running, execution.head.id) for execution in found]
    mask = Mask(executions)
    events = {one.head.id: await running.store.journal.events(one.head.id) for one in executions}
    for one in executions:
        assert_replays(running, one, events[one.head.id])
    records = await running.store.audit.records(limit=100_000)
    subjects = {f"execution:{key}" for key in events}
    audit = [record.entry for record in records if record.entry.subject in subjects]
    target = lab.target
    return {
        "executions": {mask.names[one.head.id]: mask(one.head) for one in executions},
        "stages": {mask.names[one.head.id]: mask(list(one.in_order())) for one in executions},
        "events": {mask.names[key]: mask.unordered(decided(listed)) for key, listed in events.items()},
        "audit": mask.unordered(audit),
        "made": mask({key: times for key, times in target.made.items() if mask.is_own(key)}),
        "mails": mask({key: times for key, times in target.inbox.mails.items() if mask.is_own(key)}),
        "calls": mask({key: times for key, times in target.calls.items() if mask.is_own(key)}),
        "order": mask(sorted(what for what in target.order if mask.is_own(what))),
    }


async def quiet(running: shells.Running, executions: set[str]) -> None:
    async with asyncio.timeout(_QUIET_SECONDS):
        while any(one.execution_id in executions for one in await running.store.journal.pending()):  # noqa: ASYNC110 - a store
            await asyncio.sleep(0.05)


def decided(recorded: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    """Without numbers, and without what a task said that goes on waiting: what it has seen depends on when it looked."""
    return [
        replace(one, number=0)
        for one in recorded
        if not (isinstance(one.event, TaskReported) and isinstance(one.event.result, Again))
    ]


async def stored(running: shells.Running, execution_id: str) -> Execution:
    execution = await running.store.journal.load(execution_id)
    assert execution is not None
    return execution


def assert_replays(running: shells.Running, execution: Execution, recorded: Sequence[RecordedEvent]) -> None:
    """The journal has no gap, and gives the stored state again."""
    assert [one.number for one in recorded] == list(range(1, execution.head.version + 1))
    types = {id(one): one for one in running.core.stage_types.values()}.values()
    again = replay.fold([one.event for one in recorded], rules.from_stage_types(types))
    assert differences.of_states(execution, again) == ()


class Mask:
    """JSON of records, sorted, with a name in the place of each id that is another one in each run, and without instants."""

    def __init__(self, executions: Sequence[Execution]) -> None:
        """Children have ids of their own; stages have them from their execution's."""
        self.names = {
            one.head.id: one.head.id if one.head.id.startswith(one.head.application) else f"child {one.head.name}"
            for one in executions
        }
        self._replaced = dict(self.names)
        for one in executions:
            for stage in one.stages.values():
                self._replaced[stage.id] = f"{self.names[one.head.id]}:{stage.ref_id}"

    def is_own(self, key: str) -> bool:
        """Whether it begins with an id of these executions or their stages."""
        return key.startswith(tuple(self._replaced))

    def __call__(self, record: object) -> Json:
        text = codec.encode_sorted(record).decode()
        for found, name in self._replaced.items():
            text = text.replace(found, name)
        for pattern, mask in ((_INSTANT, "<instant>"), (_NUMBER, "0"), (_LOOKS, r"\g<1>0"), (_COUNTS, "")):
            text = pattern.sub(mask, text)
        return codec.decode_json(text)

    def unordered(self, records: Sequence[msgspec.Struct]) -> Json:
        """For what happens side by side."""
        return sorted((self(one) for one in records), key=codec.encode_sorted)
