"""What a dry run would have changed on server groups, in words: its stages, told over the server groups that there are now."""

from collections.abc import Iterable

import msgspec

from gennaker.model import foreign, moniker
from gennaker.model.codec import Json, JsonObject
from gennaker.model.foreign import text_at

_NEWEST, _BEFORE, _OLDEST = "current", "ancestor", "oldest"
NEW = "the new server group"


class Group(msgspec.Struct):
    """A server group while the plan is told."""

    name: str
    instances: Json
    """How many are wanted; text where an expression says it."""
    is_in_traffic: bool


class Change(msgspec.Struct, frozen=True):
    """What a stage does to the server groups of a cluster."""

    ref_id: str
    cluster: str
    sentence: str


class Foreseen:
    """The server groups as they would become."""

    def __init__(self, described: Iterable[JsonObject]) -> None:
        """From what Gate's `/serverGroups` answers."""
        self._clusters: dict[tuple[str, str, str], list[Group]] = {}
        for one in sorted(described, key=lambda one: (str(one.get("createdTime")), text_at(one, "name"))):
            key = (text_at(one, "account"), text_at(one, "region"), text_at(one, "cluster"))
            wanted = foreign.mapping(one.get("capacity")).get("desired")
            name = text_at(one, "displayName") or text_at(one, "name")
            group = Group(name=name, instances=wanted, is_in_traffic=one.get("isDisabled") is not True)
            self._clusters.setdefault(key, []).append(group)

    def told(self, stages: list[JsonObject]) -> list[Change]:
        """All changes in the order in which they would be made."""
        found: list[Change] = []
        by_id = {text_at(stage, "id"): stage for stage in stages}
        for stage in stages:
            context = foreign.mapping(stage.get("context"))
            above = foreign.mapping(by_id.get(text_at(stage, "parentId"), {}).get("context"))
            for key in _places(context, above):
                groups = self._clusters.setdefault(key, [])
                sentence = _change(text_at(stage, "type"), context, groups)
                if sentence:
                    found.append(Change(text_at(stage, "refId"), f"{key[2]} ({key[0]}/{key[1]})", sentence))
        return found


def _places(context: JsonObject, above: JsonObject) -> list[tuple[str, str, str]]:
    """Account, region and cluster: of the stage, or of the one that has made it."""
    cluster = _cluster(context) or _cluster(above)
    account = text_at(context, "credentials") or text_at(context, "account")
    listed = [str(one) for one in foreign.items(context.get("regions"))] or [text_at(context, "region")]
    return [(account, region, cluster) for region in listed if cluster and account]


def _cluster(context: JsonObject) -> str:
    named = text_at(context, "cluster")
    if named or not (text_at(context, "stack") or text_at(context, "imageId") or context.get("capacity")):
        return named
    parts = (text_at(context, key) for key in ("application", "stack", "freeFormDetails"))
    return moniker.cluster_name(*parts)


def _change(kind: str, context: JsonObject, groups: list[Group]) -> str:
    target = _target(context, groups)
    match kind:
        case "createServerGroup":
            return _created(context, groups)
        case "shiftTraffic":
            return _shifted(context, groups)
        case "resizeServerGroup" if target:
            return _resized(context, target)
        case "disableServerGroup" if target:
            target.is_in_traffic = False
            return f"{target.name} is taken out of traffic."
        case "enableServerGroup" if target:
            target.is_in_traffic = True
            return f"{target.name} is put into traffic."
        case "destroyServerGroup" if target:
            groups.remove(target)
            return f"{target.name} is destroyed with its {target.instances} instances."
        case "shrinkCluster":
            return _shrunk(context, groups)
        case "resizeServerGroup" | "disableServerGroup" | "enableServerGroup" | "destroyServerGroup":
            return "There is no server group that this stage could act on: it would fail."
        case _ if kind.endswith(("ServerGroup", "Cluster")):
            return "Which server groups it changes, and how, is known only when it runs."
        case _:
            return ""


def _created(context: JsonObject, groups: list[Group]) -> str:
    wanted = foreign.mapping(context.get("capacity")).get("desired", 1)
    image = text_at(context, "imageId") or text_at(context, "image")
    groups.append(Group(name=NEW, instances=wanted, is_in_traffic=False))
    return f"A server group of {wanted} instances is created" + (f" from {image}." if image else ".")


def _shifted(context: JsonObject, groups: list[Group]) -> str:
    percent = context.get("percent", 100)
    receiving = groups[-1] if groups else None
    if receiving is None:
        return ""
    receiving.is_in_traffic = True
    if text_at(context, "mode") != "switch":
        return f"{receiving.name} gets {percent} % of the traffic."
    others = [one for one in groups[:-1] if one.is_in_traffic]
    for one in others:
        one.is_in_traffic = False
    gone = f"; {', '.join(one.name for one in others)} gets none any more" if others else ""
    return f"{receiving.name} gets all traffic{gone}."


def _resized(context: JsonObject, target: Group) -> str:
    before, action = target.instances, text_at(context, "action")
    if action and action != "scale_exact":
        by = context.get("scaleNum") or f"{context.get('scalePct')} %"
        return f"{target.name} is resized from {before} instances: {action} by {by}."
    target.instances = foreign.mapping(context.get("capacity")).get("desired")
    return f"{target.name} is resized from {before} to {target.instances} instances."


def _shrunk(context: JsonObject, groups: list[Group]) -> str:
    kept = context.get("shrinkToSize")
    if not isinstance(kept, int):
        return "Old server groups are destroyed."
    kept_ones = groups[len(groups) - kept :] if kept < len(groups) else list(groups)
    spares_active = not foreign.flag(context.get("allowDeleteActive"))
    old = [one for one in groups if one not in kept_ones and one.name != NEW]
    gone = [one for one in old if not (spares_active and one.is_in_traffic)]
    groups[:] = [one for one in groups if one not in gone]
    return f"{', '.join(one.name for one in gone)} is destroyed." if gone else "Nothing is old enough to be destroyed."


def _target(context: JsonObject, groups: list[Group]) -> Group | None:
    name = text_at(context, "serverGroupName") or text_at(context, "asgName")
    if name:
        return next((one for one in groups if one.name == name.rpartition(" ")[2]), None)
    wanted = text_at(context, "target").lower().removesuffix("_dynamic").removesuffix("_asg")
    place = {_NEWEST: -1, _BEFORE: -2, _OLDEST: 0}.get(wanted)
    return groups[place] if place is not None and len(groups) >= abs(place) and groups else None
