"""Permissions: Fiat's rules, and that what can't be read allows nobody."""

import pytest

from gennaker.model import permissions
from gennaker.model.codec import Json
from gennaker.model.permissions import Right


def allowed(given: Json, *roles: str, groups: Json = None) -> set[Right]:
    found = permissions.read(given, groups)
    return {right for right in Right if found.allow(right, roles)}


def test_where_no_role_is_listed_everybody_has_every_right() -> None:
    for nothing in (None, {}, {"READ": []}, {"READ": [], "WRITE": ["", " "]}, ""):
        assert allowed(nothing) == set(Right)


def test_as_soon_as_one_is_listed_only_listed_roles_count_and_no_right_includes_another() -> None:
    assert allowed({"WRITE": ["ops"]}, "ops") == {Right.WRITE}
    assert allowed({"WRITE": ["ops"]}, "dev") == set()
    assert allowed({"READ": ["dev"], "EXECUTE": ["ops"]}, "dev") == {Right.READ}


def test_where_nobody_is_listed_for_execute_readers_may_or_writers_if_so_set() -> None:
    found = permissions.read({"READ": ["dev"], "WRITE": ["ops"]})

    assert found.allow(Right.EXECUTE, ["dev"])
    assert not found.allow(Right.EXECUTE, ["dev"], instead_of_execute=Right.WRITE)
    assert found.allow(Right.EXECUTE, ["ops"], instead_of_execute=Right.WRITE)


def test_roles_are_the_same_in_upper_and_lower_case_and_with_spaces_around() -> None:
    assert allowed({"read": [" Ops "]}, "OPS") == {Right.READ, Right.EXECUTE}


def test_the_older_list_of_groups_gives_every_right() -> None:
    assert allowed({}, "ops", groups=["Ops"]) == set(Right)
    assert allowed({}, "dev", groups=["Ops"]) == set()
    assert allowed({"READ": ["dev"]}, "ops", groups=["Ops"]) == set(), "permissions come first"


@pytest.mark.parametrize("given", ["ops", ["ops"], {"READ": "ops"}, {"READ": [1]}, {"ADMIN": ["ops"]}, 1])
def test_what_cannot_be_read_allows_nobody(given: Json) -> None:
    assert allowed(given, "ops") == set()
    assert allowed({}, "ops", groups="ops") == set()
