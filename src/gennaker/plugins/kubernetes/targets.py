"""Dynamic targets: which object of a cluster `newest`, `largest` and their like mean. Pure."""

from collections.abc import Callable, Iterable

from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import annotations, manifests


def _size(manifest: JsonObject) -> int:
    found = manifests.replicas(manifest)
    return -1 if found is None else found


def _second(ordered: list[JsonObject]) -> JsonObject | None:
    return ordered[-2] if len(ordered) > 1 else None


_CRITERIA: dict[str, tuple[Callable[[JsonObject], int | str], Callable[[list[JsonObject]], JsonObject | None]]] = {
    "newest": (manifests.created, lambda ordered: ordered[-1]),
    "second_newest": (manifests.created, _second),
    "oldest": (manifests.created, lambda ordered: ordered[0]),
    "largest": (_size, lambda ordered: ordered[-1]),
    "smallest": (_size, lambda ordered: ordered[0]),
}


def of_cluster(objects: Iterable[JsonObject], application: str, cluster: str) -> list[JsonObject]:
    """Those whose annotations say that they belong to the application's cluster."""
    found: list[JsonObject] = []
    for one in objects:
        own = manifests.annotations(one)
        if own.get(annotations.APPLICATION) == application and own.get(annotations.CLUSTER) == cluster:
            found.append(one)
    return found


def choose(criteria: str, cluster_objects: Iterable[JsonObject], cluster: str) -> JsonObject:
    """The object that is meant. Raises Refused."""
    known = _CRITERIA.get(criteria.strip().lower())
    if known is None:
        raise Refused(
            Problem(
                code="manifest.criteria",
                message=f"There is no criteria {criteria!r}.",
                remedy=f"Use one of {', '.join(_CRITERIA)}.",
                pointer="/criteria",
            )
        )
    key, pick = known
    ordered = sorted(cluster_objects, key=key)
    found = pick(ordered) if ordered else None
    if found is None:
        raise Refused(
            Problem(
                code="manifest.no_target",
                message=f"{criteria} of the cluster {cluster!r} means no object: it has {len(ordered)}.",
                remedy="Look at the stage's account, location and cluster, or deploy first.",
            ),
            status=404,
        )
    return found
