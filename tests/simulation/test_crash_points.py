"""Crash points: wherever the process stops, the next one comes to the same end, and no effect is there twice.

A story (`tests.simulation.story`) is told undisturbed over a real SQLite file, and a picture taken at each point at which
something differs from before: before and after every commit, whoever makes it, and in every gap between performing an
effect and reporting it. From each picture the story is told to its end by a process that knows nothing else. The story is
told in the same order each time, so a moment that a failure names is found again by its number. Every second process that
follows takes a while for its commits, so that the rest happens in another order.
"""

import gc
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from difflib import unified_diff
from functools import partial
from pathlib import Path
from pprint import pformat
from random import Random  # noqa: TID251 - seeded dice
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from tests.simulation import durable, story
from tests.simulation.durable import Album, Installation
from tests.simulation.story import Outside, plugin

from gennaker.engine import replay, rules
from gennaker.model import codec
from gennaker.model.codec import Json
from gennaker.model.execution import Execution, Stage
from gennaker.plugins.flow import plugin as flow
from gennaker.store.database import Database

pytestmark = [pytest.mark.slow, pytest.mark.simulation]
_PARTS = 8
_PARTS_AGAIN = 2
_AT_LEAST = 500
_GAPS_AT_LEAST = 200
"""Between performing an effect outside and recording its result."""
_AGAIN = 12
"""How many of the processes that recover are stopped once more."""
_SLOW_SECONDS = 1.0
"""A commit of every second one takes up to that long, so that things happen in another order."""
_OWN_CHANCE = frozenset({"waitTime"})
"""Drawn by the execution's id, which another order of children changes."""
_THRESHOLDS = (50_000, 20, 50)
"""A fifth less time than with Python's own."""
_MEMORY = Path("/dev/shm")
_NUMBER_OF_EVENT = re.compile(r"(/notify/[^/]+)/\d+/")
"""In a delivery id: how many events came before depends on how long the machine takes, as a poll or a timer is one."""
_A_TIME = 1_000_000_000_000
"""Numbers above are instants in milliseconds."""


class Told:
    """A story that was told to its end, and what came of it without ids and instants."""

    def __init__(self, installation: Installation) -> None:
        installation.tell_to_the_end()
        self.installation = installation
        self.outside: Outside = installation.outside
        names: Counter[str] = Counter()
        self._labels: dict[str, str] = {}
        for execution in installation.executions:
            names[execution.head.name] += 1
            self._labels[execution.head.id] = f"{execution.head.name} {names[execution.head.name]}"
        self.outcome = {self._labels[one.head.id]: self._shape(one) for one in installation.executions}
        self.audit = Counter(
            (one.actor, one.action, self.labelled(one.subject), self._said(one.details)) for one in installation.audit
        )

    def _shape(self, execution: Execution) -> Any:
        head = execution.head
        stages = [self._shape_of(one) for one in execution.in_order()]
        return (head.status.value, head.canceled_by, self.labelled(head.cancellation_reason or ""), stages)

    def _shape_of(self, stage: Stage) -> Any:
        tasks = [(one.name, one.status.value, one.attempt, one.failures) for one in stage.tasks]
        contents = (self.normal(stage.context), self.normal(stage.outputs))
        return (stage.ref_id, stage.name, stage.status.value, stage.attempt, tasks, contents)

    def _said(self, details: Json) -> str:
        assert isinstance(details, dict)
        kept = {key: value for key, value in details.items() if key not in ("repeat", "stage_id", "key")}
        return codec.encode(self.normal(kept)).decode()

    def normal(self, value: Json) -> Json:
        match value:
            case dict():
                return {key: self.normal(one) for key, one in value.items() if key not in _OWN_CHANCE}
            case list():
                return [self.normal(one) for one in value]
            case str():
                return self.labelled(value)
            case int() if value > _A_TIME:
                return "a time"
            case _:
                return value

    def labelled(self, text: str) -> str:
        """The text with executions named as nobody else names them."""
        for execution_id, label in self._labels.items():
            text = text.replace(execution_id, label)
        return text

    def keys(self, counts: Counter[str]) -> Counter[str]:
        """How many there are of each, however often each was asked for."""
        return Counter(_NUMBER_OF_EVENT.sub(r"\1/", self.labelled(key)) for key in counts)

    def check(self, undisturbed: "Told | None" = None) -> None:
        """What holds for every one: docs/guarantees.md. What was the same in the undisturbed story isn't replayed again."""
        installation = self.installation
        assert installation.pending == ()
        assert installation.is_audit_intact
        self._check_effects()
        replayed = () if undisturbed is None else undisturbed.installation.executions
        for execution in installation.executions:
            recorded = installation.events[execution.head.id]
            assert [event.number for event in recorded] == list(range(1, len(recorded) + 1))
            if execution not in replayed:
                known = rules.from_stage_types((*flow.plugin.stages, *plugin(self.outside).stages), durable.SETTINGS)
                assert replay.fold([event.event for event in recorded], known) == execution

    def _check_effects(self) -> None:
        outside, installation = self.outside, self.installation
        effects = Counter(str(one.details["key"]) for one in installation.audit if "key" in one.details)
        assert set(effects.values()) == {1}, "an effect was recorded twice"
        assert max((outside.calls + outside.mails).values()) <= 2
        twice = {key for key, count in (outside.calls + outside.mails).items() if count == 2}
        assert twice <= outside.marked, "a repeat that isn't marked"


