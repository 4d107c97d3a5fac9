"""Ingress with the canary annotations of ingress-nginx: what two Services and a weight can express.

Requests of a path go to the Service of the Ingress, or by chance to that of a second Ingress with the same path, which is the
canary. All addresses behind one Service get the same part, so instances can have two different weights. A header or a cookie
can send a request to the canary whatever the weight is; so whoever is routed to is the canary, alone.
"""

import math
import re
from collections.abc import Iterable, Mapping

import msgspec

from gennaker.interfaces import traffic
from gennaker.interfaces.routes import Routes
from gennaker.interfaces.traffic import Share, Shares
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import backends, problems, routes
from gennaker.plugins.cluster_traffic.routes import Api

VERSION = "networking.k8s.io/v1"
PLURAL = "ingresses"
API = Api(
    title="Ingresses",
    group="networking.k8s.io",
    kind="Ingress",
    plural=PLURAL,
    permitted_as=(("ingress", "ing"),),
)
_PREFIX = "nginx.ingress.kubernetes.io"
_BY_HEADER = f"{_PREFIX}/canary-by-header"
_CLASS = "kubernetes.io/ingress.class"
_LEAST_TOTAL = 100
"""A smaller `canary-weight-total` counts as this."""
_ALWAYS = "always"
"""The one value by which `canary-by-cookie` sends a request to the canary."""
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9._~/-]+")
"""What ingress-nginx takes as an annotation's text; anything else it ignores."""
_SERVICE_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """Who is behind which Service."""

    main: tuple[str, ...] = ()
    canary: tuple[str, ...] = ()
    weight: int = 0
    """Of the canary, out of `total`."""
    total: int = _LEAST_TOTAL
    routes: Routes = Routes()
    """What comes to the canary whatever its weight is."""


def conditions(load_balancer: str, wanted: Routes) -> dict[str, str]:
    """The annotations by which requests come to the canary. Raises Refused where they can't say it.

    The controller looks at one header, and after that at one cookie of which it knows two values. Several cookies, and other
    values, are a pattern for the header that they come in.
    """
    headers, cookies = dict(wanted.headers), dict(wanted.cookies)
    if len(headers) > 1:
        raise Refused(problems.not_by_annotations(load_balancer, "one of several headers will do"), status=422)
    if not headers:
        return _by_pattern("Cookie", rf"(^|\x3B\s*){_one_of(cookies)}(\s*\x3B|$)") if cookies else {}
    (header, value), *_ = headers.items()
    if _PLAIN_VALUE.fullmatch(value):
        found = {f"{_BY_HEADER}": header, f"{_BY_HEADER}-value": value}
    else:
        found = _by_pattern(header, f"^{_hexadecimal(value)}$")
    if cookies:
        name, value = next(iter(cookies.items()))
        if len(cookies) > 1 or value != _ALWAYS:
            raise Refused(
                problems.not_by_annotations(load_balancer, f"the header {header} or these cookies will do"), status=422
            )
        found[f"{_PREFIX}/canary-by-cookie"] = name
    return found


def check(load_balancer: str, wanted: Iterable[Routes]) -> None:
    """Raises Refused where annotations can't say it, for these of one server group each."""
    routed = [one for one in wanted if one.has_matches]
    if len(routed) > 1:
        raise Refused(problems.not_by_annotations(load_balancer, "requests go to two server groups"), status=422)
    for one in routed:
        conditions(load_balancer, one)


def split(load_balancer: str, shares: Shares, before: frozenset[str]) -> Split:
    """`before`: hosts behind the main Service until now; who is of them stays there if possible. Raises Refused."""
    turns = traffic.turns(shares)
    for share in shares.values():
        # Where all requests are its own anyway there is no canary.
        is_alone = bool(turns) and turns.keys() <= set(share.addresses)
        if share.routes.has_matches and share.addresses and not is_alone:
            return _routed(load_balancer, share, turns)
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


def _routed(load_balancer: str, routed: Share, turns: Mapping[str, int]) -> Split:
    """With one share, and nothing else, behind the canary's Service."""
    main = tuple(address for address in turns if address not in set(routed.addresses))
    here = {turns.get(address, 0) for address in routed.addresses}
    there = {turns[address] for address in main}
    if len(here) > 1 or len(there) > 1:
        raise Refused(problems.too_many_weights(load_balancer, len(here) + len(there)), status=422)
    part, total = sum(turns.get(address, 0) for address in routed.addresses), sum(turns.values()) or 1
    times = math.ceil(_LEAST_TOTAL / total)
    return Split(main=main, canary=routed.addresses, weight=part * times, total=total * times, routes=routed.routes)


def _by_pattern(header: str, pattern: str) -> dict[str, str]:
    return {_BY_HEADER: header, f"{_BY_HEADER}-pattern": pattern}


def _one_of(cookies: Mapping[str, str]) -> str:
    listed = "|".join(_hexadecimal(f"{name}={value}") for name, value in sorted(cookies.items()))
    return f"({listed})"


def _hexadecimal(text: str) -> str:
    """A pattern for just this, without any sign that could mean something or that the controller wouldn't take."""
    return "".join(one if one.isalnum() else f"\\x{ord(one):02X}" for one in text)


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
        **conditions(load_balancer, wanted.routes),
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
    ours = {key for key in annotations if key.startswith(f"{_PREFIX}/canary")} | told.keys()
    return there.get("spec") == wanted["spec"] and all(annotations.get(key) == told.get(key) for key in ours)


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
