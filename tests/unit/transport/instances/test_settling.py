"""What a server group's record becomes, given how its processes are."""

from datetime import UTC, datetime

from msgspec.structs import replace

from gennaker.interfaces.clouds import Capacity, NewServerGroup, Place
from gennaker.transport.instances import settling
from gennaker.transport.instances.records import GroupRecord, InstanceRecord
from gennaker.transport.instances.settling import Seen
from gennaker.transport.processes import ProcessState

PLACE = Place(account="local", region="local")
AT = datetime(2026, 5, 1, tzinfo=UTC)
LATER = datetime(2026, 5, 2, tzinfo=UTC)
HEALTHY = Seen(state=ProcessState.RUNNING, is_healthy=True, has_been_up=True)
RUNNING = Seen(state=ProcessState.RUNNING)


def one(number: int, **fields: object) -> InstanceRecord:
    return replace(InstanceRecord(number=number, port=1000 + number, launched_at=AT), **fields)


def group(desired: int, *instances: InstanceRecord, is_destroyed: bool = False) -> GroupRecord:
    capacity = Capacity(min=desired, max=desired, desired=desired)
    new = NewServerGroup(key="k", name="shop-v000", place=PLACE, image="i", capacity=capacity)
    return GroupRecord(
        new=new,
        created_at=AT,
        capacity=capacity,
        is_destroyed=is_destroyed,
        next_number=max((instance.number for instance in instances), default=-1) + 1,
        instances=instances,
    )


def settled(record: GroupRecord, *seen: Seen) -> GroupRecord:
    by_number = {instance.number: how for instance, how in zip(record.instances, seen, strict=True)}
    return settling.settled(record, by_number, port=lambda number, attempt: 2000 + 10 * number + attempt, at=LATER)


def test_a_new_group_gets_its_instances() -> None:
    record = settled(group(2))

    added = (one(0, port=2000, launched_at=LATER), one(1, port=2010, launched_at=LATER))
    assert (record.instances, record.next_number) == (added, 2)


def test_a_group_that_is_as_it_should_be_stays_the_same() -> None:
    record = group(2, one(0), one(1))

    assert settled(record, HEALTHY, RUNNING) == record


def test_unhealthy_instances_go_first_and_then_the_newest() -> None:
    record = settled(group(1, one(0), one(1), one(2)), HEALTHY, RUNNING, HEALTHY)

    assert record.instances == (one(0), one(1, is_leaving=True), one(2, is_leaving=True))


def test_a_leaving_instance_is_forgotten_when_it_has_ended() -> None:
    record = group(1, one(0), one(1, is_leaving=True))

    assert settled(record, HEALTHY, HEALTHY) == record
    assert settled(record, HEALTHY, Seen(state=ProcessState.ENDED)).instances == (one(0),)


def test_a_crashed_instance_is_tried_again_at_its_port() -> None:
    record = settled(group(1, one(0)), Seen(state=ProcessState.ENDED, has_been_up=True))

    assert record.instances == (one(0, attempt=1, crashes=1, launched_at=LATER),)


def test_one_that_never_came_up_gets_another_port() -> None:
    record = settled(group(1, one(0, attempt=1, crashes=1)), Seen(state=ProcessState.GONE))

    assert record.instances == (one(0, attempt=2, crashes=2, port=2002, launched_at=LATER),)


def test_crashes_are_forgotten_after_a_healthy_while() -> None:
    seen = Seen(state=ProcessState.ENDED, has_been_up=True, is_stable=True)

    assert settled(group(1, one(0, attempt=9, crashes=9)), seen).instances[0].crashes == 1


def test_numbers_are_not_used_again() -> None:
    record = settled(group(2, one(4)), HEALTHY)

    assert [instance.number for instance in record.instances] == [4, 5]


def test_a_destroyed_group_loses_all_instances() -> None:
    record = settled(group(2, one(0), one(1), is_destroyed=True), HEALTHY, Seen(state=None))

    assert all(instance.is_leaving for instance in record.instances)


def test_pauses_grow_and_are_bounded() -> None:
    pauses = [settling.pause_seconds(crashes) for crashes in (0, 1, 2, 3, 20)]

    assert pauses == [0.0, 0.25, 0.5, 1.0, 30.0]
