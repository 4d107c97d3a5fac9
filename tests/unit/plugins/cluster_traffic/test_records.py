"""What a route remembers: shares, and who has lost one."""

import pytest

from gennaker.interfaces.traffic import Share
from gennaker.model.codec import JsonObject
from gennaker.plugins.cluster_traffic import records
from gennaker.plugins.cluster_traffic.backends import Names
from gennaker.plugins.cluster_traffic.records import RouteRecord

A = Names(split=("a",))


def share(*addresses: str, weight: int = 1) -> Share:
    return Share(weight=weight, addresses=addresses)


def test_a_record_is_read_as_it_was_written_and_leaves_other_annotations_alone() -> None:
    route: JsonObject = {"metadata": {"name": "shop", "annotations": {"a": "b"}}, "spec": {}}
    record = RouteRecord(load_balancer="shop", shares={"p:s:a": share("10.0.0.1:80")}, backends=("a",), left=("x",))

    written = records.written(route, record)

    assert records.read(written) == record
    assert records.written(written, None) == route


@pytest.mark.parametrize("text", ["", "{", "[]", '{"shares": 1}', "{}"])
def test_what_is_no_record_is_none(text: str) -> None:
    assert records.read({"metadata": {"annotations": {records.ANNOTATION: text}}}) is None


def test_who_loses_a_share_is_remembered_until_it_has_one_again() -> None:
    record = RouteRecord(load_balancer="shop").with_shares({"a": share("1", "2")}, A)

    one = record.with_shares({"a": share("2"), "b": share("3", weight=0)}, A)
    again = one.with_shares({"a": share("1")}, A)

    assert (record.left, one.left, again.left) == ((), ("1",), ("2", "3"))


def test_of_those_who_lost_theirs_only_the_last_thousand_are_remembered() -> None:
    record = RouteRecord(load_balancer="shop", left=tuple(str(number) for number in range(1000)))

    found = record.with_shares({"a": share("new")}, Names()).with_shares({}, Names())

    assert (len(found.left), found.left[0], found.left[-1]) == (1000, "new", "998")
