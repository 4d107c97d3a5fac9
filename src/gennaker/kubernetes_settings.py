"""Settings of Kubernetes' accounts: the section `kubernetes`."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class CustomResourceSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """What Gennaker is told of a custom resource."""

    kind: str
    """With its group: `Rollout.argoproj.io`."""
    deploy_priority: str = "100"
    """A number, lower ones first, or one of Spinnaker's names such as WORKLOAD_ATTACHMENT_PRIORITY."""
    versioned: bool = False
    spinnaker_kind: Literal[
        "serverGroups",
        "serverGroupManagers",
        "instances",
        "loadBalancers",
        "securityGroups",
        "configs",
        "unclassified",
    ] = "unclassified"
    """Under what clients such as Deck list it."""
    ready: str = ""
    """The object is ready when a JSONPath finds something, e.g. `$.status.conditions[?@.type=="Ready" && @.status=="True"]`, or else
    CEL is true of it (an extra): `object.status.ready == object.spec.size`. Empty: as Gennaker knows the kind, else at once."""
    failed: str = ""
    """Likewise: the object has failed."""


class KubernetesAccountSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """A Kubernetes cluster, or a part of one, that stages name as `account`."""

    kubeconfig_file: str = ""
    context: str = ""
    """Of the kubeconfig; empty: its current one."""
    in_cluster: bool = False
    """The cluster in which Gennaker itself runs, as its pod's service account."""
    namespaces: tuple[str, ...] = ()
    """Only these; empty: all but `omit-namespaces`."""
    omit_namespaces: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    """Only these, as `deployment` or `Rollout.argoproj.io`; empty: all but `omit-kinds`."""
    omit_kinds: tuple[str, ...] = ()
    custom_resources: tuple[CustomResourceSettings, ...] = ()
    """Of others all that is known is that they are deployed last."""
    request_timeout_seconds: Annotated[float, Meta(gt=0, le=604_800)] = 30.0
    match_image_names_only: bool = False
    """An image with a tag is not replaced by an artifact (Spinnaker's `match-name-only`)."""
    managed_by_suffix: str = ""
    """Added to the label `app.kubernetes.io/managed-by: spinnaker`."""

    def __post_init__(self) -> None:
        """Refuses what excludes each other, while the settings are read."""
        if bool(self.kubeconfig_file) == self.in_cluster:
            raise ValueError("give either kubeconfig-file or in-cluster")
        if self.namespaces and self.omit_namespaces:
            raise ValueError("namespaces and omit-namespaces exclude each other")
        if self.kinds and self.omit_kinds:
            raise ValueError("kinds and omit-kinds exclude each other")

    def allows(self, namespace: str) -> bool:
        """Whether objects in this namespace may be touched."""
        return namespace not in self.omit_namespaces and (not self.namespaces or namespace in self.namespaces)
