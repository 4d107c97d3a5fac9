"""Rehearsing: everything that would be applied is tried first, without effect, so that nothing is half-applied for a mistake.

The API server validates, admits and counts as it would in earnest (dry run). What it can't know yet isn't held against a
manifest: objects in a namespace, or of a kind, that comes with the same request.
"""

import re
from collections.abc import Sequence
from functools import partial

import msgspec

from gennaker.interfaces.api_servers import ApiUnavailable
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import asking, differences, kinds, manifests, submitting
from gennaker.plugins.kubernetes.annotations import Way
from gennaker.plugins.kubernetes.deploying import Ready
from gennaker.plugins.kubernetes.objects import Objects, is_conflict

_AT_A_TIME = 8
_NOT_FOUND = 404
_NO_NAMESPACE = re.compile(r'namespaces "([^"]+)" not found')
_QUOTA = "exceeded quota"
_ALLOCATED = "is already allocated"
"""What the API server says where a Service wants a port or an address that one has."""
_ALLOCATED_FIELDS = ("clusterIP", "clusterIPs", "healthCheckNodePort")
_NO_DRY_RUN = "dry run"
"""What the API server says where an admission webhook can't be tried."""


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    problems: tuple[Problem, ...] = ()
    """Everything for which the API server would refuse them."""
    differences: tuple[JsonObject, ...] = ()
    """What would change, of each that could be tried."""


async def rehearse(objects: Objects, ready: Sequence[Ready]) -> Rehearsal:
    """Tries them all. Raises ApiFailure."""
    brings = _Brought(
        kinds=any(kinds.of(one.manifest).name == "customResourceDefinition" for one in ready),
        namespaces=frozenset(
            manifests.name(one.manifest) for one in ready if kinds.of(one.manifest).name == "namespace"
        ),
    )
    tries = [partial(_tried, objects, one, brings) for one in ready]
    found = await asking.several(tries, at_a_time=_AT_A_TIME)
    return Rehearsal(
        problems=tuple(
            msgspec.structs.replace(problem, pointer=f"/manifests/{one.place}")
            for problem, one in sorted(zip(found, ready, strict=True), key=lambda pair: pair[1].place)
            if isinstance(problem, Problem)
        ),
        differences=tuple(one for one in found if isinstance(one, dict)),
    )


class _Brought(msgspec.Struct, frozen=True, kw_only=True):
    """What comes with the request."""

    kinds: bool
    """It may be any: a definition is asked for none of what it defines."""
    namespaces: frozenset[str]

    def may_mend(self, refused: Refused) -> bool:
        """Whether the API server wouldn't say it once all before is applied."""
        problem = refused.problems[0]
        if problem.code == "kubernetes.unknown_kind":
            return self.kinds
        missing = _NO_NAMESPACE.search(problem.message)
        return refused.status == _NOT_FOUND and (missing is None or missing[1] in self.namespaces)


async def _tried(objects: Objects, one: Ready, brings: _Brought) -> Problem | JsonObject | None:
    try:
        return await _difference(objects, one)
    except Refused as refused:
        problem = refused.problems[0]
        if brings.may_mend(refused) or _NO_DRY_RUN in problem.message.lower():
            return None
        if _NO_NAMESPACE.search(problem.message):
            return msgspec.structs.replace(problem, remedy="Correct it, or deploy the Namespace in the same stage.")
        return problem


async def _difference(objects: Objects, one: Ready) -> JsonObject | None:
    """What it would change; None: that can't be told before. Raises Refused, ApiFailure."""
    wanted = one.manifest
    if manifests.has_generated_name(wanted):
        await objects.create(wanted, is_dry=True)
        return differences.between(None, wanted)
    wanted = submitting.as_sent(wanted, one.way)
    live = None if one.is_absent else await objects.get(manifests.coordinates(wanted))
    if one.way is Way.REPLACE:
        replaced = None if live is None else await objects.replace(wanted, is_dry=True)
        return differences.between(live, replaced or await objects.create(wanted, is_dry=True))
    if one.way is Way.RECREATE and live is not None:
        await _try_anew(objects, wanted, live)
        try:
            return differences.between(live, await objects.apply(wanted, is_forced=True, is_dry=True))
        except Refused:  # a field that can't be changed in place, for which it is made anew
            return None
    return differences.between(live, await objects.apply(wanted, is_forced=one.way is not Way.SERVER_SIDE, is_dry=True))


async def _try_anew(objects: Objects, wanted: JsonObject, live: JsonObject) -> None:
    """What is there isn't deleted for what would then be refused. What it has itself passes: its name, its part of a quota, its ports.

    Ports and addresses are allocated before names are compared, so that it is tried again without those that will be free.
    """
    try:
        await _try_beside(objects, wanted)
    except (Refused, ApiUnavailable) as failure:  # of the port for health checks it is said as if the server had failed
        if _ALLOCATED not in str(failure):
            raise
        await _try_beside(objects, _without_allocated(wanted, live))


async def _try_beside(objects: Objects, wanted: JsonObject) -> None:
    try:
        await objects.create(wanted, is_dry=True)
    except Refused as refused:
        if not is_conflict(refused) and _QUOTA not in refused.problems[0].message:
            raise


def _without_allocated(wanted: JsonObject, live: JsonObject) -> JsonObject:
    """A Service without the ports and addresses that the present one has."""
    spec, present = manifests.spec(wanted), manifests.spec(live)
    taken = {port for one in foreign.mappings_at(present, "ports") if (port := one.get("nodePort"))}
    ports = [
        {key: value for key, value in one.items() if key != "nodePort" or value not in taken}
        for one in foreign.mappings_at(spec, "ports")
    ]
    # Those that it asks for go first, lest one of them be given to another port.
    ordered: list[Json] = [*sorted(ports, key=lambda one: "nodePort" not in one)]
    kept: JsonObject = {
        key: value for key, value in spec.items() if key not in _ALLOCATED_FIELDS or value != present.get(key)
    }
    return {**wanted, "spec": {**kept, "ports": ordered}}
