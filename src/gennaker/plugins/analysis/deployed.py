"""Deployed: which server groups a canary has made, found in its execution or asked of the clouds."""

from collections.abc import Iterable, Iterator

from gennaker.interfaces import clouds
from gennaker.interfaces.clouds import ServerGroup
from gennaker.interfaces.services import Services
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.execution import Execution, Stage
from gennaker.plugins.analysis.stage_settings import ClusterPlace

DEPLOY_TYPE = "deployCanaryServerGroups"
SIDE = "canarySide"
"""Key in the context of the `deploy` stages."""


def pairs(execution: Execution, stage: Stage) -> list[JsonObject]:
    """What was deployed for the analysis that this stage belongs to, in Orca's shape; empty: nothing was."""
    root = stage.parent_id or stage.id
    sides: dict[str, list[JsonObject]] = {"control": [], "experiment": []}
    for one in _descendants(execution, root):
        side = one.context.get(SIDE)
        if one.type == "deploy" and isinstance(side, str):
            sides[side] += foreign.mappings(one.outputs.get("deployedServerGroups"))
    return [
        {f"{side}{key}": value for side, group in both for key, value in _described(group).items()}
        for both in (
            (("control", control), ("experiment", experiment))
            for control, experiment in zip(sides["control"], sides["experiment"], strict=False)
        )
    ]


async def of_execution(services: Services, places: Iterable[ClusterPlace], execution_id: str) -> list[ServerGroup]:
    """The server groups in these clusters that this execution has created and that are still there."""
    found: list[ServerGroup] = []
    for place in dict.fromkeys(places):
        there = await of_cluster(services, place)
        found += [group for group in there if group.created_by.startswith(f"{execution_id}/")]
    return found


async def of_cluster(services: Services, place: ClusterPlace) -> list[ServerGroup]:
    """All server groups of a cluster, oldest first."""
    found: list[ServerGroup] = []
    for name, provider in services.clouds.items():
        if place.cloud_provider in ("", name):
            found += [
                group
                for group in await clouds.of_account(provider, place.application, place.account)
                if _is_in(group, place)
            ]
    return found


def _is_in(group: ServerGroup, place: ClusterPlace) -> bool:
    where = (group.place.account, group.place.region)
    return group.moniker.cluster == place.cluster and where == (place.account, place.region)


def _descendants(execution: Execution, stage_id: str) -> Iterator[Stage]:
    for child in execution.children(stage_id):
        yield child
        yield from _descendants(execution, child.id)


def _described(group: JsonObject) -> JsonObject:
    return {
        "Scope": group.get("serverGroup"),
        "Location": group.get("region"),
        "AccountId": group.get("account"),
        "Image": group.get("image"),
        "Version": group.get("version"),
    }
