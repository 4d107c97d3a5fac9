"""Which object a manifest stage means: by name, by criteria within a cluster, or all that labels select."""

from gennaker.interfaces.stages import StageSpec, TaskContext
from gennaker.model import foreign, half_applied
from gennaker.model.artifact import Plain
from gennaker.model.codec import JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import asking, kinds, manifests, selectors, stability, targets
from gennaker.plugins.kubernetes.manifests import Coordinates
from gennaker.plugins.kubernetes.objects import Objects

_NAME, _LOCATION = "manifest.name", "manifest.location"


class TargetSpec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """How manifest stages say what they mean."""

    account: str = ""
    cloud_provider: str = ""
    location: str | None = ""
    """The namespace."""
    mode: str | None = ""
    """`static`, `dynamic` or `label`; what is given counts, criteria before a name."""
    manifest_name: str | None = ""
    """`deployment web`"""
    kind: str | None = ""
    app: str | None = ""
    cluster: str | None = ""
    """`replicaSet web`"""
    criteria: str | None = ""
    kinds: tuple[str, ...] | None = ()
    label_selectors: JsonObject | None = None
    options: JsonObject | None = None
    stable_manifest_timeout_minutes: Plain | None = None


async def resolve(context: TaskContext) -> TaskResult:
    """Finds out once which object is meant, so that all that follows means the same."""
    objects = asking.objects(context)
    own = context.stage.context
    namespace = foreign.text_at(own, "location") or foreign.text_at(own, "namespace")
    if means_many(own):
        for one in kinds_of(own):
            objects.account.check(one, namespace)
        return Done()
    where = await _single(objects, own, namespace, context.execution.head.application)
    objects.account.check(where.kind, where.namespace)
    found: JsonObject = {
        _NAME: where.full_name,
        _LOCATION: where.namespace,
        "manifest.account.name": objects.account.name,
    }
    # Under Orca's name for later stages only: in its own context the stage's author has it, or says criteria instead.
    return Done(context=found, outputs={**found, "manifestName": where.full_name})


def target(own: JsonObject) -> Coordinates:
    """What `resolve` has found."""
    kind, name = kinds.parse_full_name(foreign.text_at(own, _NAME))
    return Coordinates(kind=kind, namespace=foreign.text_at(own, _LOCATION), name=name)


def means_many(own: JsonObject) -> bool:
    """Whether the stage means whatever its labels select."""
    return bool(foreign.items(own.get("kinds"))) and not own.get("manifestName") and not own.get("criteria")


def kinds_of(own: JsonObject) -> list[kinds.Kind]:
    """The stage's `kinds`."""
    return [kinds.parse(foreign.text(one)) for one in foreign.items(own.get("kinds"))]


async def selected(objects: Objects, own: JsonObject) -> list[JsonObject]:
    """All objects that the stage's kinds and labels select. Raises Refused, ApiFailure."""
    chosen = selectors.rendered(foreign.mappings_at(own.get("labelSelectors"), "selectors"))
    if not chosen:
        raise Refused(
            Problem(
                code="manifest.selector",
                message="The stage names kinds but no labels: everything would be meant.",
                remedy="Give labelSelectors, or name one object.",
                pointer="/labelSelectors",
            )
        )
    namespace = foreign.text_at(own, "location")
    return [one for kind in kinds_of(own) for one in await objects.list(kind, namespace, chosen)]


async def _single(objects: Objects, own: JsonObject, namespace: str, application: str) -> Coordinates:
    criteria = foreign.text_at(own, "criteria")
    if not criteria:  # which counts before a name, as in Orca
        named = foreign.text_at(own, "manifestName") or foreign.text_at(own, "manifest")
        if not named:
            raise Refused(
                Problem(
                    code="manifest.no_target",
                    message="The stage doesn't say which object it means.",
                    remedy="Give `manifestName` as `deployment web`, or `kind`, `cluster` and `criteria`.",
                )
            )
        kind, name = kinds.parse_full_name(named)
        return Coordinates(kind=kind, namespace=namespace, name=name)
    cluster = foreign.text_at(own, "cluster")
    kind = kinds.parse(foreign.text_at(own, "kind") or cluster.partition(" ")[0])
    there = await objects.list(kind, namespace)
    of_cluster = targets.of_cluster(there, foreign.text_at(own, "app") or application, cluster)
    return manifests.coordinates(targets.choose(criteria, of_cluster, cluster))


async def live(objects: Objects, where: Coordinates) -> JsonObject:
    """The object as it is now. Raises Refused where there is none, ApiFailure."""
    found = await objects.get(where)
    if found is None:
        raise Refused(
            Problem(
                code="kubernetes.not_found",
                message=f"There is no {where.full_name} in namespace {where.namespace!r} of {objects.account.name}.",
                remedy="Look at the stage's account, location and name.",
            ),
            status=404,
        )
    return found


task = asking.task("resolveTargetManifest", resolve)
RESTART_CLEARS = (half_applied.KEY, _NAME, _LOCATION, "manifest.account.name", *stability.RESTART_CLEARS)
