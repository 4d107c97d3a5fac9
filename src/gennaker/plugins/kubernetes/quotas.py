"""Quotas: whether a namespace's ResourceQuotas leave room for a workload, before it is made.

Only what is certain is said: quotas with scopes count some pods and not others, and what a container doesn't request may be
filled in by a LimitRange. The API server has the last word when the pods are made.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from functools import partial

import msgspec

from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import kinds, manifests, patience
from gennaker.plugins.kubernetes.kinds import Kind
from gennaker.plugins.kubernetes.objects import Objects

_FORBIDDEN = 403
_KIND = Kind("resourceQuota")

_QUANTITY = re.compile(
    r"(?P<number>[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30}))(?P<suffix>[numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?"
)
_FACTORS = {
    "": Decimal(1),
    **{
        suffix: Decimal(1000) ** power
        for suffix, power in zip("numkMGTPE", (-3, -2, -1, 1, 2, 3, 4, 5, 6), strict=True)
    },
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}
_COMPUTE = {
    f"{part}.{name}": (part, name) for part in ("requests", "limits") for name in ("cpu", "memory", "ephemeral-storage")
}
_COMPUTE |= {name: ("requests", name) for name in ("cpu", "memory", "ephemeral-storage")}
_PLURALS = {"replicaSet": "replicasets.apps", "deployment": "deployments.apps", "statefulSet": "statefulsets.apps"}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A workload that is about to be made."""

    manifest: JsonObject
    count: int
    """Of its pods, at most."""


async def check(objects: Objects, wanted: Sequence[Wanted]) -> None:
    """Raises Refused where they have no room together. Who may not see the quotas hears of them when the API server refuses the pods."""
    by_namespace: dict[str, list[Wanted]] = {}
    for one in wanted:
        by_namespace.setdefault(manifests.namespace(one.manifest) or objects.account.server.namespace, []).append(one)
    for namespace, together in by_namespace.items():
        try:
            seen = await patience.patiently(partial(objects.list, _KIND, namespace))
        except Refused as refused:
            if refused.is_unavailable:
                raise
            continue
        if found := problem(together, namespace, seen):
            raise Refused(found, status=_FORBIDDEN)


def problem(wanted: Sequence[Wanted], namespace: str, quotas: Iterable[JsonObject]) -> Problem | None:
    """Why the pods of these workloads of one namespace have no room; None: nothing says so."""
    taken: dict[str, Decimal] = {}
    for one in wanted:
        for key, amount in _taken(one):
            taken[key] = taken.get(key, Decimal(0)) + amount
    said = [found for quota in quotas for found in _exceeded(quota, taken)]
    if not said:
        return None
    names, has = (", ".join(manifests.full_name(one.manifest) for one in wanted), "have" if len(wanted) > 1 else "has")
    return Problem(
        code="kubernetes.quota",
        message=f"{names} {has} no room in the namespace {namespace!r}: {' '.join(said)}",
        remedy="Nothing was made. Raise the quota, make room, or deploy fewer or smaller instances.",
    )


def quantity(value: Json) -> Decimal | None:
    """A quantity as Kubernetes writes it (`500m`, `1.5Gi`, `1e3`); None: it is none."""
    found = _QUANTITY.fullmatch(foreign.written(value))
    if found is None:
        return None
    number, suffix = Decimal(found["number"]), found["suffix"] or ""
    exponent = suffix[1:] if suffix[:1] in ("e", "E") and len(suffix) > 1 else ""
    return number * (Decimal(10) ** int(exponent) if exponent else _FACTORS[suffix])


def _taken(wanted: Wanted) -> Iterator[tuple[str, Decimal]]:
    """What the workload takes of each resource that a quota may count."""
    manifest, count = wanted.manifest, Decimal(wanted.count)
    yield from dict.fromkeys(("pods", "count/pods"), count).items()
    if plural := _PLURALS.get(kinds.of(manifest).name):
        yield f"count/{plural}", Decimal(1)
    pod = next(manifests.pod_specs(manifest), {})
    for key, (part, name) in _COMPUTE.items():
        yield key, count * _of_pod(pod, part, name)


def _of_pod(pod: JsonObject, part: str, name: str) -> Decimal:
    """Its containers run side by side, after those that prepare them, one after the other."""
    running = sum((_of_container(one, part, name) for one in foreign.mappings_at(pod, "containers")), Decimal(0))
    preparing = [_of_container(one, part, name) for one in foreign.mappings_at(pod, "initContainers")]
    return max(running, *preparing, Decimal(0))


def _of_container(container: JsonObject, part: str, name: str) -> Decimal:
    resources = foreign.mapping(container.get("resources"))
    given = foreign.mapping(resources.get(part)).get(name)
    if given is None and part == "requests":  # the API server takes the limit for it
        given = foreign.mapping(resources.get("limits")).get(name)
    return (quantity(given) if given is not None else None) or Decimal(0)


def _exceeded(quota: JsonObject, wanted: dict[str, Decimal]) -> Iterator[str]:
    spec, status = manifests.spec(quota), manifests.status(quota)
    if spec.get("scopes") or spec.get("scopeSelector"):
        return
    hard, used = foreign.mapping(status.get("hard")), foreign.mapping(status.get("used"))
    for key, most in hard.items():
        limit, taken = quantity(most), quantity(used.get(key) or "0")
        needs = wanted.get(key, Decimal(0))
        if limit is not None and taken is not None and needs > 0 and taken + needs > limit:
            said = f"of {key} {foreign.written(most)} may be used and {foreign.written(used.get(key) or '0')} is"
            yield f"{said}, it needs {_plain(needs)} more (quota {manifests.name(quota)})."


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
