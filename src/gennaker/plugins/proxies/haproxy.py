"""HAProxy: switched by its runtime API, never reloaded.

Theory of operation. The runtime API changes one server at a time, so the shares of a backend that serves can't be replaced
at once. There are two backends, the *banks*, and a map with one entry, looked up for each request, that names the bank in use.
To switch, the other bank is filled (servers added, weights set, the rest set to 0) and then the entry is set:
atomic for each request; no connection is touched. A server is named after its address, so what is under way in either bank is
told by address, also after its removal. A bank also has backends for server groups that get requests by header or cookie, and a
map from patterns of headers to them. Weights are whole numbers up to 256: round-robin gives each server exactly its part.
"""

import asyncio
import csv
import signal
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from gennaker.interfaces.clouds import Health
from gennaker.interfaces.routes import Routing
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.proxies import problems, sockets
from gennaker.plugins.proxies.program import Unanswered, Wanted
from gennaker.plugins.proxies.records import ProxyRecord

_SOCKET = "admin.sock"
_MAP = "banks.map"
_KEY = "bank"
_BANKS = ("bank0", "bank1")
_MOST_ROUTED = 8
_PARTS = ("", *(f"route{number}" for number in range(_MOST_ROUTED)))
"""Of a bank: what is split by weight, and what is routed; each is a backend."""
_LARGEST_WEIGHT = 256
_TIMEOUT_SECONDS = 10.0
_LINE_BYTES = 8_000
"""Of several commands together: HAProxy takes 16 kB."""
_SHOWN = 100
"""Of an answer that can't be read."""
_OF_SERVERS = "pool-purge-delay 3s"
"""Shorter than servers keep idle connections (uvicorn 5 s, Node 5 s)."""

_CONFIGURATION = """\
global
    stats socket unix@{socket} mode 600 level admin
    log stdout format raw daemon err

defaults
    mode http
    log global
    timeout connect 2s
    timeout client 1h
    timeout server 1h
    timeout tunnel 24h
    timeout http-request 60s
    timeout http-keep-alive 60s
    # An instance that can't be reached has seen nothing of the request: another one is tried.
    retries 3
    option redispatch 1
    retry-on conn-failure

frontend load-balancer
    bind {address}
    http-request set-var(txn.bank) str({key}),map({map})
{routes}
    use_backend %[var(txn.bank)]-%[var(txn.route)] if {{ var(txn.route) -m found }}
    use_backend %[var(txn.bank)]

{backends}"""
_ROUTE = "    http-request set-var(txn.route) req.hdrs,map_reg({file}) if {{ var(txn.bank) -m str {bank} }}"


class _Server(msgspec.Struct, frozen=True, kw_only=True):
    """A server of a bank as HAProxy tells it."""

    weight: int
    is_ready: bool
    is_down: bool
    """By a check, or by whoever looks after HAProxy."""
    under_way: int


_Weighted = tuple[str, int]
"""Address and weight of a server."""


