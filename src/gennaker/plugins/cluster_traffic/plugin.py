"""What the folder of routes in clusters offers."""

from functools import partial

from gennaker.interfaces.plugins import Plugin
from gennaker.plugins.cluster_traffic.gateway import GatewayApi
from gennaker.plugins.cluster_traffic.ingress_provider import IngressProvider
from gennaker.plugins.cluster_traffic.istio import Istio
from gennaker.plugins.cluster_traffic.provider import RouteProvider
from gennaker.plugins.cluster_traffic.routes import RouteKind

_KINDS: tuple[RouteKind, ...] = (GatewayApi(), Istio())

plugin = Plugin(
    name="cluster-traffic",
    traffic=(*(partial(RouteProvider.of, kind=kind) for kind in _KINDS), IngressProvider.of),
)
