"""The real ingress-nginx as the controller of a cluster for tests: its controller, its Lua and its template, on Debian's nginx.

Its own nginx is built with Lua and libraries for it that Debian lacks. Of those one is needed for what is tested here, going round
the addresses of a Service, and is written anew below. Without the stream module for Lua the template's part for TCP and UDP is left
out. It all runs in a mount namespace in which /etc/nginx and /etc/ingress-controller are its own.
"""

import contextlib
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from benchmarks.surroundings import processes, programs
from tests.fakes import gateway_cluster
from tests.fakes.gateway_cluster import INGRESSES, NAMES, SLICES, ClusterWorld, GatewayCluster
from tests.free_ports import free_port

from gennaker.plugins.cluster_traffic.ingress_provider import IngressProvider
from gennaker.traffic_settings import LoadBalancerSettings

_PACKAGES = (
    "nginx-light",
    "libnginx-mod-http-lua",
    "libnginx-mod-http-headers-more-filter",
    "lua-resty-core",
    "lua-cjson",
)
"""Of Debian."""
_MODULES = ("ndk_http_module", "ngx_http_lua_module", "ngx_http_headers_more_filter_module")
_MODULES_FOLDER = Path("/usr/lib/nginx/modules")
_ABSENT = ("chash", "cookie", "dns/resolver", "global_throttle", "http", "ipmatcher", "lock")
"""Libraries that are loaded, and never used by what is tested."""
_EMPTY = "return setmetatable({}, {__index = function() return function() return {} end end})\n"
_GOES_ROUND = """
local _M = {}
_M.__index = _M
function _M.reinit(self, nodes)
  self.nodes, self.listed = nodes, {}
  for address in pairs(nodes) do table.insert(self.listed, address) end
  self.at = math.random(#self.listed)
end
function _M.new(_, nodes)
  local made = setmetatable({}, _M)
  made:reinit(nodes)
  return made
end
function _M.find(self)
  self.at = self.at % #self.listed + 1
  return self.listed[self.at]
end
return _M
"""
_INNER = """
set -e
mount -t overlay none -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc
mount --bind "$1/nginx" /etc/nginx
mkdir -p /etc/ingress-controller/geoip /etc/ingress-controller/telemetry /etc/kept
mount --bind "$2" /etc/kept
mount -t tmpfs none /tmp
mkdir -p /tmp/nginx "$2"
mount --bind /etc/kept "$2"
mount -t tmpfs none /var/log/nginx
cd "$2"
shift 2
exec "$@"
"""
"""The controller writes to /tmp/nginx, which can't be set: /tmp is memory in its namespace, but for the folder of this run."""
_POD = "/api/v1/namespaces/default/pods"


class NginxWorld(ClusterWorld):
    """Behind it, by Ingresses."""

    is_random = True
    switched_by = (INGRESSES, SLICES)

    def __init__(self, folder: Path, cluster: GatewayCluster) -> None:
        super().__init__(folder, cluster)
        self.cluster = cluster
        for name in NAMES:
            cluster.add_ingress(name)

    def provider(self) -> IngressProvider:
        wish = LoadBalancerSettings(
            provider="ingress-nginx",
            account="prod",
            address=f"127.0.0.1:{self.cluster.nginx_port}",
            settle_seconds=self.settle_seconds,
            in_flight_metric=self.gauge,
        )
        places = gateway_cluster.places(self.cluster, "ingress-nginx", self.account, dict.fromkeys(NAMES, wish))
        return IngressProvider(places=places)


@contextlib.contextmanager
def running(folder: Path, cluster: GatewayCluster, *options: str) -> Iterator[None]:
    """Until the block ends. Raises RuntimeError where packages of Debian are missing."""
    if not all((_MODULES_FOLDER / f"{name}.so").exists() for name in _MODULES):
        raise RuntimeError(f"Packages are missing: apt-get install {' '.join(_PACKAGES)}")
    program = programs.build("ingress-nginx")
    own = folder / "ingress-nginx"
    _prepare(own)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    cluster.plane.apply("/api/v1/namespaces/default/serviceaccounts/default", account, manager="kubectl")
    containers = [{"name": "controller", "image": "none"}]
    pod = {"metadata": {"name": "nginx-0"}, "spec": {"containers": containers, "automountServiceAccountToken": False}}
    cluster.plane.request("POST", _POD, pod)
    own_ports = ("https", "healthz", "default-server", "profiler", "ssl-passthrough-proxy")
    # What it tells the part for TCP and UDP, once, is heard by the other one, which has no use for it.
    status = free_port()
    command = [
        "env",
        "POD_NAME=nginx-0",
        "POD_NAMESPACE=default",
        "NGINX_BINARY=/usr/sbin/nginx",
        str(program),
        f"--kubeconfig={cluster.plane.kubeconfig}",
        f"--http-port={cluster.nginx_port}",
        *(f"--{name}-port={free_port()}" for name in own_ports),
        f"--status-port={status}",
        f"--stream-port={status}",
        "--update-status=false",
        "--enable-metrics=false",
        "--disable-leader-election=true",
        *options,
    ]
    alone = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
    inner = ["sh", "-c", _INNER, "inner", str(own), str(folder), *command]
    # unshare, which waits for the controller, takes no other signal, and has it killed.
    with processes.running(
        [*alone, *inner],
        folder,
        "ingress-nginx",
        cluster=cluster,
        port=cluster.nginx_port,
        ends_by=signal.SIGKILL,
    ):
        yield


def _prepare(folder: Path) -> None:
    """What its image has at /etc/nginx."""
    for name in ("upper", "work"):
        (folder / name).mkdir(parents=True)
    nginx = folder / "nginx"
    # What Go keeps of modules nobody may write to.
    shutil.copytree(
        programs.sources("ingress-nginx") / "rootfs" / "etc" / "nginx", nginx, copy_function=shutil.copyfile
    )
    for one in (nginx, *nginx.rglob("*")):
        one.chmod(0o755 if one.is_dir() else 0o644)
    shutil.copyfile("/etc/nginx/mime.types", nginx / "mime.types")
    libraries = nginx / "lua" / "resty"
    (libraries / "dns").mkdir(parents=True)
    (libraries / "roundrobin.lua").write_text(_GOES_ROUND)
    for name in _ABSENT:
        (libraries / f"{name}.lua").write_text(_EMPTY)
    template = nginx / "template" / "nginx.tmpl"
    loaded = "".join(f"load_module {_MODULES_FOLDER / name}.so;\n" for name in _MODULES)
    http, _, rest = template.read_text().partition("\nstream {\n")
    parts = rest.partition("\n}\n")[2]
    # The directive came with nginx 1.25.1.
    template.write_text(loaded + f"{http}\n{parts}".replace("http2 on;", ""))
