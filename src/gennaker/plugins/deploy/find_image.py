"""Find Image from Cluster: the image that a cluster runs, for baselines and for deploying it elsewhere."""

from datetime import timedelta

from gennaker.interfaces.clouds import ServerGroup
from gennaker.interfaces.stages import StageType, TaskContext, TaskType
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.deploy import images, server_groups, targets
from gennaker.plugins.deploy.targets import TargetSpec

_STRATEGIES = ("NEWEST", "OLDEST", "LARGEST", "FAIL")


class Spec(TargetSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    selection_strategy: str = "NEWEST"
    """NEWEST, OLDEST, LARGEST, or FAIL where there is more than one."""
    only_enabled: bool = True


async def find(context: TaskContext) -> TaskResult:
    """Looks at the server groups that are there now."""
    own = context.stage.context
    cluster = targets.cluster_name(own)
    if not cluster:
        raise Refused(Problem(code="target.unnamed", message="The stage names no cluster.", remedy="Give `cluster`."))
    location = targets.location_of(own, context.services, named=cluster, application=context.execution.head.application)
    groups = await server_groups.of_cluster(context.services, location, cluster)
    if own.get("onlyEnabled") is None or foreign.flag(own.get("onlyEnabled")):
        groups = tuple(one for one in groups if not one.is_disabled)
    found = _selected(groups, str(own.get("selectionStrategy") or "NEWEST").upper(), cluster)
    version = found.version or images.tag_of(found.image)
    detail: JsonObject = {
        "ami": found.image,
        "imageId": found.image,
        "imageName": found.image,
        "version": version,
        "cloudProvider": found.cloud_provider,
        "refId": context.stage.ref_id,
        "sourceServerGroup": found.name,
        "region": found.place.region,
    }
    name = found.image.partition("@")[0].removesuffix(f":{version}")
    artifact: JsonObject = {"type": "docker/image", "name": name, "version": version, "reference": found.image}
    details: list[Json] = [detail]
    return Done(
        context={"amiDetails": details, "foundArtifacts": [artifact]},
        outputs={"deploymentDetails": details, "inferredRegions": [found.place.region]},
    )


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
    restart_clears=("amiDetails", "foundArtifacts"),
)
