"""What a deployment makes of its manifests before anything is sent: artifacts, versions, capacity, traffic, annotations. Pure.

Manifests are taken in deploy order, and each is put on the artifact table as what it is about to become: so a workload
binds the version of a ConfigMap that the same request brings, even when artifact binding is switched off. What is live is
handed in as `Facts`; `needed` says which.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from gennaker.model import foreign
from gennaker.model.artifact import Artifact
from gennaker.model.codec import Json, JsonObject
from gennaker.model.moniker import Moniker
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import annotations, kinds, manifests, replacing, traffic, versions
from gennaker.plugins.kubernetes.annotations import Way
from gennaker.plugins.kubernetes.kinds import NO_CUSTOM_KINDS, Can, CustomKinds, Kind
from gennaker.plugins.kubernetes.manifests import Coordinates
from gennaker.plugins.kubernetes.replacing import Binding

KEEPS_PREVIOUS = frozenset({"redblack", "bluegreen"})
"""Strategies that switch back to the version before."""

ListKey = tuple[str, str]
"""A kind's key and a namespace."""
ObjectKey = tuple[str, str, str]
"""`Coordinates.key`."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage asks for, besides its manifests."""

    account: str
    moniker: Moniker
    required: tuple[Artifact, ...] = ()
    optional: tuple[Artifact, ...] = ()
    binds_artifacts: bool = True
    binding: Binding = Binding.NAME_AND_TAG
    is_versioned: bool | None = None
    services: tuple[str, ...] = ()
    sends_traffic: bool = True
    strategy: str = ""
    has_selectors: bool = False
    skips_template_labels: bool = False
    managed_by: str = "spinnaker"
    applied_by: str = ""
    """Which stage it is, for pruning."""
    custom: CustomKinds = NO_CUSTOM_KINDS


class Needed(msgspec.Struct, frozen=True, kw_only=True):
    """Which live objects the decisions depend on."""

    lists: frozenset[tuple[Kind, str]] = frozenset()
    objects: frozenset[Coordinates] = frozenset()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is live."""

    lists: Mapping[ListKey, Sequence[JsonObject]] = {}
    objects: Mapping[ObjectKey, JsonObject] = {}
    taken: Mapping[ObjectKey, int] = {}
    """Greatest numbers of versions that other stages are about to deploy."""


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest as it is sent."""

    manifest: JsonObject
    way: Way
    artifact: Artifact
    new_version: int | None = None
    """Its number, if nothing of this content was deployed before."""
    place: int = 0
    """Among the stage's manifests, as they are written."""
    is_absent: bool = False
    """The list of its kind, by which its version was chosen, has nothing of its name: nobody need ask for it."""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is sent, in order."""

    ready: tuple[Ready, ...] = ()
    bound: tuple[Artifact, ...] = ()


def expanded(documents: Sequence[Json], at: str = "/manifests") -> list[JsonObject]:
    """The manifests of a stage: lists are opened, what is empty is left out. Raises Refused for what isn't an object.

    `at`: where they stand, as a JSON pointer.
    """
    found: list[JsonObject] = []
    for place, one in enumerate(documents):
        if one is None:
            continue
        if not isinstance(one, dict):
            raise Refused(
                Problem(
                    code="manifest.not_an_object",
                    message=f"A manifest must be an object, not {foreign.described(one)}.",
                    remedy="Write each manifest as a map with apiVersion, kind and metadata.",
                    pointer=f"{at}/{place}",
                )
            )
        if one.get("kind") == "List":
            found.extend(expanded(foreign.items(one.get("items")), f"{at}/{place}/items"))
        else:
            found.append(one)
    return found


def in_namespace(manifest: JsonObject, namespace: str, *, is_namespaced: Callable[[Kind], bool]) -> JsonObject:
    """The manifest in the stage's namespace, where its kind has one."""
    if not namespace or not is_namespaced(kinds.of(manifest)):
        return manifest
    return {**manifest, "metadata": {**manifests.metadata(manifest), "namespace": namespace}}


