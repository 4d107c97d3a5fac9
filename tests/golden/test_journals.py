"""Released journals: what an engine has recorded, every later engine reads and takes the same way, or says otherwise.

A file is made once, with the engine that it is named after (`gennaker replay EXECUTION --export FILE`), and never again.
"""

from pathlib import Path

import pytest

from gennaker.engine import recording, replaying

FILES = sorted((Path(__file__).parent / "journals").glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_released_journal_gives_its_state_again(file: Path) -> None:
    recorded = recording.read(file.read_bytes())

    verdict = replaying.check(recorded, engine="this one")

    assert verdict.is_same, verdict.sentence
    assert recorded.engine_versions == (file.stem.rpartition("-")[2],)


def test_there_is_a_journal() -> None:
    assert FILES
