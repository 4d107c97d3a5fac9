"""Numbers in sentences."""

import pytest

from gennaker.model.wording import are, counted


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 instances are up"), (1, "1 instance is up"), (2, "2 instances are up")]
)
def test_one_is_told_from_many(count: int, said: str) -> None:
    assert f"{counted(count, 'instance')} {are(count)} up" == said