def needed(wanted: Sequence[JsonObject], request: Request) -> Needed:
    """What has to be looked up before `prepare`. Raises Refused for services that aren't named as they must be."""
    lists: set[tuple[Kind, str]] = set()
    objects: set[Coordinates] = set()
    given = {manifests.coordinates(one).key for one in wanted}
    for one in wanted:
        here, can = manifests.coordinates(one), request.custom.of(kinds.of(one)).can
        if versions.is_versioned(one, requested=request.is_versioned, custom=request.custom):
            lists.add((here.kind, here.namespace))
        elif annotations.strategy(one).uses_source_capacity and Can.SCALE in can:
            objects.add(here)
        if request.sends_traffic and _takes_traffic(can):
            for name in annotations.load_balancers(_with_services(one, request)):
                balancer = traffic.coordinates(name, here.namespace)
                if balancer.key not in given:
                    objects.add(balancer)
    return Needed(lists=frozenset(lists), objects=frozenset(objects))


def prepare(wanted: Sequence[JsonObject], request: Request, facts: Facts) -> Prepared:
    """Decides everything. Raises Refused; then nothing may be sent."""
    ordered = kinds.in_deploy_order(list(wanted), request.custom)
    places = {id(one): place for place, one in enumerate(wanted)}
    table = _artifact_table(request)
    given = {manifests.coordinates(one).key: one for one in ordered}
    lists = {key: tuple(there) for key, there in facts.lists.items()}
    named = {key: versions.by_name(there) for key, there in lists.items()}
    names = {key: {manifests.name(one) for one in there} for key, there in lists.items()}
    ready: list[Ready] = []
    bound: list[Artifact] = []
    for one in ordered:
        annotations.check_history(one, keeps_previous=request.strategy in KEEPS_PREVIOUS)
        replaced = replacing.replace(one, tuple(table.values()), account=request.account, binding=request.binding)
        bound += [artifact for artifact in replaced.bound if artifact not in bound]
        listed = kinds.of(one).key, manifests.namespace(one)
        prior = named.get(listed, {}).get(manifests.name(one), [])
        made = _ready(replaced.manifest, request, _Around(facts=facts, prior=prior, given=given))
        table[_table_key(made.artifact)] = made.artifact
        is_absent = made.new_version is not None and listed in names and made.artifact.reference not in names[listed]
        ready.append(replace(made, place=places[id(one)], is_absent=is_absent))
    check_required(request.required if request.binds_artifacts else (), bound)
    if request.has_selectors:
        _check_selectors(ready)
    return Prepared(ready=tuple(ready), bound=tuple(bound))


class _Around(msgspec.Struct, frozen=True, kw_only=True):
    """What a manifest is decided by, besides the request."""

    facts: Facts
    prior: Sequence[JsonObject]
    """Its own versions."""
    given: Mapping[ObjectKey, JsonObject]
    """All manifests of the request."""


def _ready(manifest: JsonObject, request: Request, around: _Around) -> Ready:
    kind, prior, version = kinds.of(manifest), around.prior, None
    if versions.is_versioned(manifest, requested=request.is_versioned, custom=request.custom):
        taken = around.facts.taken.get(manifests.coordinates(manifest).key, -1)
        version = versions.choose(manifest, prior, taken=taken)
    artifact = _artifact_of(manifest, request.account, version)
    moniker = replace(
        request.moniker,
        sequence=version.number if version else request.moniker.sequence,
        cluster=request.moniker.cluster or manifests.full_name(manifest),
    )
    way, can = annotations.strategy(manifest).way, request.custom.of(kind).can
    made = manifest
    if annotations.strategy(manifest).uses_source_capacity and Can.SCALE in can:
        made = _with_replicas(made, _source(manifest, around.facts, prior, is_versioned=version is not None))
    if _takes_traffic(can):
        made = _with_services(made, request)
        if request.sends_traffic:
            made = _behind(made, around)
    made = annotations.applied_by(annotations.annotated(made, moniker, artifact), request.applied_by)
    made = annotations.labelled(
        made, moniker, managed_by=request.managed_by, skips_template=request.skips_template_labels
    )
    if version is not None:
        made = {**made, "metadata": {**manifests.metadata(made), "name": artifact.reference}}
    new = version.number if version is not None and not version.is_reused else None
    return Ready(manifest=made, way=way, artifact=artifact, new_version=new)


