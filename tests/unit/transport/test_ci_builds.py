"""What clients of CI systems have in common: numbers, and logs of which only the end is taken."""

import tracemalloc

import pytest

from gennaker.interfaces.ci import CiUnavailable
from gennaker.transport import ci_builds
from gennaker.transport.build_files import LOG_LIMIT


@pytest.mark.parametrize(("one", "number"), [({"id": 7}, "7"), ({"id": "a7"}, "a7"), ({"id": 0}, "0")])
def test_what_has_a_number_is_known_by_it(one: dict[str, int | str], number: str) -> None:
    assert ci_builds.number_of(dict(one), name="ci") == number


@pytest.mark.parametrize("one", [{}, {"id": None}, {"id": ""}, {"id": []}, None, 5])
def test_what_has_none_can_not_be_read_now(one: dict[str, None] | int | None) -> None:
    with pytest.raises(CiUnavailable, match="ci tells of something without saying its id"):
        ci_builds.number_of(one, name="ci")  # type: ignore[arg-type]  # JSON of any shape


@pytest.mark.parametrize("sign", ["x", "ß", "€", "😀"])
def test_of_a_log_the_end_is_taken(sign: str) -> None:
    log = f"{sign * (LOG_LIMIT + 5)}end"

    assert ci_builds.end_of(log.encode()) == log[-LOG_LIMIT:]


def test_a_huge_log_is_never_read_whole() -> None:
    log = b"x" * (20 * LOG_LIMIT)
    tracemalloc.start()
    try:
        ci_builds.end_of(log)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 12 * LOG_LIMIT
