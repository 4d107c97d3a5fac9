"""Patience: tries within some seconds, whatever the server would like."""

import pytest

from gennaker.interfaces.api_servers import ApiUnavailable
from gennaker.model.problems import UNAVAILABLE, Refused
from gennaker.plugins.kubernetes.patience import patiently
from gennaker.testing.virtual_time import VirtualTime


@pytest.mark.parametrize(("after", "tries", "seconds"), [(0, 4, 3.5), (2, 3, 4), (6, 1, 0), (60, 1, 0)])
def test_a_server_that_wants_to_be_asked_much_later_is_given_up_at_once(
    after: float, tries: int, seconds: float
) -> None:
    time = VirtualTime()
    asked: list[float] = []

    async def ask() -> None:
        asked.append(time.seconds)
        raise ApiUnavailable("The server is overloaded", after_seconds=after)

    async def story() -> None:
        with pytest.raises(Refused, match=r"overloaded\.") as refused:
            await patiently(ask)
        assert refused.value.status == UNAVAILABLE

    time.run(story())

    assert len(asked) == tries
    assert seconds <= time.seconds < seconds + 0.1
