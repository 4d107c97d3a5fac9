"""Health rules of Clouddriver and Orca: one state from several sources, and what counts as up. Pure.

A source is a provider, a probe, a load balancer. `Unknown` is no statement: a running virtual machine alone doesn't serve.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta

from gennaker.interfaces.clouds import Health, HealthSource

_STARTS_FOR = timedelta(seconds=180)
"""So long an instance of AWS without any statement counts as starting."""
_NOT_UP = frozenset(Health) - {Health.UP, Health.UNKNOWN}
LOAD_BALANCER = "LoadBalancer"
"""Type of what load balancers say of an instance."""


def of_kubernetes(states: Sequence[Health]) -> Health:
    """The state of a pod, from its phase and its containers."""
    for all_of in (Health.UP, Health.SUCCEEDED):
        if _all_known(states, all_of):
            return all_of
    worst = (Health.STARTING, Health.DOWN, Health.FAILED, Health.OUT_OF_SERVICE)
    return next((one for one in worst if one in states), Health.UNKNOWN)


def of_aws(states: Sequence[Health], age: timedelta) -> Health:
    """The state of a virtual machine, from its load balancers, its discovery and itself."""
    if _all_known(states, Health.UP):
        return Health.UP
    worst = (Health.STARTING, Health.DOWN, Health.OUT_OF_SERVICE)
    unsaid = Health.STARTING if age < _STARTS_FOR else Health.UNKNOWN
    return next((one for one in worst if one in states), unsaid)


def read(text: str) -> Health:
    """A state by its name; what isn't one is unknown."""
    try:
        return Health(text)
    except ValueError:
        return Health.UNKNOWN


def with_load_balancer(own: Health, said: Health) -> Health:
    """An instance's state with what its load balancers say of it; one that has ended or is leaving stays what it is."""
    if own in (Health.FAILED, Health.SUCCEEDED, Health.DRAINING):
        return own
    return of_aws((own, said), _STARTS_FOR)


def chosen(sources: Sequence[HealthSource], names: Collection[str] | None) -> tuple[HealthSource, ...]:
    """Those that `interestingHealthProviderNames` names; None: all."""
    return tuple(one for one in sources if names is None or one.type in names)


def is_up(sources: Sequence[HealthSource], names: Collection[str] | None = None) -> bool:
    """Orca's test (HealthHelper): nobody says that it isn't, and somebody that it is; of the platform, if it is named, less is enough."""
    counted = chosen(sources, names)
    if any(one.state in _NOT_UP for one in counted):
        return False
    if any(one.state is Health.UP for one in counted):
        return True
    return names is not None and any(one.is_platform for one in counted)


def _all_known(states: Sequence[Health], wanted: Health) -> bool:
    known = [one for one in states if one is not Health.UNKNOWN]
    return bool(known) and all(one is wanted for one in known)
