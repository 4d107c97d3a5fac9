"""What a server group is as an object of Kubernetes, and what a live workload is as a server group. Pure.

A server group is a ReplicaSet, Deployment or StatefulSet of the server group's name, whose pods have a label of their own. What
Kubernetes has no field for stands in annotations: the effect that made it, capacity, version, and whether it is disabled.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from gennaker.interfaces.clouds import Capacity, Health, HealthSource, Instance, NewServerGroup, Place, ServerGroup
from gennaker.model import foreign
from gennaker.model.artifact import Artifact
from gennaker.model.codec import Json, JsonObject, decode_json, encode
from gennaker.model.moniker import parse
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import annotations, diagnosing, kinds, manifests, secret_variables, traffic
from gennaker.plugins.kubernetes.accounts import Account
from gennaker.plugins.kubernetes.diagnosing import Trouble
from gennaker.plugins.kubernetes.kinds import Kind
from gennaker.plugins.kubernetes.submitting import EFFECT

REPLICA_SET = Kind("replicaSet")
KINDS = (REPLICA_SET, Kind("deployment"), Kind("statefulSet"))
DISABLED = "gennaker.io/disabled"
CAPACITY = "gennaker.io/capacity"
_VERSION = "gennaker.io/version"
_BALANCERS = "gennaker.io/load-balancers"
_LABELS = "gennaker.io/labels"
_PORT = "gennaker.io/port"
_SELECTOR = "gennaker.io/server-group"
_DEFAULT_PORT = 8080
_PROVIDER = "kubernetes"
_PREPARED_WITHIN = timedelta(seconds=5)
"""So long nobody asks why a pod has no containers yet: nearly all have them sooner."""


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
    if listed and kind != REPLICA_SET:
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
    """Whether a live workload is a server group of the application: deployed as one, nobody else's part, and not to be left out of lists.

    What `createServerGroup` has made always is, or its strategy would not find it.
    """
    if not annotations.is_of(live, application) or foreign.items(manifests.metadata(live).get("ownerReferences")):
        return False
    return annotations.is_listed(live) or CAPACITY in manifests.annotations(live)


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What lives beside workloads. There may be thousands of them: what belongs to one is found without going through all."""

    pods: Mapping[str, Sequence[JsonObject]] = {}
    """By the uid of their owner."""
    replica_sets: Mapping[str, Sequence[JsonObject]] = {}
    """Likewise."""
    services: Mapping[tuple[str, str], JsonObject] = {}
    """By namespace and name."""
    selecting: Mapping[tuple[str, str, str], Sequence[JsonObject]] = {}
    """The same by namespace and a label that they want pods to have."""
    events: Mapping[str, Sequence[JsonObject]] = {}
    """Of namespaces in which pods are prepared for long, by the uid of what they are about."""

    def pods_of(self, live: JsonObject) -> list[JsonObject]:
        """The pods of the present version of a workload."""
        if kinds.of(live) == REPLICA_SET:
            return [*self.pods.get(_uid(live), ())]
        sets = self.replica_sets.get(_uid(live), ())
        owners = (_uid(live), *map(_uid, sets))
        pods = (pod for owner in owners for pod in self.pods.get(owner, ()))
        return diagnosing.own_pods(live, pods, sets)


def around(
    pods: Iterable[JsonObject], replica_sets: Iterable[JsonObject], services: Mapping[tuple[str, str], JsonObject]
) -> Around:
    """Sorts what lives beside workloads by whose it is."""
    selecting: dict[tuple[str, str, str], list[JsonObject]] = {}
    for (namespace, _), one in services.items():
        for key, value in [*traffic.selector(one).items()][:1]:
            selecting.setdefault((namespace, key, value), []).append(one)
    return Around(pods=by_owner(pods), replica_sets=by_owner(replica_sets), services=services, selecting=selecting)


