"""Traffic by labels: a Service's selector is put on the pods of a workload, and taken off again. Pure.

Only Services balance loads. While a workload is deployed, its labels and the selector may have no key in common: what the
selector adds must be what can be taken off later without touching the workload's own labels.
"""

from collections.abc import Mapping

from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import kinds, manifests
from gennaker.plugins.kubernetes.kinds import Can
from gennaker.plugins.kubernetes.manifests import Coordinates

_TEMPLATE = "/spec/template/metadata/labels"
_OWN = "/metadata/labels"


def coordinates(load_balancer: str, namespace: str) -> Coordinates:
    """Where a load balancer of a workload in this namespace is. Raises Refused."""
    kind, name = kinds.parse_full_name(load_balancer)
    if Can.BALANCE not in kinds.properties(kind).can:
        raise Refused(
            Problem(
                code="traffic.kind",
                message=f"{load_balancer!r} can't balance loads.",
                remedy="Name a Service: `service my-service`.",
            )
        )
    return Coordinates(kind=kind, namespace=namespace, name=name)


def attached(workload: JsonObject, service: JsonObject) -> JsonObject:
    """The workload with the Service's selector among the labels of its pods. Raises Refused."""
    wanted = selector(service)
    if not wanted:
        raise Refused(_no_selector(service))
    template = manifests.template_labels(workload)
    present = manifests.labels(workload) if template is None else template
    shared = sorted(wanted.keys() & present.keys())
    if shared:
        raise Refused(_shared_keys(workload, service, shared))
    made = manifests.copied(workload)
    holder = manifests.own_map(made, "metadata") if template is None else manifests.template_metadata(made)
    assert holder is not None
    manifests.own_map(holder, "labels").update(wanted)
    return made


def enabling(workload: JsonObject, service: JsonObject) -> list[JsonObject]:
    """The JSON patch that puts a live workload, or one of its pods, behind the Service."""
    prefix, present = _labels(workload)
    return [
        {"op": "replace" if key in present else "add", "path": f"{prefix}/{_escaped(key)}", "value": value}
        for key, value in selector(service).items()
    ]


def disabling(workload: JsonObject, service: JsonObject) -> list[JsonObject]:
    """The JSON patch that takes a live workload, or one of its pods, away from the Service."""
    prefix, present = _labels(workload)
    return [{"op": "remove", "path": f"{prefix}/{_escaped(key)}"} for key in selector(service) if key in present]


def selector(service: JsonObject) -> dict[str, str]:
    """The labels by which a Service finds its pods."""
    found = foreign.mapping(manifests.spec(service).get("selector"))
    return {key: value for key, value in found.items() if isinstance(value, str)}


def selects(service: JsonObject, labels: Mapping[str, str]) -> bool:
    """Whether pods with these labels are behind the Service."""
    wanted = selector(service)
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())


def _labels(workload: JsonObject) -> tuple[str, dict[str, str]]:
    template = manifests.template_labels(workload)
    return (_OWN, manifests.labels(workload)) if template is None else (_TEMPLATE, template)


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _no_selector(service: JsonObject) -> Problem:
    return Problem(
        code="traffic.no_selector",
        message=f"{manifests.full_name(service)} has no selector, so nothing can be put behind it.",
        remedy="Give it a selector of its own, such as `lb: web`.",
    )


def _shared_keys(workload: JsonObject, service: JsonObject, shared: list[str]) -> Problem:
    return Problem(
        code="traffic.shared_keys",
        message=f"The selector of {manifests.full_name(service)} and the labels of {manifests.full_name(workload)} "
        f"have {', '.join(shared)} in common.",
        remedy="Give the Service a selector whose keys no workload has by itself: they are added and taken off with the traffic.",
    )
