"""The golden rows of earlier versions: each is read as what it meant, by both ways of reading."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gennaker.model import stored
from gennaker.model.codec import to_json
from gennaker.model.effect import Effect
from gennaker.model.event import Event
from gennaker.model.execution import Head, Stage

KINDS: dict[str, Any] = {"Head": Head, "Stage": Stage, "Event": Event, "Effect": Effect}
ROWS = json.loads((Path(__file__).parent / "stored" / "waiting_in_words.json").read_text())


def at(value: Any, path: list[str | int]) -> Any:
    for key in path:
        value = value[key]
    return value


@pytest.mark.parametrize("case", ROWS, ids=[f"{one['kind']}-{one['row'].get('type', '')}" for one in ROWS])
def test_a_wait_in_words_is_read_as_a_wait(case: dict[str, Any]) -> None:
    read = stored.read(json.dumps(case["row"]), KINDS[case["kind"]])

    assert at(to_json(read), case["at"]) == case["waits"]
    assert stored.convert(case["row"], KINDS[case["kind"]]) == read


def test_what_other_people_have_in_their_contexts_stays_as_it_is() -> None:
    row = next(one["row"] for one in ROWS if one["kind"] == "Stage")

    assert stored.read(json.dumps(row), Stage).context == row["context"]


def test_what_no_version_has_written_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        stored.read('{"type": "Queued", "at": "2026-11-24T09:00:00Z", "waiting_for": 5}', KINDS["Event"])
