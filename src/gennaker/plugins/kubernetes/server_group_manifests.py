"""What a server group is as an object of Kubernetes, and what a live workload is as a server group. Pure.

A server group is a ReplicaSet, Deployment or StatefulSet of the server group's name, whose pods have a label of their own. What
Kubernetes has no field for stands in annotations: the effect that made it, capacity, version, and whether it is disabled.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from gennaker.interfaces.clouds import Capacity, Health, Instance, NewServerGroup, Place, ServerGroup
from gennaker.model import foreign
from gennaker.model.artifact import Artifact
from gennaker.model.codec import Json, JsonObject, decode_json, encode
from gennaker.model.moniker import parse
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import annotations, diagnosing, kinds, manifests, secret_variables, traffic
from gennaker.plugins.kubernetes.accounts import Account
from gennaker.plugins.kubernetes.kinds import Kind
from gennaker.plugins.kubernetes.submitting import EFFECT

KINDS = (Kind("replicaSet"), Kind("deployment"), Kind("statefulSet"))
DISABLED = "gennaker.io/disabled"
CAPACITY = "gennaker.io/capacity"
_VERSION = "gennaker.io/version"
_BALANCERS = "gennaker.io/load-balancers"
_LABELS = "gennaker.io/labels"
_PORT = "gennaker.io/port"
_SELECTOR = "gennaker.io/server-group"
_DEFAULT_PORT = 8080
_PROVIDER = "kubernetes"


def made(
    new: NewServerGroup, account: Account, services: Iterable[JsonObject], secret: Collection[str] = ()
) -> JsonObject:
    """The workload of a new server group, behind these Services; `secret`: variables that are in its Secret. Raises Refused."""
    given = foreign.mapping(new.provider_options.get("manifest"))
    manifest = manifests.copied(given) if given else _plain()
    kind = kinds.of(manifest)
    if kind not in KINDS:
        raise Refused(_no_server_group(kind))
    listed = tuple(services)
    if listed and kind != KINDS[0]:
        raise Refused(_only_replica_sets(kind))
    metadata = manifests.own_map(manifest, "metadata")
    metadata |= {"name": new.name, "namespace": new.place.region}
    manifests.own_map(metadata, "labels").update(new.labels)
    spec = manifests.own_map(manifest, "spec")
    spec["replicas"] = new.capacity.desired
    template = manifests.own_map(spec, "template")
    own: JsonObject = {_SELECTOR: new.name}
    manifests.own_map(manifests.own_map(spec, "selector"), "matchLabels").update(own)
    manifests.own_map(manifests.own_map(template, "metadata"), "labels").update(own)
    port = _filled(manifests.own_map(template, "spec"), new, secret)
    manifests.own_map(metadata, "annotations").update(_remembered(new, port))
    moniker = parse(new.name)
    manifest = annotations.annotated(manifest, moniker, _artifact(new, kind))
    manifest = annotations.labelled(manifest, moniker, managed_by=account.managed_by)
    if listed:
        manifest = annotations.with_load_balancers(manifest, tuple(manifests.full_name(one) for one in listed))
    for one in listed:
        manifest = traffic.attached(manifest, one)
    return manifest


def _plain() -> JsonObject:
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": {}}


def _filled(pod: JsonObject, new: NewServerGroup, secret: Collection[str]) -> int:
    """Puts image, environment and health check into the pods' first container; returns its port."""
    containers: list[Json] = [*foreign.mappings_at(pod, "containers")]
    first: JsonObject = foreign.mapping(containers[0]) if containers else {"name": parse(new.name).app or "main"}
    pod["containers"] = [first, *containers[1:]]
    pod.setdefault("terminationGracePeriodSeconds", max(1, int(new.drain_timeout.total_seconds())))
    first["image"] = new.image
    there = [one for one in foreign.mappings_at(first, "env") if foreign.text_at(one, "name") not in new.environment]
    told = {**new.environment, "GENNAKER_SERVER_GROUP": new.name, "GENNAKER_VERSION": new.version}
    environment = secret_variables.variables(told, secret, secret_variables.name_of(new.name, new.key))
    first["env"] = [*there, *environment]
    ports = foreign.mappings_at(first, "ports")
    port = manifests.whole(ports[0].get("containerPort")) if ports else None
    port = port or manifests.whole(new.provider_options.get("port")) or _DEFAULT_PORT
    if not ports:
        first["ports"] = [{"containerPort": port}]
    probe = new.probe
    first.setdefault(
        "readinessProbe",
        {
            "httpGet": {"path": probe.path, "port": port},
            "periodSeconds": max(1, round(probe.interval.total_seconds())),
            "timeoutSeconds": max(1, round(probe.timeout.total_seconds())),
            "failureThreshold": probe.failures_until_down,
        },
    )
    return port


