"""The golden walks: the engine takes each event as it was written down."""

from pathlib import Path

import pytest
from tests.golden import walks

from gennaker.model import codec
from gennaker.model.event import Event

FILES = sorted(walks.FOLDER.glob("*.jsonl"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_event_makes_what_was_written_down(file: Path) -> None:
    written = [codec.decode_json(line) for line in file.read_bytes().splitlines()]
    events = [codec.decode(codec.encode(line["event"]), Event) for line in written]  # type: ignore[call-overload,index,arg-type,misc]  # JSON, and a union

    found = walks.lines(events)

    for number, (line, expected) in enumerate(zip(found, written, strict=True), start=1):
        assert codec.to_json(line) == expected, f"line {number} of {file.name}; `make golden` takes them down anew"


def test_there_are_walks() -> None:
    assert FILES
