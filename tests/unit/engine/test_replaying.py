"""Replaying: bit for bit on the same engine, the first difference otherwise, and every state on the way."""

import pytest
from msgspec.structs import replace
from tests import recordings

from gennaker.engine import recording, replaying
from gennaker.engine.recording import Recording
from gennaker.model.codec import encode
from gennaker.model.problems import Refused
from gennaker.model.statuses import Status


@pytest.fixture(scope="module")
def rich() -> Recording:
    return recordings.rich()


def test_a_journal_gives_its_state_again_bit_for_bit(rich: Recording) -> None:
    verdict = replaying.check(rich, engine="0.1.0")

    assert verdict.is_same, verdict
    assert verdict.sentence == f"{len(rich.events)} events give the stored state again, bit for bit."


def test_a_recording_reads_back_from_its_file_as_what_it_was(rich: Recording) -> None:
    assert recording.read(encode(recording.to_json(rich))) == rich


def test_a_state_that_was_changed_is_found_and_named(rich: Recording) -> None:
    stages = tuple(replace(one, status=Status.SKIPPED) if one.ref_id == "soak" else one for one in rich.stages)

    verdict = replaying.check(replace(rich, stages=stages), engine="0.1.0")

    assert not verdict.is_same
    assert [(one.pointer, one.before, one.after) for one in verdict.differences] == [
        ("/stages/soak/status", "SKIPPED", "SUCCEEDED")
    ]
    assert "in the last state at /stages/soak/status: a fault of the engine" in verdict.sentence


def test_an_event_that_another_engine_takes_otherwise_is_a_semantic_difference(rich: Recording) -> None:
    events = tuple(replace(one, ignored="it was late") if one.number == 5 else one for one in rich.events)

    verdict = replaying.check(replace(rich, events=events), engine="9.0.0")

    assert (verdict.is_same, verdict.at_event) == (False, 5)
    assert verdict.sentence.startswith("A semantic difference: engine 9.0.0 takes what engine 0.1.0 has recorded")


def test_every_state_on_the_way_can_be_shown(rich: Recording) -> None:
    versions = [replaying.at(rich, number).head.version for number in range(1, len(rich.events) + 1)]

    assert versions == [one.number for one in rich.events]
    assert replaying.at(rich, 1).head.status is Status.NOT_STARTED
    assert replaying.at(rich, len(rich.events)) == rich.execution


@pytest.mark.parametrize("number", [0, -1, 10_000])
def test_an_event_that_is_not_there_is_refused(rich: Recording, number: int) -> None:
    with pytest.raises(Refused, match="Name one from 1 to"):
        replaying.at(rich, number)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"head": {}}'])
def test_what_is_no_recording_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="no recording"):
        recording.read(text)