def _remembered(new: NewServerGroup, port: int) -> dict[str, Json]:
    balancers: list[Json] = [*new.load_balancers]
    return {
        EFFECT: new.key,
        CAPACITY: capacity_text(new.capacity),
        _VERSION: new.version,
        _PORT: str(port),
        _BALANCERS: encode(balancers).decode(),
        _LABELS: encode(new.labels).decode(),
    }


def capacity_text(capacity: Capacity) -> str:
    """As the annotation has it."""
    return f"{capacity.min}..{capacity.max}"


def _artifact(new: NewServerGroup, kind: Kind) -> Artifact:
    moniker = parse(new.name)
    version = "" if moniker.sequence is None else f"v{moniker.sequence:03d}"
    return Artifact(type=f"kubernetes/{kind}", name=moniker.cluster, location=new.place.region, version=version)


def is_of(live: JsonObject, application: str) -> bool:
    """Whether a live workload is a server group of the application: deployed as one, and nobody else's part."""
    own = manifests.annotations(live)
    is_own = not foreign.items(manifests.metadata(live).get("ownerReferences"))
    return is_own and annotations.APPLICATION in own and annotations.moniker(live).app == application


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What lives beside workloads. There may be thousands of them: what belongs to one is found without going through all."""

    pods: Mapping[str, Sequence[JsonObject]] = {}
    """By the uid of their owner."""
    replica_sets: Mapping[str, Sequence[JsonObject]] = {}
    """Likewise."""
    services: Mapping[tuple[str, str], JsonObject] = {}
    """By namespace and name."""

    def pods_of(self, live: JsonObject) -> list[JsonObject]:
        """The pods of the present version of a workload."""
        sets = self.replica_sets.get(_uid(live), ())
        owners = (_uid(live), *map(_uid, sets))
        pods = (pod for owner in owners for pod in self.pods.get(owner, ()))
        return diagnosing.own_pods(live, pods, sets)


def around(
    pods: Iterable[JsonObject], replica_sets: Iterable[JsonObject], services: Mapping[tuple[str, str], JsonObject]
) -> Around:
    """Sorts what lives beside workloads by whose it is."""
    return Around(pods=_by_owner(pods), replica_sets=_by_owner(replica_sets), services=services)


def _by_owner(found: Iterable[JsonObject]) -> dict[str, list[JsonObject]]:
    owned: dict[str, list[JsonObject]] = {}
    for one in found:
        for owner in foreign.mappings_at(manifests.metadata(one), "ownerReferences"):
            owned.setdefault(foreign.text_at(owner, "uid"), []).append(one)
    return owned


def _uid(live: JsonObject) -> str:
    return foreign.text_at(manifests.metadata(live), "uid")


def group_of(live: JsonObject, account: str, around: Around, *, at: datetime) -> ServerGroup:
    """The server group that a live workload is."""
    own, replicas = manifests.annotations(live), manifests.replicas(live)
    desired = 1 if replicas is None else replicas
    is_disabled = _is_disabled(live, around.services)
    mine = around.pods_of(live)
    instances = [
        instance_of(one, _port_of(live), is_disabled=is_disabled)
        for one in sorted(mine, key=lambda one: (manifests.created(one), manifests.name(one)))
    ]
    place = Place(account=account, region=manifests.namespace(live))
    refused = next((one for one in diagnosing.troubles(live, ()) if one.reason), None)
    if refused is not None and len(instances) < desired:
        health = Health.FAILED if refused.is_hopeless(at) else Health.STARTING
        instances.append(
            Instance(
                id=f"{manifests.name(live)}-refused", health=health, health_reason=str(refused), launched_at=_at(live)
            )
        )
    return ServerGroup(
        name=manifests.name(live),
        place=place,
        cloud_provider=_PROVIDER,
        moniker=annotations.moniker(live),
        created_at=_at(live),
        capacity=_capacity(own.get(CAPACITY, ""), desired),
        is_disabled=is_disabled,
        image=_image(live),
        version=own.get(_VERSION, ""),
        load_balancers=tuple(str(one) for one in foreign.items(_json(own.get(_BALANCERS, "[]")))),
        instances=tuple(instances),
        labels={key: str(value) for key, value in foreign.mapping(_json(own.get(_LABELS, "{}"))).items()},
        created_by=own.get(EFFECT, ""),
    )


def instance_of(pod: JsonObject, port: int, *, is_disabled: bool) -> Instance:
    """The instance that a pod is."""
    status = manifests.status(pod)
    address = foreign.text_at(status, "podIP")
    health, why = _health(pod)
    return Instance(
        id=manifests.name(pod),
        address=f"{f'[{address}]' if ':' in address else address}:{port}" if address else None,
        health=Health.OUT_OF_SERVICE if health is Health.UP and is_disabled else health,
        health_reason=why,
        launched_at=_at(pod),
        restarts=sum(
            manifests.count(one.get("restartCount")) for one in foreign.mappings_at(status, "containerStatuses")
        ),
    )


def _health(pod: JsonObject) -> tuple[Health, str]:
    if manifests.metadata(pod).get("deletionTimestamp"):
        return Health.DRAINING, ""
    phase = foreign.text_at(manifests.status(pod), "phase")
    found = next(iter(diagnosing.troubles(pod, ())), None)
    if found is not None and found.is_final:
        return Health.FAILED, str(found)
    is_ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in manifests.conditions(pod))
    if phase == "Running" and is_ready:
        return Health.UP, ""
    if phase == "Succeeded":
        return Health.SUCCEEDED, "It has ended."
    if phase == "Failed":
        return Health.FAILED, foreign.text_at(manifests.status(pod), "message") or "The pod has failed."
    if phase == "Running":
        return Health.DOWN, str(found) if found else "Its readiness probe has no success."
    return Health.STARTING, str(found) if found else ""


def _is_disabled(live: JsonObject, services: Mapping[tuple[str, str], JsonObject]) -> bool:
    if manifests.annotations(live).get(DISABLED) == "true":
        return True
    declared = [traffic.coordinates(one, manifests.namespace(live)) for one in annotations.load_balancers(live)]
    there = [services[one.namespace, one.name] for one in declared if (one.namespace, one.name) in services]
    labels = manifests.template_labels(live) or {}
    return bool(there) and not any(traffic.selects(one, labels) for one in there)


def _capacity(text: str, desired: int) -> Capacity:
    low, _, high = text.partition("..")
    least = min(int(low), desired) if low.isdigit() else desired
    most = max(int(high), desired) if high.isdigit() else desired
    return Capacity(min=least, max=most, desired=desired)


def _image(live: JsonObject) -> str:
    pod = next(manifests.pod_specs(live), {})
    return next((foreign.text_at(one, "image") for one in foreign.mappings_at(pod, "containers")), "")


def _port_of(live: JsonObject) -> int:
    text = manifests.annotations(live).get(_PORT, "")
    pod = next(manifests.pod_specs(live), {})
    named = [port for one in foreign.mappings_at(pod, "containers") for port in foreign.mappings_at(one, "ports")]
    found = manifests.whole(named[0].get("containerPort")) if named else None
    return int(text) if text.isdigit() else found or _DEFAULT_PORT


def _at(live: JsonObject) -> datetime:
    try:
        return datetime.fromisoformat(manifests.created(live))
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def _json(text: str) -> Json:
    try:
        return decode_json(text)
    except ValueError:
        return None  # somebody else has written there


def _no_server_group(kind: Kind) -> Problem:
    return Problem(
        code="server_group.kind",
        message=f"A {kind} is no server group.",
        remedy="Write a ReplicaSet, a Deployment or a StatefulSet; deployManifest deploys every other kind.",
        pointer="/manifest/kind",
    )


def _only_replica_sets(kind: Kind) -> Problem:
    return Problem(
        code="server_group.services",
        message=f"Traffic by the labels of Services can be switched for a ReplicaSet, not for a {kind}: "
        "changing the labels of its pods would roll it out anew.",
        remedy="Write a ReplicaSet, or take off `services` and use a load balancer of a traffic provider.",
        pointer="/services",
    )
