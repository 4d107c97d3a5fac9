"""Find Image from Cluster: the image that a cluster runs, for baselines and for deploying it elsewhere."""

from collections.abc import Mapping
from datetime import timedelta

from gennaker.interfaces.clouds import ServerGroup
from gennaker.interfaces.stages import StageType, TaskContext, TaskType
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.patterns import java
from gennaker.patterns.errors import PatternError
from gennaker.plugins.deploy import clusters, images, server_groups, targets
from gennaker.plugins.deploy.targets import TargetSpec

_STRATEGIES = ("NEWEST", "OLDEST", "LARGEST", "FAIL")


class Spec(TargetSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    selection_strategy: str = "NEWEST"
    """NEWEST, OLDEST, LARGEST, or FAIL where there is more than one."""
    only_enabled: bool = True
    image_name_pattern: str | None = None
    """A Java pattern that the image's name must match from beginning to end."""
    resolve_missing_locations: bool = False
    """A region without such a server group gets the image that the others have, if that is one."""


async def find(context: TaskContext) -> TaskResult:
    """Looks at the server groups that are there now."""
    own = context.stage.context
    cluster = targets.cluster_name(own)
    if not cluster:
        raise Refused(Problem(code="target.unnamed", message="The stage names no cluster.", remedy="Give `cluster`."))
    strategy = str(own.get("selectionStrategy") or "NEWEST").upper()
    found: dict[str, ServerGroup] = {}
    missing: list[str] = []
    for region in clusters.regions_of(own) or ("",):
        groups = await _candidates(context, cluster, region)
        if groups or not foreign.flag(own.get("resolveMissingLocations")):
            found[region] = _selected(groups, strategy, cluster)
        else:
            missing.append(region)
    if missing:
        found |= dict.fromkeys(missing, _common(found, cluster, missing))
    details: list[Json] = [_detail(context, one, region or one.place.region) for region, one in found.items()]
    artifacts = list({one.image: _artifact(one) for one in found.values()}.values())
    listed: list[Json] = [*artifacts]
    inferred: list[Json] = [region or one.place.region for region, one in found.items()]
    return Done(
        context={"amiDetails": details, "artifacts": listed},
        outputs={"deploymentDetails": details, "inferredRegions": inferred},
    )


async def _candidates(context: TaskContext, cluster: str, region: str) -> tuple[ServerGroup, ...]:
    own: JsonObject = {**context.stage.context, **({"region": region} if region else {})}
    location = targets.location_of_cluster(context, own, cluster)
    groups = await server_groups.of_cluster(context.services, location, cluster)
    if own.get("onlyEnabled") is None or foreign.flag(own.get("onlyEnabled")):
        groups = tuple(one for one in groups if not one.is_disabled)
    pattern = own.get("imageNamePattern")
    if isinstance(pattern, str) and pattern:
        groups = tuple(one for one in groups if _is_named(one.image, pattern))
    return groups


def _is_named(image: str, pattern: str) -> bool:
    try:
        return java.compiled(pattern).fits(image)
    except PatternError as error:
        raise Refused(
            Problem(
                code="find_image.pattern",
                message=f"{pattern!r} is no pattern: {error}.",
                remedy="Correct it; it is a Java regular expression for the whole name.",
                pointer="/imageNamePattern",
            )
        ) from error


def _common(found: Mapping[str, ServerGroup], cluster: str, missing: list[str]) -> ServerGroup:
    images_found = {one.image for one in found.values()}
    if len(images_found) != 1:
        raise Refused(
            Problem(
                code="find_image.none",
                message=f"The cluster {cluster} has no server group in {', '.join(missing)}, and the other regions have "
                f"{'different images' if images_found else 'none either'}.",
                remedy="Deploy to it first, or name only regions in which it runs.",
            )
        )
    return next(iter(found.values()))


def _detail(context: TaskContext, found: ServerGroup, region: str) -> JsonObject:
    return {
        "ami": found.image,
        "imageId": found.image,
        "imageName": found.image,
        "version": _version(found),
        "cloudProvider": found.cloud_provider,
        "refId": context.stage.ref_id,
        "sourceServerGroup": found.name,
        "region": region,
    }


def _artifact(found: ServerGroup) -> JsonObject:
    version = _version(found)
    name = found.image.partition("@")[0].removesuffix(f":{version}")
    return {"type": "docker/image", "name": name, "version": version, "reference": found.image}


def _version(found: ServerGroup) -> str:
    return found.version or images.tag_of(found.image)


def _selected(groups: tuple[ServerGroup, ...], strategy: str, cluster: str) -> ServerGroup:
    if strategy not in _STRATEGIES:
        raise Refused(
            Problem(
                code="find_image.strategy",
                message=f"There is no selection strategy {strategy!r}.",
                remedy=f"Use one of {', '.join(_STRATEGIES)}.",
                pointer="/selectionStrategy",
            )
        )
    if not groups:
        raise Refused(
            Problem(
                code="find_image.none",
                message=f"The cluster {cluster} has no enabled server group whose image could be taken.",
                remedy="Deploy to it first, or set `onlyEnabled` to false.",
            )
        )
    if strategy == "FAIL" and len(groups) > 1:
        raise Refused(
            Problem(
                code="find_image.several",
                message=f"The cluster {cluster} has several server groups: {server_groups.named(groups)}.",
                remedy="Choose another `selectionStrategy`.",
            )
        )
    if strategy == "LARGEST":
        return max(reversed(groups), key=lambda one: len(one.instances))
    return groups[0] if strategy == "OLDEST" else groups[-1]


stage = StageType(
    name="findImage",
    label="Find Image from Cluster",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="findImage", run=find, timeout=timedelta(minutes=10)),),
    aliases=("findImageFromCluster",),
    restart_clears=("amiDetails", "artifacts"),
)
