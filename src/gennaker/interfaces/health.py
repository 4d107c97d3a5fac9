"""Health rules of Clouddriver and Orca: one state from several sources, and what counts as up or down. Pure.

A source is a provider, a probe, a load balancer. `Unknown` is no statement: a running virtual machine alone doesn't serve.
"""

from collections.abc import Sequence
from datetime import timedelta

from gennaker.interfaces.clouds import Health

_STARTS_FOR = timedelta(seconds=180)
"""So long an instance of AWS without any statement counts as starting."""


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


def _all_known(states: Sequence[Health], wanted: Health) -> bool:
    known = [one for one in states if one is not Health.UNKNOWN]
    return bool(known) and all(one is wanted for one in known)