@pytest.fixture(autouse=True, scope="module")
def swept() -> Iterator[None]:
    """Hundreds of processes leave much to collect: looked for seldom, and not in what other tests have left."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where the machine has such a folder: what a disk's sync is worth, other tests show."""
    if not os.access(_MEMORY, os.W_OK):
        yield tmp_path
        return
    with TemporaryDirectory(dir=_MEMORY, prefix="gennaker-crashes-") as found:
        yield Path(found)


def undisturbed(folder: Path, wanted: Callable[[int], bool] = lambda _: False) -> tuple[Told, Album]:
    """The story as nobody disturbs it, and the wanted ones of its pictures."""
    Database.open(folder / "undisturbed").close()
    installation = Installation(folder / "undisturbed", Outside())
    installation.define(story.DEFINITIONS)
    return photographed(installation, folder / "album", wanted)


def photographed(installation: Installation, folder: Path, wanted: Callable[[int], bool]) -> tuple[Told, Album]:
    """The rest of the story."""
    with closing(Album(installation, folder, wanted)) as album:
        return Told(installation), album


def test_the_undisturbed_story_does_everything_once(folder: Path) -> None:
    told, _ = undisturbed(folder)
    outside = told.outside

    told.check()

    assert outside.marked == set()
    assert set((outside.calls + outside.mails + outside.stopped).values()) == {1}
    assert {label: shape[0] for label, shape in told.outcome.items()} == {
        "parent 1": "SUCCEEDED",
        "parent 2": "CANCELED",
        "parent 3": "SUCCEEDED",
        "child 1": "SUCCEEDED",
        "child 2": "SUCCEEDED",
        "dependent 1": "SUCCEEDED",
        "dependent 2": "SUCCEEDED",
        "hanging 1": "CANCELED",
        "victim 1": "CANCELED",
        "troubled 1": "SUCCEEDED",
    }


def test_the_story_has_at_least_five_hundred_different_moments_the_same_each_time(folder: Path, tmp_path: Path) -> None:
    _, first = undisturbed(folder)
    _, second = undisturbed(tmp_path)

    assert len(first.moments) >= _AT_LEAST
    assert first.moments == second.moments


def test_its_events_and_effects_are_of_all_kinds(folder: Path) -> None:
    """So that there is a commit of each kind to stop at; what a queue tells an execution itself is part of another's."""
    told, album = undisturbed(folder)
    kinds = {type(one.event).__name__ for events in told.installation.events.values() for one in events}

    assert kinds == {
        *("Submitted", "SubmissionPrepared", "Started", "Queued", "StagePrepared", "AfterStagesPrepared"),
        *("TaskPrepared", "TaskReported", "TaskStopped", "NotificationReported", "TimerRang", "CancelAsked"),
        *("PauseAsked", "ResumeAsked", "StagePatched", "ManualJudgmentGiven", "SkipAsked", "RestartAsked"),
        *("IgnoreFailureAsked", "ChildEnded"),
    }
    gaps = [point.split(":")[1] for point in album.moments if point.startswith("effect.after:")]
    assert set(gaps) == {"RunTask", "StopTask", "Notify"}
    assert len(gaps) >= _GAPS_AT_LEAST


@pytest.mark.parametrize("part", range(_PARTS))
def test_a_stop_anywhere_changes_nothing_but_marked_repeats(folder: Path, part: int) -> None:
    expected, album = undisturbed(folder, lambda number: number % _PARTS == part)

    for number, picture in album.pictures.items():
        following = durable.developed(picture)
        if number % 2:
            following.slowness = partial(Random(number).uniform, 0, _SLOW_SECONDS)
        stopped = Told(following)
        stopped.check(expected)
        same_as(expected, stopped, f"moment {number}, {picture.point}")


def same_as(expected: Told, stopped: Told, where: str) -> None:
    """The same final state, the same records, and every effect at its target."""
    assert difference(expected.outcome, stopped.outcome) == "", where
    assert difference(dict(expected.audit), dict(stopped.audit)) == "", where
    for name in ("made", "calls", "mails", "stopped"):
        before = expected.keys(getattr(expected.outside, name))
        after = stopped.keys(getattr(stopped.outside, name))
        assert after == before, f"{where}: {name}"


def difference(undisturbed: Any, stopped: Any) -> str:
    """Line by line; empty: they are the same."""
    if undisturbed == stopped:
        return ""
    before, after = (pformat(value, width=200).splitlines() for value in (undisturbed, stopped))
    return "\n".join(unified_diff(before, after, "undisturbed", "stopped", n=2, lineterm=""))


@pytest.mark.parametrize("part", range(_PARTS_AGAIN))
def test_a_second_stop_while_recovering_leaves_nothing_but_what_is_said_to_be_unknown(folder: Path, part: int) -> None:
    dice = Random(part)
    first = frozenset(dice.sample(range(_AT_LEAST), _AGAIN // _PARTS_AGAIN))
    expected, album = undisturbed(folder, lambda number: number in first)

    for number, picture in album.pictures.items():
        second = dice.randrange(1 + (_AT_LEAST - number) // 4)
        recovering, more = photographed(
            durable.developed(picture), folder / f"album {number}", lambda number, second=second: number == second
        )
        recovering.check()
        again = Told(durable.developed(more.pictures[second]))

        assert max((again.outside.calls + again.outside.mails).values()) <= 2
        if "its outcome is unknown" not in repr(again.installation.executions):
            again.check()
            assert {label: shape[0] for label, shape in again.outcome.items()} == {
                label: shape[0] for label, shape in expected.outcome.items()
            }