def by_owner(found: Iterable[JsonObject]) -> dict[str, list[JsonObject]]:
    """Objects by the uids of their owners."""
    owned: dict[str, list[JsonObject]] = {}
    for one in found:
        for owner in foreign.mappings_at(manifests.metadata(one), "ownerReferences"):
            if uid := foreign.text_at(owner, "uid"):
                owned.setdefault(uid, []).append(one)
    return owned


def _uid(live: JsonObject) -> str:
    return foreign.text_at(manifests.metadata(live), "uid")


def group_of(live: JsonObject, account: str, around: Around, *, at: datetime) -> ServerGroup:
    """The server group that a live workload is."""
    own, replicas = manifests.annotations(live), manifests.replicas(live)
    images = _images(next(manifests.pod_specs(live), {}))
    desired = 1 if replicas is None else replicas
    is_disabled = _is_disabled(live, around.services)
    mine = around.pods_of(live)
    instances = [
        instance_of(one, _port_of(live), is_disabled=is_disabled, at=at, events=around.events.get(_uid(one), ()))
        for one in sorted(mine, key=lambda one: (manifests.created(one), manifests.name(one)))
    ]
    place = Place(account=account, region=manifests.namespace(live))
    sets = around.replica_sets.get(_uid(live), ())
    refusals = diagnosing.troubles(live, (), sets)
    refusals += diagnosing.of_refusals(live, mine, around.events.get(_uid(live), ()))
    refused = next((one for one in refusals if one.reason), None)
    if refused is not None and len(instances) < desired:
        health = Health.FAILED if refused.is_hopeless(at) else Health.STARTING
        instances.append(
            Instance(
                id=f"{manifests.name(live)}-refused",
                health=health,
                health_reason=str(refused),
                launched_at=created_at(live),
                fails_at=refused.passes_until,
            )
        )
    return ServerGroup(
        name=manifests.name(live),
        place=place,
        cloud_provider=_PROVIDER,
        moniker=annotations.moniker(live),
        created_at=created_at(live),
        capacity=_capacity(own.get(CAPACITY, ""), desired),
        is_disabled=is_disabled,
        image=next(iter(images), ""),
        version=own.get(_VERSION, ""),
        load_balancers=tuple(str(one) for one in foreign.items(_json(own.get(_BALANCERS, "[]")))),
        instances=tuple(instances),
        labels={key: str(value) for key, value in foreign.mapping(_json(own.get(_LABELS, "{}"))).items()},
        created_by=own.get(EFFECT, ""),
        kind=str(kinds.of(live)),
        api_version=foreign.text_at(live, "apiVersion"),
        images=images,
        services=_services(live, around),
    )


def prepared_for_long(pods: Iterable[JsonObject], at: datetime) -> frozenset[str]:
    """Namespaces of pods whose containers a node hasn't made after a while: their events say why."""
    return frozenset(
        manifests.namespace(one)
        for one in pods
        if foreign.text_at(manifests.status(one), "phase") == "Pending"
        and diagnosing.is_preparing(one)
        and created_at(one) <= at - _PREPARED_WITHIN
    )


def instance_of(
    pod: JsonObject, port: int, *, is_disabled: bool, at: datetime, events: Sequence[JsonObject] = ()
) -> Instance:
    """The instance that a pod is."""
    status = manifests.status(pod)
    address = foreign.text_at(status, "podIP")
    trouble = None if _is_ready(pod) else _trouble(pod, events)
    health, why = _health(pod, trouble, at)
    return Instance(
        id=manifests.name(pod),
        address=f"{f'[{address}]' if ':' in address else address}:{port}" if address else None,
        health=Health.OUT_OF_SERVICE if health is Health.UP and is_disabled else health,
        health_reason=why,
        launched_at=created_at(pod),
        uid=_uid(pod),
        restarts=sum(
            manifests.count(one.get("restartCount")) for one in foreign.mappings_at(status, "containerStatuses")
        ),
        fails_at=trouble.passes_until if trouble and health is Health.STARTING else None,
        is_unplaced=trouble is not None and trouble.is_unplaced and health is Health.STARTING,
        sources=tuple(_sources(status)),
    )


_OF_PHASES = {"Pending": Health.DOWN, "Running": Health.UP}


