"""Kinds of objects: how Spinnaker names them, in which order they are deployed and what can be done with them. Pure.

A kind is written `replicaSet`, a custom one `Rollout.argoproj.io`; both are compared without regard to case, and the
short names of kubectl mean the same. `"<kind> <name>"` is how manifests are named everywhere.
"""

import re
from enum import Flag, StrEnum, auto

import msgspec

from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused

NATIVE_GROUPS = frozenset(
    {
        *("", "core", "batch", "apps", "extensions", "autoscaling", "policy"),
        *("storage.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "admissionregistration.k8s.io"),
        *("scheduling.k8s.io", "settings.k8s.io", "authorization.k8s.io", "authentication.k8s.io"),
        *("rbac.authorization.k8s.io", "certificates.k8s.io", "networking.k8s.io"),
    }
)
"""Groups that aren't part of a kind's name."""
LAST = 1000
"""Priority of kinds that nobody knows."""


class SpinnakerKind(StrEnum):
    """What a kind is in Spinnaker's model."""

    SERVER_GROUPS = "serverGroups"
    SERVER_GROUP_MANAGERS = "serverGroupManagers"
    INSTANCES = "instances"
    LOAD_BALANCERS = "loadBalancers"
    SECURITY_GROUPS = "securityGroups"
    CONFIGS = "configs"
    UNCLASSIFIED = "unclassified"


class Can(Flag):
    """What can be done with objects of a kind, beyond deploying, patching and deleting them."""

    NOTHING = 0
    BALANCE = auto()
    """Other objects get traffic through it."""
    TRAFFIC = auto()
    """It gets traffic."""
    RESIZE = auto()
    SCALE = auto()
    PAUSE = auto()
    """Its rollouts can be paused and resumed."""
    UNDO = auto()
    RESTART = auto()


class Kind(msgspec.Struct, frozen=True):
    """A kind's name."""

    name: str
    group: str = ""
    """Of a custom resource; empty for what Kubernetes brings."""

    def __str__(self) -> str:
        """As Spinnaker writes it."""
        return f"{self.name}.{self.group}" if self.group else self.name

    @property
    def key(self) -> str:
        """The same for all spellings."""
        return str(self).lower()


class Properties(msgspec.Struct, frozen=True, kw_only=True):
    """What Spinnaker knows of a kind."""

    spinnaker_kind: SpinnakerKind = SpinnakerKind.UNCLASSIFIED
    priority: int = LAST
    is_versioned: bool = False
    is_namespaced: bool = True
    is_deployable: bool = True
    can: Can = Can.NOTHING


_ROLLS = Can.UNDO | Can.RESTART | Can.TRAFFIC
_GROUPS, _PLAIN = SpinnakerKind.SERVER_GROUPS, SpinnakerKind.UNCLASSIFIED


def _of(
    priority: int,
    spinnaker_kind: SpinnakerKind = _PLAIN,
    *,
    is_versioned: bool = False,
    is_namespaced: bool = True,
    can: Can = Can.NOTHING,
) -> Properties:
    return Properties(
        spinnaker_kind=spinnaker_kind,
        priority=priority,
        is_versioned=is_versioned,
        is_namespaced=is_namespaced,
        can=can,
    )


_KNOWN: dict[str, Properties] = {
    "namespace": _of(0, is_namespaced=False),
    "role": _of(20),
    "clusterRole": _of(20, is_namespaced=False),
    "roleBinding": _of(30),
    "clusterRoleBinding": _of(30, is_namespaced=False),
    "customResourceDefinition": _of(30, is_namespaced=False),
    "serviceAccount": _of(40),
    "storageClass": _of(40, is_namespaced=False),
    "mutatingWebhookConfiguration": _of(40, is_namespaced=False),
    "validatingWebhookConfiguration": _of(40, is_namespaced=False),
    "persistentVolume": _of(40, SpinnakerKind.CONFIGS, is_namespaced=False),
    "configMap": _of(50, SpinnakerKind.CONFIGS, is_versioned=True),
    "secret": _of(50, SpinnakerKind.CONFIGS, is_versioned=True),
    "persistentVolumeClaim": _of(50, SpinnakerKind.CONFIGS),
    "service": _of(70, SpinnakerKind.LOAD_BALANCERS, can=Can.BALANCE),
    "ingress": _of(70, SpinnakerKind.LOAD_BALANCERS),
    "networkPolicy": _of(70, SpinnakerKind.SECURITY_GROUPS),
    "apiService": _of(80, is_namespaced=False),
    "limitRange": _of(90),
    "podDisruptionBudget": _of(90),
    "podPreset": _of(90),
    "podSecurityPolicy": _of(90, is_namespaced=False),
    "deployment": _of(100, SpinnakerKind.SERVER_GROUP_MANAGERS, can=_ROLLS | Can.PAUSE | Can.RESIZE | Can.SCALE),
    "replicaSet": _of(100, _GROUPS, is_versioned=True, can=Can.RESIZE | Can.SCALE | Can.TRAFFIC),
    # Spinnaker lists pausing for these two as well; their API has no such thing, and kubectl refuses it.
    "statefulSet": _of(100, _GROUPS, can=_ROLLS | Can.RESIZE | Can.SCALE),
    "daemonSet": _of(100, _GROUPS, can=_ROLLS | Can.RESIZE),
    "job": _of(100, _GROUPS, can=Can.TRAFFIC),
    "cronJob": _of(100, _GROUPS, can=Can.TRAFFIC),
    "pod": _of(100, SpinnakerKind.INSTANCES, is_versioned=True, can=Can.TRAFFIC),
    "horizontalpodautoscaler": _of(110),
    "event": Properties(is_deployable=False),
    "controllerRevision": Properties(is_deployable=False),
}
_ALIASES = {
    "cj": "cronJob",
    "cm": "configMap",
    "crd": "customResourceDefinition",
    "deploy": "deployment",
    "ds": "daemonSet",
    "hpa": "horizontalpodautoscaler",
    "ing": "ingress",
    "limits": "limitRange",
    "netpol": "networkPolicy",
    "ns": "namespace",
    "pdb": "podDisruptionBudget",
    "po": "pod",
    "psp": "podSecurityPolicy",
    "pv": "persistentVolume",
    "pvc": "persistentVolumeClaim",
    "rs": "replicaSet",
    "sa": "serviceAccount",
    "sc": "storageClass",
    "sts": "statefulSet",
    "svc": "service",
}
_NAMES = {**{name.lower(): name for name in _KNOWN}, **_ALIASES}
_FULL_NAME = re.compile(r"([^ ]+) ([^ ]+)")

PRIORITIES = {
    "LOWEST_PRIORITY": LAST,
    "WORKLOAD_ATTACHMENT_PRIORITY": 110,
    "WORKLOAD_CONTROLLER_PRIORITY": 100,
    "WORKLOAD_PRIORITY": 100,
    "WORKLOAD_MODIFIER_PRIORITY": 90,
    "PDB_PRIORITY": 90,
    "API_SERVICE_PRIORITY": 80,
    "NETWORK_RESOURCE_PRIORITY": 70,
    "MOUNTABLE_DATA_PRIORITY": 50,
    "MOUNTABLE_DATA_BACKING_RESOURCE_PRIORITY": 40,
    "SERVICE_ACCOUNT_PRIORITY": 40,
    "STORAGE_CLASS_PRIORITY": 40,
    "ADMISSION_PRIORITY": 40,
    "RESOURCE_DEFINITION_PRIORITY": 30,
    "ROLE_BINDING_PRIORITY": 30,
    "ROLE_PRIORITY": 20,
    "NAMESPACE_PRIORITY": 0,
}
"""Spinnaker's names for priorities, which an account's custom resources may use."""


class CustomKinds(msgspec.Struct, frozen=True):
    """What an account says of its custom resources, by `Kind.key`."""

    known: dict[str, Properties] = {}

    def of(self, kind: Kind) -> Properties:
        """What is known of a kind; of one that nobody has told of, that it goes last."""
        if is_known(kind):
            return _KNOWN[kind.name]
        return self.known.get(kind.key, Properties())


NO_CUSTOM_KINDS = CustomKinds()


def named(name: str, group: str = "") -> Kind:
    """The kind of this name or short name; a group that Kubernetes brings is left out."""
    group = group.lower()
    if group not in NATIVE_GROUPS:
        return Kind(name, group)
    return Kind(_NAMES.get(name.lower(), name))


def parse(text: str) -> Kind:
    """`deployment`, `deploy`, `Rollout.argoproj.io`."""
    name, _, group = text.partition(".")
    return named(name, group)


def of(manifest: JsonObject) -> Kind:
    """The kind of an object, with its group where that isn't one of Kubernetes' own."""
    version = foreign.text_at(manifest, "apiVersion")
    group = version.rpartition("/")[0]
    return named(foreign.text_at(manifest, "kind"), group)


def known() -> tuple[Kind, ...]:
    """All that Spinnaker knows."""
    return tuple(Kind(name) for name in _KNOWN)


def is_known(kind: Kind) -> bool:
    """Whether Spinnaker knows it."""
    return not kind.group and kind.name in _KNOWN


def properties(kind: Kind) -> Properties:
    """What Spinnaker knows of a kind."""
    return NO_CUSTOM_KINDS.of(kind)


def priority(text: str) -> int | None:
    """A configured priority: a number, or one of Spinnaker's names; None: neither."""
    number = foreign.natural(text.strip())
    return number if number is not None else PRIORITIES.get(text.strip().upper())


def full_name(kind: Kind, name: str) -> str:
    """`replicaSet web-v003`."""
    return f"{kind} {name}"


def parse_full_name(text: str) -> tuple[Kind, str]:
    """Kind and name of `"<kind> <name>"`. Raises Refused."""
    found = _FULL_NAME.fullmatch(text)
    if found is None:
        raise Refused(
            Problem(
                code="manifest.name",
                message=f"{text!r} doesn't name a manifest.",
                remedy="Write kind and name with one blank between them: `deployment web`.",
            )
        )
    return parse(found[1]), found[2]


def in_deploy_order(manifests: list[JsonObject], custom: CustomKinds = NO_CUSTOM_KINDS) -> list[JsonObject]:
    """By priority; those of the same priority keep their order."""
    return sorted(manifests, key=lambda manifest: custom.of(of(manifest)).priority)
