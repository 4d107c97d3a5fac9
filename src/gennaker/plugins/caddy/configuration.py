"""Caddy's configuration, rendered from the records. Pure.

Theory of operation. Any change by Caddy's admin API replaces all its servers: idle keep-alive connections of clients
are closed and connections waiting to be accepted are reset; under load about one request a change is lost
(measured with Caddy 2.11: 115 of 10,000 over 100 changes). So traffic is never switched that way. Instead a load balancer
has a few *banks* of *slots*. A slot is an upstream whose address Caddy reads from a small file for each request; a
handler goes round the slots of its bank in order. Which bank is in use stands in one more file, read once a request.
To switch, an idle bank's slots are written and then the file that names the bank is renamed into place: atomic
for each request, no connection is touched. Caddy's own counters of requests under way are by slot, and what a
slot of a bank stands for doesn't change while it has any: hence in-flight numbers by instance, also of
instances that have been removed.

Requests by header or cookie have banks of their own. What leads to them stands in a file of the bank in use, so that weights and routes
are switched at once: a line for each, the bank, the name of Caddy's placeholder, the value. An expression reads it for each request; while
the file is empty, that is all it costs.

Paths are relative to the folder in which Caddy is started.
"""

import re

from gennaker.interfaces.routes import Routing
from gennaker.model.codec import Json, JsonObject
from gennaker.plugins.caddy.records import BalancerRecord

NO_BANK = "none"
_SLOT = re.compile(r"\{file\.banks/(?P<name>[^/}]+)/(?P<bank>\d+)/(?P<slot>\d+)\}")
_PLACEHOLDERS = {Routing.HEADER: "http.request.header", Routing.COOKIE: "http.request.cookie"}
_STREAMS_SURVIVE = "24h"
"""How long WebSockets survive a configuration change (a new load balancer); their servers end them sooner."""


def slot_file(name: str, bank: int, slot: int) -> str:
    """Holds the address of one slot."""
    return f"banks/{name}/{bank}/{slot}"


def bank_file(name: str) -> str:
    """Holds the number of the bank in use."""
    return f"banks/{name}/bank"


def matches_file(name: str, bank: int | None) -> str:
    """Says, while the bank is in use, which requests go to other banks whatever the weights are."""
    return f"banks/{name}/{NO_BANK if bank is None else bank}/matches"


def matches(record: BalancerRecord) -> str:
    """What stands in it."""
    lines = [
        f"{bank} {_PLACEHOLDERS[kind]}.{name} {value}"
        for key, bank in sorted(record.routed.items())
        for kind, name, value in record.shares[key].routes.matches()
    ]
    return "\n".join(lines)


def slot_of(upstream: str) -> tuple[str, int, int] | None:
    """Load balancer, bank and slot of an upstream as Caddy's admin API names it; None: not one of ours."""
    found = _SLOT.fullmatch(upstream)
    return (found["name"], int(found["bank"]), int(found["slot"])) if found else None


def render(balancers: tuple[BalancerRecord, ...], admin_port: int) -> JsonObject:
    """The whole configuration. The same records give the same JSON."""
    servers: JsonObject = {record.name: _server(record) for record in balancers}
    return {
        "admin": {"listen": f"127.0.0.1:{admin_port}", "config": {"persist": False}},
        "logging": {"logs": {"default": {"level": "WARN"}}},
        "storage": {"module": "file_system", "root": "storage"},
        "apps": {"http": {"servers": servers}},
    }


def _server(record: BalancerRecord) -> JsonObject:
    # The first is what all is looked up by, so that a switch meanwhile is none for this request.
    choose: Json = {
        "handle": [
            {"handler": "vars", "weighed": f"{{file.{bank_file(record.name)}}}"},
            {"handler": "vars", "bank": "{http.vars.weighed}"},
        ]
    }
    banks: list[Json] = [
        {
            "match": [{"vars": {"{http.vars.bank}": [str(bank)]}}],
            "handle": [_proxy(record.name, bank, size)],
            "terminal": True,
        }
        for bank, size in enumerate(record.banks)
    ]
    nobody: Json = {"handle": [{"handler": "static_response", "status_code": 503, "body": "No server is available.\n"}]}
    return {
        "listen": [record.address],
        "automatic_https": {"disable": True},
        "protocols": ["h1"],
        "routes": [choose, _routed(record), *banks, nobody],
    }


def _routed(record: BalancerRecord) -> JsonObject:
    """Chooses another bank for requests that one of the lines is about."""
    listed = f"string(ph(req, 'file.banks/{record.name}/' + string(ph(req, 'http.vars.weighed')) + '/matches'))"
    choices: list[Json] = [
        {
            "group": "routed",
            "match": [
                {
                    "expression": f"{listed}.split('\\n').exists(line, line.split(' ')[0] == '{bank}'"
                    " && string(ph(req, line.split(' ')[1])) == line.split(' ')[2])"
                }
            ],
            "handle": [{"handler": "vars", "bank": str(bank)}],
        }
        for bank in range(len(record.banks))
    ]
    return {"match": [{"expression": f"{listed} != ''"}], "handle": [{"handler": "subroute", "routes": choices}]}


def _proxy(name: str, bank: int, size: int) -> JsonObject:
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"{{file.{slot_file(name, bank, slot)}}}"} for slot in range(size)],
        "load_balancing": {
            "selection_policy": {"policy": "round_robin"},
            # An instance that refuses the connection has seen nothing of the request: the next slot is tried, until
            # a crashed one is back. After the connection is made Caddy repeats GET requests only.
            "try_duration": "3s",
            "try_interval": "20ms",
        },
        "transport": {
            "protocol": "http",
            "dial_timeout": "2s",
            # Shorter than servers keep theirs (uvicorn 5 s, Node 5 s): otherwise a request meets a connection that
            # the server is just closing.
            "keep_alive": {"enabled": True, "idle_timeout": "3s", "max_idle_conns_per_host": 64},
        },
        "stream_close_delay": _STREAMS_SURVIVE,
    }
