"""Replay: folding a journal gives the execution again."""

import pytest
from tests.make import AT, RULES, child, stage_json, task
from tests.playbook import Playbook

from gennaker.engine import replay
from gennaker.engine.rules import Rules
from gennaker.model.codec import decode, encode
from gennaker.model.event import Done, Event, Started


def script() -> Playbook:
    play = Playbook(stage_json("a", type="after"), stage_json("b", "a"), pipeline_config_id="config")
    play.prepared("a", task(), before=[child("one")])
    play.prepared("one", task())
    play.reported("one", Done(outputs={"x": [1, {"y": None}]}))
    play.reported("a", Done())
    play.planned_late("a", child("last"))
    play.prepared("last")
    return play


def test_a_journal_that_was_written_and_read_gives_the_same_state() -> None:
    play = script()
    read = [decode(encode(event), Event) for event in play.events]  # type: ignore[arg-type]  # a union is a type to msgspec

    assert replay.fold(read, RULES) == play.execution


def test_a_journal_without_its_beginning_is_refused() -> None:
    with pytest.raises(replay.NoBeginning):
        replay.fold([Started(at=AT)], Rules())
    with pytest.raises(replay.NoBeginning):
        replay.fold([], Rules())
