"""Strategies of deployManifest: what becomes of the versions before once the new one is stable. ReplicaSets only, as in Spinnaker.

`redblack` and `bluegreen` take the others of the cluster out of traffic; one that never came up is deleted instead.
`highlander` deletes all of them.
"""

from collections.abc import Sequence
from functools import partial

import msgspec

from gennaker.interfaces.stages import StageContext
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.event import PlannedStage
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import annotations, asking, kinds, manifests, status, targets
from gennaker.plugins.kubernetes.deploying import Ready
from gennaker.plugins.kubernetes.kinds import Kind
from gennaker.plugins.kubernetes.objects import Objects
from gennaker.plugins.kubernetes.patience import patiently
from gennaker.plugins.kubernetes.quotas import Wanted

_BLUE_GREEN = frozenset({"redblack", "bluegreen"})
_HIGHLANDER = "highlander"
_KNOWN = frozenset({"", "none", _HIGHLANDER, *_BLUE_GREEN})
_REPLICA_SET = Kind("replicaSet")
_QUOTA = Kind("resourceQuota").key


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """The stage's `trafficManagement`."""

    is_enabled: bool = True
    services: tuple[str, ...] = ()
    strategy: str = ""


def traffic_of(own: JsonObject) -> Traffic:
    """Switched off, what manifests themselves declare is honoured. Raises Refused."""
    management = foreign.mapping(own.get("trafficManagement"))
    if not foreign.flag(management.get("enabled")):
        return Traffic()
    options = foreign.mapping(management.get("options"))
    strategy = foreign.text_at(options, "strategy").lower().replace("/", "").replace("_", "")
    if strategy not in _KNOWN:
        raise Refused(
            Problem(
                code="manifest.strategy",
                message=f"There is no strategy {strategy!r} for manifests.",
                remedy="Use none, redblack, bluegreen or highlander.",
                pointer="/trafficManagement/options/strategy",
            )
        )
    return Traffic(
        is_enabled=foreign.flag(options.get("enableTraffic")),
        services=tuple(foreign.text(one) for one in foreign.items(options.get("services"))),
        strategy=strategy,
    )


def beside(own: JsonObject, chosen: Sequence[Ready]) -> list[Wanted]:
    """What will run beside the versions before, until it is stable: there must be room for both.

    Left out are namespaces whose quotas the same stage brings, and those in which it changes what is there: that may make room.
    """
    if traffic_of(own).strategy not in (_HIGHLANDER, *_BLUE_GREEN):
        return []
    changing = {
        manifests.namespace(one.manifest)
        for one in chosen
        if not one.is_absent and (kinds.of(one.manifest).key == _QUOTA or any(manifests.pod_specs(one.manifest)))
    }
    return [
        Wanted(manifest=one.manifest, count=1 if (count := manifests.replicas(one.manifest)) is None else count)
        for one in chosen
        if one.is_absent
        and kinds.of(one.manifest).key == _REPLICA_SET.key
        and manifests.namespace(one.manifest) not in changing
    ]


async def stages_after(context: StageContext) -> tuple[PlannedStage, ...]:
    """The stages that follow, one after the other. Raises Refused."""
    strategy = traffic_of(context.stage.context).strategy
    if strategy not in (_HIGHLANDER, *_BLUE_GREEN):
        return ()
    objects = asking.objects(context)
    disabled: list[PlannedStage] = []
    deleted: list[PlannedStage] = []
    for new in foreign.mappings_at(context.stage.context, "outputs.manifests"):
        if kinds.of(new).key != _REPLICA_SET.key:
            continue
        for old in await _before(objects, new):
            never_came_up = strategy in _BLUE_GREEN and _never_came_up(old)
            if not never_came_up:
                disabled.append(_stage("disableManifest", "Disable", context, old))
            if strategy == _HIGHLANDER or never_came_up:
                deleted.append(_stage("deleteManifest", "Delete", context, old))
    return tuple(
        msgspec.structs.replace(one, requisites=(place - 1,) if place else ())
        for place, one in enumerate((*disabled, *deleted))
    )


async def _before(objects: Objects, new: JsonObject) -> list[JsonObject]:
    moniker = annotations.moniker(new)
    there = await patiently(partial(objects.list, _REPLICA_SET, manifests.namespace(new)))
    found = targets.of_cluster(there, moniker.app or "", moniker.cluster or "")
    return [one for one in found if manifests.name(one) != manifests.name(new)]


def _never_came_up(old: JsonObject) -> bool:
    found, own = status.of(old), manifests.status(old)
    serves = manifests.count(own.get("readyReplicas")) > 0 and manifests.count(own.get("availableReplicas")) > 0
    return not found.stable.state and not found.failed.state and not serves


def _stage(kind: str, verb: str, context: StageContext, old: JsonObject) -> PlannedStage:
    own = context.stage.context
    return PlannedStage(
        type=kind,
        name=f"{verb} {manifests.name(old)}",
        context={
            "account": own.get("account"),
            "cloudProvider": "kubernetes",
            "location": manifests.namespace(old),
            "manifestName": manifests.full_name(old),
            "app": annotations.moniker(old).app,
        },
    )
