"""Cluster selection: Orca's rules for what a cluster-wide stage acts on."""

from datetime import UTC, datetime, timedelta

from gennaker.interfaces.clouds import Capacity, Health, Instance, Place, ServerGroup
from gennaker.model.moniker import parse
from gennaker.plugins.deploy import cluster_selection
from gennaker.plugins.deploy.cluster_selection import Selection

AT = datetime(2026, 1, 1, tzinfo=UTC)


def group(number: int, *, is_disabled: bool = False, instances: int = 1) -> ServerGroup:
    name = f"shop-prod-v{number:03d}"
    health = Health.OUT_OF_SERVICE if is_disabled else Health.UP
    return ServerGroup(
        name=name,
        place=Place(account="local", region="local"),
        cloud_provider="local",
        moniker=parse(name),
        created_at=AT + timedelta(minutes=number),
        capacity=Capacity(min=instances, max=instances, desired=instances),
        is_disabled=is_disabled,
        image="shop",
        instances=tuple(Instance(id=f"{name}-{i}", health=health, launched_at=AT) for i in range(instances)),
    )


def numbers(groups: tuple[ServerGroup, ...]) -> list[int | None]:
    return [one.moniker.sequence for one in groups]


def chosen(groups: list[ServerGroup], own: tuple[int, ...] = (), **fields: object) -> list[int | None]:
    selection = Selection(**fields)  # type: ignore[arg-type]  # the record checks nothing, the test names its fields
    names = [f"shop-prod-v{number:03d}" for number in own]
    return numbers(cluster_selection.chosen(groups, selection, own=names))


def test_active_ones_are_left_alone_unless_allowed() -> None:
    groups = [group(0, is_disabled=True), group(1), group(2)]

    assert chosen(groups, keeps=1) == [0]
    assert chosen(groups, keeps=1, may_touch_active=True) == [1, 0]


def test_what_this_run_has_deployed_and_whatever_is_newer_remains_and_counts() -> None:
    groups = [group(0), group(1), group(2), group(3)]

    assert chosen(groups, (3,), keeps=1, may_touch_active=True) == [2, 1, 0]
    assert chosen(groups, (2,), keeps=1, may_touch_active=True) == [1, 0]
    assert chosen(groups, (2,), keeps=3, may_touch_active=True) == [0]


def test_what_this_run_has_deployed_stays_even_where_nothing_is_to_remain() -> None:
    groups = [group(0), group(1)]

    assert chosen(groups, (1,), keeps=0, may_touch_active=True) == [0]
    assert chosen(groups, (1,), keeps=0, only_active=True) == [0]
    assert chosen(groups, keeps=0, may_touch_active=True) == [1, 0]


def test_larger_ones_stay_where_they_are_preferred() -> None:
    groups = [group(0, instances=5), group(1)]

    assert chosen(groups, keeps=1, may_touch_active=True, prefers_larger=True) == [1]
    assert chosen(groups, keeps=1, may_touch_active=True) == [0]


def test_disabling_acts_on_enabled_ones_and_lets_what_was_deployed_count_even_if_disabled() -> None:
    groups = [group(0, is_disabled=True), group(1), group(2)]

    assert chosen(groups, keeps=1, only_active=True) == [1]
    assert chosen([*groups, group(3, is_disabled=True)], (3,), keeps=1, only_active=True) == [2, 1]
