"""Cluster selection: Orca's rules for what a cluster-wide stage acts on."""

from datetime import UTC, datetime, timedelta

from gennaker.interfaces.clouds import Capacity, Health, Instance, Place, ServerGroup
from gennaker.model.moniker import parse
from gennaker.plugins.deploy import cluster_selection
from gennaker.plugins.deploy.cluster_selection import Selection

AT = datetime(2026, 1, 1, tzinfo=UTC)


def group(number: int, *, is_disabled: bool = False, instances: int = 1, by: str = "") -> ServerGroup:
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
        created_by=by,
    )


def numbers(groups: tuple[ServerGroup, ...]) -> list[int | None]:
    return [one.moniker.sequence for one in groups]


def chosen(groups: list[ServerGroup], **fields: object) -> list[int | None]:
    selection = Selection(**fields)  # type: ignore[arg-type]  # the record checks nothing, the test names its fields
    return numbers(cluster_selection.chosen(groups, selection, execution_id="run"))


def test_active_ones_are_left_alone_unless_allowed() -> None:
    groups = [group(0, is_disabled=True), group(1), group(2)]

    assert chosen(groups, keeps=1) == [0]
    assert chosen(groups, keeps=1, may_touch_active=True) == [1, 0]


def test_what_this_run_has_made_remains_and_counts() -> None:
    groups = [group(0), group(1), group(2, by="run/1")]

    assert chosen(groups, keeps=1, may_touch_active=True) == [1, 0]
    assert chosen(groups, keeps=2, may_touch_active=True) == [0]


def test_keeping_none_means_all_even_what_this_run_has_made() -> None:
    groups = [group(0), group(1, by="run/1")]

    assert chosen(groups, keeps=0, may_touch_active=True) == [1, 0]


def test_larger_ones_stay_where_they_are_preferred() -> None:
    groups = [group(0, instances=5), group(1)]

    assert chosen(groups, keeps=1, may_touch_active=True, prefers_larger=True) == [1]
    assert chosen(groups, keeps=1, may_touch_active=True) == [0]


def test_disabling_counts_only_enabled_ones() -> None:
    groups = [group(0, is_disabled=True), group(1), group(2)]

    assert chosen(groups, keeps=1, only_enabled=True) == [1]
