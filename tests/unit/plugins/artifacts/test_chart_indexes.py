"""The index of a chart repository: what is read of it, how often, and which version is meant."""

import asyncio

import pytest

from gennaker.model.problems import Refused
from gennaker.plugins.artifacts.chart_indexes import Entry, LastIndex, chosen

VERSIONS = ("1.2.0", "1.10.0", "2.0.0-rc.1", "2.0.0-beta.11", "2.0.0-beta.2", "nonsense", "v0.9")
INDEX = b"entries: {shop: [{version: 1.10, urls: [a.tgz, b.tgz]}, {urls: [c.tgz]}, odd], cart: odd}"


@pytest.mark.parametrize(
    ("there", "highest"),
    [
        (VERSIONS, "2.0.0-rc.1"),
        (VERSIONS[:2], "1.10.0"),
        (("2.0.0", "2.0.0-rc.1"), "2.0.0"),
        (VERSIONS[3:5], "2.0.0-beta.11"),
        (("nonsense", "v0.9"), "v0.9"),
    ],
)
def test_without_a_version_the_highest_is_meant(there: tuple[str, ...], highest: str) -> None:
    entries = [Entry(one) for one in there]

    assert chosen(entries, "") == Entry(highest)
    assert chosen(entries, there[0]) == Entry(there[0])
    assert chosen(entries, "7") is None


def test_versions_and_addresses_are_read_as_texts_and_what_is_odd_is_left_out() -> None:
    found = asyncio.run(LastIndex().charts(INDEX))

    assert found == {"shop": (Entry("1.10", ("a.tgz", "b.tgz")), Entry("", ("c.tgz",))), "cart": ()}


def test_an_index_is_read_once_while_it_stays_the_same() -> None:
    last = LastIndex()

    async def story() -> None:
        first, beside = await asyncio.gather(last.charts(INDEX), last.charts(INDEX))
        other = await last.charts(b"entries: {tea: [{version: 1.0.0}]}")
        again = await last.charts(INDEX)

        assert beside is first
        assert list(other) == ["tea"]
        assert again == first
        assert again is not first, "one is kept, not all"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("index", "said"),
    [
        (b"entries: [", "isn't YAML"),
        (b"\xff\xfe\x00", "isn't YAML"),
        (
            b"a: &a ["
            + b"{version: 1}," * 1_000
            + b"]\nentries: {"
            + b",".join(b"c%d: *a" % n for n in range(201))
            + b"}",
            "has more than 200,000 entries",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(index: bytes, said: str) -> None:
    with pytest.raises(Refused, match=said):
        asyncio.run(LastIndex().charts(index))