def _sources(status: JsonObject) -> Iterable[HealthSource]:
    """As Clouddriver has them: one of the pod, and one of each container."""
    phase = foreign.text_at(status, "phase")
    yield HealthSource(type="kubernetes/pod", state=_OF_PHASES.get(phase, Health.UNKNOWN), reason=phase)
    for one in foreign.mappings_at(status, "containerStatuses"):
        state = Health.UP if one.get("ready") is True else Health.DOWN
        yield HealthSource(type="kubernetes/container", state=state, reason=foreign.text_at(one, "name"))


def _is_ready(pod: JsonObject) -> bool:
    """Then no container of it has any trouble."""
    is_running = foreign.text_at(manifests.status(pod), "phase") == "Running"
    return is_running and any(
        one.get("type") == "Ready" and one.get("status") == "True" for one in manifests.conditions(pod)
    )


def _trouble(pod: JsonObject, events: Sequence[JsonObject]) -> Trouble | None:
    return next(iter(diagnosing.troubles(pod, ()) or diagnosing.of_events((pod,), events)), None)


def _health(pod: JsonObject, found: Trouble | None, at: datetime) -> tuple[Health, str]:
    if manifests.metadata(pod).get("deletionTimestamp"):
        return Health.DRAINING, ""
    phase = foreign.text_at(manifests.status(pod), "phase")
    if found is not None and found.is_hopeless(at) and not found.is_unplaced:
        return Health.FAILED, str(found)
    if _is_ready(pod):
        return Health.UP, ""
    if phase == "Succeeded":
        return Health.SUCCEEDED, "It has ended."
    if phase == "Failed":
        return Health.FAILED, foreign.text_at(manifests.status(pod), "message") or "The pod has failed."
    if phase == "Running":
        return Health.DOWN, str(found) if found else "Its readiness probe has no success."
    return Health.STARTING, str(found) if found else ""


def _services(live: JsonObject, around: Around) -> tuple[str, ...]:
    """And those that select its pods."""
    labels, namespace = manifests.template_labels(live) or {}, manifests.namespace(live)
    selecting = [
        f"service {manifests.name(one)}"
        for label in labels.items()
        for one in around.selecting.get((namespace, *label), ())
        if traffic.selects(one, labels)
    ]
    return tuple(dict.fromkeys((*annotations.load_balancers(live), *selecting)))


def _is_disabled(live: JsonObject, services: Mapping[tuple[str, str], JsonObject]) -> bool:
    if manifests.annotations(live).get(DISABLED) == "true":
        return True
    namespace = manifests.namespace(live)
    # What isn't named as a Service is, anybody may have written: it is none that there is.
    parts = [one.partition(" ") for one in annotations.load_balancers(live)]
    names = [name for kind, _, name in parts if kinds.parse(kind).name == "service"]
    there = [services[namespace, one] for one in names if (namespace, one) in services]
    labels = manifests.template_labels(live) or {}
    return bool(there) and not any(traffic.selects(one, labels) for one in there)


def _capacity(text: str, desired: int) -> Capacity:
    low, _, high = text.partition("..")
    least, most = foreign.natural(low), foreign.natural(high)
    return Capacity(
        min=desired if least is None else min(least, desired),
        max=desired if most is None else max(most, desired),
        desired=desired,
    )


def _images(pod: JsonObject) -> tuple[str, ...]:
    """Of all containers, each once, those that prepare the others last."""
    found = (foreign.text_at(one, "image") for one in manifests.containers(pod))
    return tuple(dict.fromkeys(one for one in found if one))


def _port_of(live: JsonObject) -> int:
    text = manifests.annotations(live).get(_PORT, "")
    pod = next(manifests.pod_specs(live), {})
    named = [port for one in foreign.mappings_at(pod, "containers") for port in foreign.mappings_at(one, "ports")]
    found = manifests.whole(named[0].get("containerPort")) if named else None
    return foreign.port(text) or found or _DEFAULT_PORT


def created_at(live: JsonObject) -> datetime:
    """When an object was made."""
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