def _artifact_of(manifest: JsonObject, account: str, version: versions.Version | None) -> Artifact:
    name = manifests.name(manifest)
    return Artifact(
        type=f"kubernetes/{kinds.of(manifest)}",
        name=name,
        location=manifests.namespace(manifest),
        version=str(version) if version else "",
        reference=f"{name}-{version}" if version else name,
        metadata={"account": account},
    )


def _source(
    manifest: JsonObject, facts: Facts, prior: Sequence[JsonObject], *, is_versioned: bool
) -> JsonObject | None:
    if not is_versioned:
        return facts.objects.get(manifests.coordinates(manifest).key)
    newest = versions.newest(manifests.name(manifest), prior)
    return next((one for one in prior if manifests.name(one) == newest), None)


def _with_replicas(manifest: JsonObject, source: JsonObject | None) -> JsonObject:
    replicas = None if source is None else manifests.replicas(source)
    if replicas is None or not isinstance(manifest.get("spec"), dict):
        return manifest
    return {**manifest, "spec": {**manifests.spec(manifest), "replicas": replicas}}


def _takes_traffic(can: Can) -> bool:
    return Can.TRAFFIC in can


def _with_services(manifest: JsonObject, request: Request) -> JsonObject:
    return annotations.with_load_balancers(manifest, request.services) if request.services else manifest


def _behind(manifest: JsonObject, around: _Around) -> JsonObject:
    """Put behind every load balancer that it declares."""
    for name in annotations.load_balancers(manifest):
        where = traffic.coordinates(name, manifests.namespace(manifest))
        balancer = around.given.get(where.key) or around.facts.objects.get(where.key)
        if balancer is None:
            raise Refused(
                Problem(
                    code="traffic.no_load_balancer",
                    message=f"The load balancer {where.full_name} of {manifests.full_name(manifest)} doesn't exist in "
                    + (f"namespace {where.namespace!r}." if where.namespace else "the account's own namespace."),
                    remedy="Deploy it before, or in the same stage.",
                )
            )
        manifest = traffic.attached(manifest, balancer)
    return manifest


def _artifact_table(request: Request) -> dict[str, Artifact]:
    table: dict[str, Artifact] = {}
    for one in (*request.required, *request.optional) if request.binds_artifacts else ():
        table.setdefault(_table_key(one), one)
    return table


def _table_key(artifact: Artifact) -> str:
    return f"[{artifact.type}]-[{artifact.name}]-[{artifact.location or ''}]"


def check_required(required: Sequence[Artifact], bound: Sequence[Artifact]) -> None:
    """Bound in any one manifest is enough. Raises Refused."""
    used = {_identity(one) for one in bound}
    missing = [one for one in required if _identity(one) not in used]
    if missing:
        listed = ", ".join(f"{one.type} {one.name or one.reference}" for one in missing)
        raise Refused(
            Problem(
                code="manifest.unbound_artifact",
                message=f"The following required artifacts could not be bound: {listed}.",
                remedy="Write the same name in the manifest as the artifact has (an image without tag), "
                "or take them off the stage's required artifacts.",
                pointer="/requiredArtifacts",
            )
        )


def _identity(artifact: Artifact) -> tuple[str, ...]:
    return (
        artifact.type or "",
        artifact.name or "",
        artifact.version or "",
        artifact.location or "",
        artifact.reference or "",
    )


def _check_selectors(ready: Sequence[Ready]) -> None:
    replaced = [manifests.full_name(one.manifest) for one in ready if one.way is Way.REPLACE]
    if replaced:
        raise Refused(
            Problem(
                code="manifest.selector",
                message=f"Label selectors can't be used with the strategy replace, which {', '.join(replaced)} wants.",
                remedy=f"Take off the stage's label selectors or the annotation {annotations.REPLACE}.",
                pointer="/labelSelectors",
            )
        )
