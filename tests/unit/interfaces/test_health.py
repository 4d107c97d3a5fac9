"""Orca's test of whether an instance is up, by the rules of HealthHelper."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gennaker.interfaces import health
from gennaker.interfaces.clouds import Health, HealthSource


def said(*entries: str) -> tuple[HealthSource, ...]:
    """`Probe Up`, `Amazon Unknown platform`."""
    parts = [one.split() for one in entries]
    return tuple(HealthSource(type=one[0], state=Health(one[1]), is_platform="platform" in one) for one in parts)


@pytest.mark.parametrize(
    ("entries", "names", "is_up"),
    [
        ((), None, False),
        ((), ("Probe",), False),
        (("Amazon Unknown platform",), None, False),
        (("Amazon Unknown platform",), ("Amazon",), True),
        (("Amazon Down platform",), ("Amazon",), False),
        (("docker Failed platform",), ("docker",), False),
        (("local Succeeded platform",), ("local",), False),
        (("docker Failed platform", "Probe Up"), None, False),
        (("Amazon Unknown platform", "LoadBalancer Up"), None, True),
        (("Amazon Unknown platform", "LoadBalancer Down"), None, False),
        (("Amazon Unknown platform", "LoadBalancer Down"), ("Amazon",), True),
        (("Amazon Unknown platform", "LoadBalancer Down"), ("Amazon", "LoadBalancer"), False),
        (("Probe Up", "LoadBalancer Unknown"), None, True),
        (("Probe Up", "LoadBalancer Starting"), None, False),
        (("Probe Up", "LoadBalancer OutOfService"), None, False),
        (("Probe Down", "LoadBalancer Draining"), None, False),
        (("Probe Up", "LoadBalancer Down"), ("Probe",), True),
    ],
)
def test_who_counts_decides(entries: tuple[str, ...], names: tuple[str, ...] | None, *, is_up: bool) -> None:
    assert health.is_up(said(*entries), names) == is_up


@pytest.mark.parametrize(
    ("own", "load_balancer", "both"),
    [
        (Health.UP, Health.UNKNOWN, Health.UP),
        (Health.UP, Health.UP, Health.UP),
        (Health.UP, Health.DOWN, Health.DOWN),
        (Health.UP, Health.OUT_OF_SERVICE, Health.OUT_OF_SERVICE),
        (Health.UNKNOWN, Health.UP, Health.UP),
        (Health.UNKNOWN, Health.UNKNOWN, Health.UNKNOWN),
        (Health.STARTING, Health.DOWN, Health.STARTING),
        (Health.DOWN, Health.UP, Health.DOWN),
        (Health.FAILED, Health.UP, Health.FAILED),
        (Health.DRAINING, Health.OUT_OF_SERVICE, Health.DRAINING),
    ],
)
def test_a_load_balancers_word_is_one_more(own: Health, load_balancer: Health, both: Health) -> None:
    assert health.with_load_balancer(own, load_balancer) is both


@given(some.sampled_from(Health))
def test_what_is_not_known_changes_nothing(own: Health) -> None:
    assert health.with_load_balancer(own, Health.UNKNOWN) is own
