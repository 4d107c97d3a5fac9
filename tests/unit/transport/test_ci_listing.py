"""Listing what a CI system has: places that refuse or fail, and files that mean harm."""

import asyncio
from collections.abc import Sequence

import pytest

from gennaker.interfaces.ci import CiMissing, CiUnavailable, JobNames
from gennaker.model.problems import Problem, Refused
from gennaker.transport import ci_listing

REFUSED = Refused(Problem(code="ci.refused", message="403"))


def listed(places: dict[str, Sequence[str] | Exception]) -> JobNames:
    async def ask(place: str) -> Sequence[str]:
        await asyncio.sleep(0)
        found = places[place]
        if isinstance(found, Exception):
            raise found
        return found

    return asyncio.run(ci_listing.of_many(list(places), ask, is_cut=False))


def test_places_keep_their_order_and_those_that_are_gone_have_nothing() -> None:
    assert listed({"b": ["b/1", "b/2"], "gone": CiMissing("404"), "a": ["a/1"]}) == JobNames(
        names=("b/1", "b/2", "a/1")
    )


def test_a_place_that_refuses_is_left_out_and_the_list_is_cut() -> None:
    assert listed({"mine": ["a"], "theirs": REFUSED}) == JobNames(names=("a",), is_cut=True)


def test_where_all_refuse_nobody_says_that_there_is_nothing() -> None:
    with pytest.raises(Refused):
        listed({"one": REFUSED, "other": REFUSED})


def test_a_failure_is_the_whole_list_s() -> None:
    with pytest.raises(CiUnavailable):
        listed({"mine": ["a"], "broken": CiUnavailable("503"), "other": ["b"]})


def test_words_and_versions_stay_as_they_are_written() -> None:
    found = ci_listing.entries(asyncio.run(ci_listing.document(b"on: yes\nversion: 1.10\nnothing: ~\n")))

    assert [ci_listing.scalar(found.get(key)) for key in ("on", "version", "nothing", "none")] == [
        "yes",
        "1.10",
        None,
        None,
    ]


@pytest.mark.parametrize(
    "text",
    [
        b"a: [",
        b"[" * 1_000,
        b"a: &a\n  b: *a\n",
        b"!!python/object/apply:os.system [x]: y",
        b"x" * 300_000,
        b"\xff\xfe\x00",
    ],
)
def test_a_file_that_is_no_map_declares_nothing(text: bytes) -> None:
    found = ci_listing.entries(asyncio.run(ci_listing.document(text)))

    assert all(ci_listing.scalar(one) is None for one in found.values())


def test_aliases_and_merges_cost_nothing() -> None:
    lines = ["a0: &a0 {x: 1}"] + [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 60)]
    lines += ["b0: &b0 [x]"] + [f"b{n}: &b{n} [*b{n - 1}, *b{n - 1}]" for n in range(1, 60)]

    assert len(ci_listing.entries(asyncio.run(ci_listing.document("\n".join(lines).encode())))) == 120
