"""Pod logs: what each container of one pod has written, for whoever looks at it."""

from gennaker.interfaces.manifests import ContainerLog, PodLogs
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.kubernetes import annotations, kinds, manifests
from gennaker.plugins.kubernetes.kinds import Kind
from gennaker.plugins.kubernetes.manifests import Coordinates
from gennaker.plugins.kubernetes.objects import Objects

_POD = Kind("pod")
_MOST_OBJECTS = 4
"""A pod, its ReplicaSet or Job, that one's Deployment or CronJob, and what may have made that."""


async def read(objects: Objects, namespace: str, name: str, *, lines: int) -> PodLogs | None:
    """The end of each container's log, initial ones first; None: there is no such pod. Raises Refused, ApiFailure."""
    pod = await objects.get(Coordinates(kind=_POD, namespace=namespace, name=name))
    if pod is None:
        return None
    spec, found = manifests.spec(pod), list[ContainerLog]()
    for one in (*foreign.mappings_at(spec, "initContainers"), *foreign.mappings_at(spec, "containers")):
        container = foreign.text_at(one, "name")
        found.append(ContainerLog(name=container, output=await _log(objects, pod, container, lines)))
    return PodLogs(application=await _application(objects, pod), containers=tuple(found))


async def _log(objects: Objects, pod: JsonObject, container: str, lines: int) -> str:
    """In its place what the cluster says: the container may not have begun."""
    try:
        return await objects.log(manifests.namespace(pod), manifests.name(pod), container, lines=lines)
    except Refused as refused:
        return refused.problems[0].message


async def _application(objects: Objects, pod: JsonObject) -> str:
    """By its own annotation, or that of what has made it; else by its name, as of every object."""
    one: JsonObject | None = pod
    for _ in range(_MOST_OBJECTS):
        if one is None:
            break
        if said := annotations.application(one):
            return said
        one = await _owner(objects, one)
    return annotations.moniker(pod).app or ""


async def _owner(objects: Objects, one: JsonObject) -> JsonObject | None:
    owners = foreign.mappings_at(manifests.metadata(one), "ownerReferences")
    owner = next((each for each in owners if each.get("controller") is True), None)
    if owner is None:
        return None
    where = Coordinates(kind=kinds.of(owner), namespace=manifests.namespace(one), name=foreign.text_at(owner, "name"))
    try:
        return await objects.get(where)
    except Refused:  # the account may not read it
        return None