class _Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the bank in use should be."""

    servers: dict[str, dict[str, _Weighted]]
    """By part of the bank and name."""
    routes: dict[str, str]
    """Part by pattern."""


class HAProxy:
    """Offers ProxyProgram."""

    name = "haproxy"
    wanted = Wanted(title="HAProxy", file="haproxy", package="the package haproxy (2.6 or newer)")
    routing = frozenset({Routing.HEADER, Routing.COOKIE})
    stop_signal = signal.SIGUSR1

    def argv(self, executable: str, folder: Path) -> tuple[str, ...]:
        """In the foreground."""
        return (executable, "-db", "-f", "haproxy.cfg")

    def write(self, folder: Path, record: ProxyRecord) -> None:
        """The configuration, with the shares in the first bank."""
        wanted = _wanted(record)
        backends = [
            _backend(_name(bank, part), wanted.servers[part] if bank == _BANKS[0] else {})
            for bank in _BANKS
            for part in _PARTS
        ]
        (folder / "haproxy.cfg").write_text(
            _CONFIGURATION.format(
                socket=_SOCKET,
                address=record.address,
                key=_KEY,
                map=_MAP,
                routes="\n".join(_ROUTE.format(file=_routes_file(bank), bank=bank) for bank in _BANKS),
                backends="\n".join(backends),
            )
        )
        (folder / _MAP).write_text(f"{_KEY} {_BANKS[0]}\n")
        for bank in _BANKS:
            routes = wanted.routes if bank == _BANKS[0] else {}
            lines = "".join(f"{pattern} {part}\n" for pattern, part in routes.items())
            (folder / _routes_file(bank)).write_text(lines)

    async def apply(self, folder: Path, record: ProxyRecord, pid: int) -> None:
        """Fills the bank that isn't in use, makes sure that it is as it should be, and names it."""
        wanted = _wanted(record)
        now = await _backends(folder)
        used = await _bank_in_use(folder)
        if await _serves(folder, used, wanted, now):
            return
        idle = next(bank for bank in _BANKS if bank != used)
        commands = [f"clear map {_routes_file(idle)}"] if await _routes_in(folder, idle) else []
        for part in _PARTS:
            name = _name(idle, part)
            commands += _taken_out(name, now.get(name, {}), wanted.servers[part])
            commands += _filled(name, now.get(name, {}), wanted.servers[part])
        for pattern, part in wanted.routes.items():
            escaped = pattern.replace("\\", "\\\\")  # The runtime API takes one of two away.
            commands.append(f"add map {_routes_file(idle)} {escaped} {part}")
        said = await _told(folder, commands)
        if not await _serves(folder, idle, wanted, await _backends(folder)):
            raise Refused(problems.refused(self.wanted, " ".join(said.split())), status=502)
        said = await _asked(folder, f"set map {_MAP} {_KEY} {idle}")
        if await _bank_in_use(folder) != idle:
            raise Refused(problems.refused(self.wanted, said.strip()), status=502)

    async def in_flight(self, folder: Path, record: ProxyRecord, pid: int) -> Mapping[str, int | None]:
        """What the servers of both banks have under way."""
        found: Counter[str] = Counter()
        for servers in (await _backends(folder)).values():
            for name, server in servers.items():
                found[_address(name)] += server.under_way
        return dict[str, int | None](found)

    async def states(self, folder: Path, record: ProxyRecord) -> Mapping[str, Health]:
        """Those that the bank in use has; a server that is down anywhere is."""
        used, backends = await _bank_in_use(folder), await _backends(folder)
        found: dict[str, Health] = {}
        for part in _PARTS:
            for name, server in backends.get(_name(used, part), {}).items():
                if server.is_ready and server.weight and found.get(_address(name)) is not Health.DOWN:
                    found[_address(name)] = Health.DOWN if server.is_down else Health.UP
        return found


def _wanted(record: ProxyRecord) -> _Wanted:
    """Raises Refused."""
    routed = record.routed
    if len(routed) > _MOST_ROUTED:
        raise Refused(
            Problem(
                code="haproxy.too_many",
                message=f"At {record.name} {len(routed)} server groups have routes; HAProxy has room for {_MOST_ROUTED}.",
                remedy="Take one of them out of traffic, or use a load balancer of another provider.",
            )
        )
    servers: dict[str, dict[str, _Weighted]] = {part: {} for part in _PARTS}
    servers[""] = {_server_name(one): (one, weight) for one, weight in record.weights(_LARGEST_WEIGHT).items()}
    routes: dict[str, str] = {}
    for number, (_, share) in enumerate(routed):
        servers[f"route{number}"] = {_server_name(one): (one, 1) for one in share.addresses}
        routes |= {_pattern(*match): f"route{number}" for match in share.routes.matches()}
    return _Wanted(servers=servers, routes=routes)


def _pattern(kind: Routing, name: str, value: str) -> str:
    """What matches a request's headers, of which HAProxy writes names in small letters. Without blanks: they would end it."""
    escaped = value.replace(".", "[.]").replace("+", "[+]")
    if kind is Routing.HEADER:
        return rf"(^|\n){name}:\x20*{escaped}\x20*\r"
    return rf"(^|\n)cookie:([^\r]*[\x20\x3b])?{name}={escaped}\x20*[\r\x3b]"


def _name(bank: str, part: str) -> str:
    return f"{bank}-{part}" if part else bank


def _routes_file(bank: str) -> str:
    return f"{bank}.routes"


def _backend(name: str, servers: Mapping[str, _Weighted]) -> str:
    lines = "".join(
        f"    server {server} {address} weight {weight} {_OF_SERVERS}\n"
        for server, (address, weight) in servers.items()
    )
    return f"backend {name}\n    balance roundrobin\n{lines}"


