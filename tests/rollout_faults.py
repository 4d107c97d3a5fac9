"""What goes wrong in a rollout, in tests: steps that a provider refuses, by strategy, and the keys of strategies with steps."""

from collections.abc import Callable

from gennaker.interfaces.clouds import Place
from gennaker.interfaces.traffic import Share, key
from gennaker.model.codec import JsonObject

PLACE = Place(account="local", region="local")
OLD_GROUP, NEW_GROUP = "shop-prod-v000", "shop-prod-v001"
STEPS: dict[str, JsonObject] = {
    "rollingupdate": {},
    "monitored": {"deploySteps": [50]},
    "rollingpush": {"termination": {"concurrentRelaunches": 1}},
    "canary steps": {"strategy": "rollingredblack", "targetPercentages": [10, 50, 100], "delayBeforeCleanup": 30},
}
"""Those that go the way of rollingredblack, in steps of their own."""


def keys_of(strategy: str) -> JsonObject:
    """What a cluster says of its strategy."""
    return {"strategy": strategy, **STEPS.get(strategy, {})}


def _gives_new_traffic(shares: object) -> bool:
    assert isinstance(shares, dict)
    share: Share | None = shares.get(key(PLACE, NEW_GROUP))
    return share is not None and share.weight > 0


FAULTS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "the load balancer": ("ensure", lambda _: True),
    "the new server group": ("create", lambda _: True),
    "the switch": ("set_weights", _gives_new_traffic),
    "growing": ("resize", lambda about: about == (NEW_GROUP, 1)),
    "growing to the end": ("resize", lambda about: about == (NEW_GROUP, 2)),
    "shrinking": ("resize", lambda about: about == (OLD_GROUP, 1)),
    "disabling": ("set_disabled", lambda about: about == (OLD_GROUP, True)),
}
"""What the provider refuses, once, where two instances replace two."""
MET = {
    "none": {"the load balancer", "the new server group", "the switch"},
    "highlander": {"the load balancer", "the new server group", "the switch", "disabling"},
    "redblack": {"the load balancer", "the new server group", "the switch", "disabling"},
    "rollingredblack": set(FAULTS),
    **{name: set(FAULTS) for name in STEPS},
}
"""Which of them a strategy meets."""
