"""Ingress with the canary annotations of ingress-nginx: what two Services and a weight can express.

Requests of a path go to the Service of the Ingress, or by chance to that of a second Ingress with the same path, which is the
canary. All addresses behind one Service get the same part, so instances can have two different weights.
"""

import math
import re

import msgspec

from gennaker.interfaces import traffic
from gennaker.interfaces.traffic import Shares
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import backends, problems, routes

VERSION = "networking.k8s.io/v1"
PLURAL = "ingresses"
_PREFIX = "nginx.ingress.kubernetes.io"
_CLASS = "kubernetes.io/ingress.class"
_LEAST_TOTAL = 100
"""A smaller `canary-weight-total` counts as this."""
_SERVICE_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """Who is behind which Service."""

    main: tuple[str, ...] = ()
    canary: tuple[str, ...] = ()
    weight: int = 0
    """Of the canary, out of `total`."""
    total: int = _LEAST_TOTAL


def split(load_balancer: str, shares: Shares, before: frozenset[str]) -> Split:
    """`before`: hosts behind the main Service until now; who is of them stays there if possible. Raises Refused."""
    turns = traffic.turns(shares)
    by_weight: dict[int, list[str]] = {}
    for address, weight in turns.items():
        by_weight.setdefault(weight, []).append(address)
    if len(by_weight) > 2:
        raise Refused(problems.too_many_weights(load_balancer, len(by_weight)), status=422)

    def standing(weight: int) -> tuple[int, int]:
        listed = by_weight[weight]
        staying = sum(address.rpartition(":")[0].strip("[]") in before for address in listed)
        return staying, weight * len(listed)

    in_order = sorted(by_weight, key=standing, reverse=True)
    if len(in_order) <= 1:
        return Split(main=tuple(turns))
    main, canary = in_order
    part, total = canary * len(by_weight[canary]), sum(turns.values())
    times = math.ceil(_LEAST_TOTAL / total)
    return Split(main=tuple(by_weight[main]), canary=tuple(by_weight[canary]), weight=part * times, total=total * times)


def service_name(load_balancer: str) -> str:
    """Of the main Service, which the user's Ingress names. Raises Refused."""
    if not _SERVICE_NAME.fullmatch(load_balancer):
        raise Refused(problems.bad_service_name(load_balancer))
    return load_balancer


def canary_service(load_balancer: str) -> str:
    """The name of the canary's Service."""
    return backends.name(load_balancer, "canary")


def canary_name(route: str) -> str:
    """The name of the canary's Ingress."""
    return f"{route}-canary"


def canary(ingress: JsonObject, load_balancer: str, wanted: Split) -> JsonObject:
    """The canary's Ingress beside the user's. Raises Refused where that hands nothing to us."""
    spec = foreign.mapping(ingress.get("spec"))
    own = foreign.mapping(foreign.mapping(ingress.get("metadata")).get("annotations"))
    annotations: JsonObject = {
        f"{_PREFIX}/canary": "true",
        f"{_PREFIX}/canary-weight": str(wanted.weight),
        f"{_PREFIX}/canary-weight-total": str(wanted.total),
        **({_CLASS: own[_CLASS]} if _CLASS in own else {}),
    }
    kept: JsonObject = {key: spec[key] for key in ("ingressClassName", "tls") if key in spec}
    return {
        "apiVersion": VERSION,
        "kind": "Ingress",
        "metadata": {
            "name": canary_name(routes.named(ingress)),
            "labels": backends.labels(load_balancer),
            "annotations": annotations,
        },
        "spec": {**kept, "rules": _canary_rules(ingress, load_balancer)},
    }


def is_so(there: JsonObject, wanted: JsonObject) -> bool:
    """Whether the live Ingress is as wanted."""
    annotations = foreign.mapping(foreign.mapping(there.get("metadata")).get("annotations"))
    told = foreign.mapping(foreign.mapping(wanted["metadata"])["annotations"])
    return there.get("spec") == wanted["spec"] and all(annotations.get(key) == value for key, value in told.items())


def address(ingress: JsonObject) -> str:
    """Where clients reach it, as its status says; empty: it doesn't."""
    status = foreign.mapping(foreign.mapping(ingress.get("status")).get("loadBalancer"))
    given = next(iter(foreign.mappings_at(status, "ingress")), {})
    host = foreign.text_at(given, "ip") or foreign.text_at(given, "hostname")
    port = 443 if foreign.mappings_at(ingress.get("spec"), "tls") else 80
    return f"{f'[{host}]' if ':' in host else host}:{port}" if host else ""


def refuse_without_path(ingress: JsonObject, load_balancer: str) -> None:
    """Raises Refused where no path names our Service."""
    _canary_rules(ingress, load_balancer)


def _canary_rules(ingress: JsonObject, load_balancer: str) -> list[Json]:
    name = service_name(load_balancer)
    ours: JsonObject = {"service": {"name": canary_service(load_balancer), "port": {"number": backends.PORT}}}
    rules: list[Json] = []
    for rule in foreign.mappings_at(ingress.get("spec"), "rules"):
        paths: list[Json] = [
            {**path, "backend": ours} for path in foreign.mappings_at(rule.get("http"), "paths") if _is_ours(path, name)
        ]
        if paths:
            rules.append({**rule, "http": {"paths": paths}})
    if not rules:
        raise Refused(problems.no_path(routes.named(ingress), name))
    return rules


def _is_ours(path: JsonObject, name: str) -> bool:
    service = foreign.mapping(foreign.mapping(path.get("backend")).get("service"))
    port = foreign.mapping(service.get("port"))
    is_port = port.get("number") == backends.PORT or port.get("name") == backends.PORT_NAME
    return service.get("name") == name and is_port