async def _serves(folder: Path, bank: str, wanted: _Wanted, now: Mapping[str, Mapping[str, _Server]]) -> bool:
    """Whether the bank is as it should be."""
    are_servers = all(
        _serving(now.get(_name(bank, part), {})) == {name: weight for name, (_, weight) in servers.items()}
        for part, servers in wanted.servers.items()
    )
    return are_servers and await _routes_in(folder, bank) == wanted.routes


async def _routes_in(folder: Path, bank: str) -> dict[str, str]:
    """Part by pattern. Nothing where there is no such map: the process was started by a version that had none."""
    said = await _asked(folder, f"show map {_routes_file(bank)}")
    entries = [line.split() for line in said.splitlines()]
    return {entry[1]: entry[2] for entry in entries if len(entry) == 3 and entry[0].startswith("0x")}


def _taken_out(backend: str, now: Mapping[str, _Server], wanted: Mapping[str, _Weighted]) -> list[str]:
    """Servers that are no longer wanted are removed as soon as nothing is under way there."""
    commands = []
    for name, server in now.items():
        if name in wanted:
            continue
        commands.append(f"set server {backend}/{name} weight 0")
        if not server.under_way:
            # Refused while an idle connection is being closed; then the next switch removes it.
            commands += [f"set server {backend}/{name} state maint", f"del server {backend}/{name}"]
    return commands


def _filled(backend: str, now: Mapping[str, _Server], wanted: Mapping[str, _Weighted]) -> list[str]:
    commands = []
    for name, (address, weight) in wanted.items():
        if name not in now:
            commands.append(f"add server {backend}/{name} {address} weight {weight} {_OF_SERVERS}")
        else:
            commands.append(f"set server {backend}/{name} weight {weight}")
        commands.append(f"set server {backend}/{name} state ready")
    return commands


def _serving(servers: Mapping[str, _Server]) -> dict[str, int]:
    return {name: server.weight for name, server in servers.items() if server.is_ready and server.weight}


def _server_name(address: str) -> str:
    return "i-" + address.replace("[", "").replace("]", "")


def _address(name: str) -> str:
    host, _, port = name.removeprefix("i-").rpartition(":")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _backends(folder: Path) -> dict[str, dict[str, _Server]]:
    """The servers of each backend by name. Raises Unanswered."""
    said = await _asked(folder, "show stat -1 4 -1")
    rows = csv.reader(said.removeprefix("# ").splitlines())
    found: dict[str, dict[str, _Server]] = {}
    try:
        header = next(rows, [])
        for row in filter(None, rows):
            backend, name, server = _server_of(dict(zip(header, row, strict=False)))
            found.setdefault(backend, {})[name] = server
    except (csv.Error, KeyError, ValueError) as error:
        raise Unanswered(f"its statistics can't be read ({said[:_SHOWN]!r})") from error
    if "pxname" not in header:
        raise Unanswered(f"it gives no statistics ({said[:_SHOWN]!r})")
    return found


def _server_of(row: Mapping[str, str]) -> tuple[str, str, _Server]:
    """A server with the names of its backend and its own. Raises KeyError, ValueError."""
    server = _Server(
        weight=int(row["weight"]),
        is_ready=row["status"] != "MAINT",
        is_down=row["status"].startswith(("DOWN", "NOLB")),
        under_way=int(row["scur"]),
    )
    return row["pxname"], row["svname"], server


async def _bank_in_use(folder: Path) -> str:
    said = await _asked(folder, f"show map {_MAP}")
    entries = [line.split() for line in said.splitlines()]
    return next((entry[2] for entry in entries if len(entry) == 3 and entry[1] == _KEY), _BANKS[0])


async def _told(folder: Path, commands: Iterable[str]) -> str:
    lines: list[str] = []
    for command in commands:
        if lines and len(lines[-1]) + len(command) < _LINE_BYTES:
            lines[-1] = f"{lines[-1]}; {command}"
        else:
            lines.append(command)
    return "\n".join([await _asked(folder, line) for line in lines])


async def _asked(folder: Path, command: str) -> str:
    """What the runtime API says. Raises Unanswered."""
    try:
        with sockets.short(folder / _SOCKET) as path:
            reader, writer = await asyncio.open_unix_connection(path)
    except OSError as error:
        raise Unanswered(str(error)) from error
    try:
        writer.write(f"{command}\n".encode())
        return (await asyncio.wait_for(reader.read(-1), _TIMEOUT_SECONDS)).decode(errors="replace")
    except (OSError, TimeoutError) as error:
        raise Unanswered(str(error) or type(error).__name__) from error
    finally:
        writer.close()
