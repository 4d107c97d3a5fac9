"""Running the demo: nothing begins in a folder that won't do, or with too few visitors."""

from pathlib import Path

import pytest

from gennaker.demo import running
from gennaker.model.problems import Refused


def test_nothing_begins_in_a_folder_that_will_not_do(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()

    with pytest.raises(Refused, match="has left its data"):
        running.run(data=tmp_path, config=None, flags=(), keep=False)

    assert [one.name for one in tmp_path.iterdir()] == ["demo"]


@pytest.mark.parametrize("rate", [0, 149.9, float("nan")])
def test_nothing_begins_with_too_few_visitors_for_a_canary(tmp_path: Path, rate: float) -> None:
    with pytest.raises(Refused, match=f"With {rate:g} requests a second .* Give --rate 150 or more"):
        running.run(data=tmp_path, config=None, flags=(), keep=False, rate=rate)

    assert list(tmp_path.iterdir()) == []
