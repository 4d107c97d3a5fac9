"""HAProxy: switched by its runtime API, never reloaded.

Theory of operation. The runtime API changes one server at a time, so the shares of a backend that serves can't be replaced
at once. There are two backends, the *banks*, and a map with one entry, looked up for each request, that names the bank in use.
To switch, the other bank is filled (servers added, weights set, the rest set to 0) and then the entry is set:
atomic for each request; no connection is touched. A server is named after its address, so what is under way in either bank is
told by address, also after its removal. Weights are whole numbers up to 256: round-robin gives each server exactly its part.
"""

import asyncio
import csv
import signal
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from gennaker.interfaces.routes import Routing
from gennaker.model.problems import Refused
from gennaker.plugins.proxies import problems, sockets
from gennaker.plugins.proxies.program import Unanswered, Wanted
from gennaker.plugins.proxies.records import ProxyRecord

_SOCKET = "admin.sock"
_MAP = "banks.map"
_KEY = "bank"
_BANKS = ("bank0", "bank1")
_LARGEST_WEIGHT = 256
_TIMEOUT_SECONDS = 10.0
_BATCH = 50
"""Commands in one line: HAProxy takes 16 kB."""
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
    use_backend %[str({key}),map({map})]

backend bank0
    balance roundrobin
{servers}
backend bank1
    balance roundrobin
"""


class _Server(msgspec.Struct, frozen=True, kw_only=True):
    """A server of a bank as HAProxy tells it."""

    weight: int
    is_ready: bool
    under_way: int


class HAProxy:
    """Offers ProxyProgram."""

    name = "haproxy"
    wanted = Wanted(title="HAProxy", file="haproxy", package="the package haproxy (2.6 or newer)")
    routing: frozenset[Routing] = frozenset()
    stop_signal = signal.SIGUSR1

    def argv(self, executable: str, folder: Path) -> tuple[str, ...]:
        """In the foreground."""
        return (executable, "-db", "-f", "haproxy.cfg")

    def write(self, folder: Path, record: ProxyRecord) -> None:
        """The configuration, with the shares in the first bank."""
        weights = record.weights(_LARGEST_WEIGHT)
        servers = "".join(
            f"    server {_server_name(address)} {address} weight {weight} {_OF_SERVERS}\n"
            for address, weight in weights.items()
        )
        (folder / "haproxy.cfg").write_text(
            _CONFIGURATION.format(socket=_SOCKET, address=record.address, key=_KEY, map=_MAP, servers=servers)
        )
        (folder / _MAP).write_text(f"{_KEY} {_BANKS[0]}\n")

    async def apply(self, folder: Path, record: ProxyRecord, pid: int) -> None:
        """Fills the bank that isn't in use, makes sure that it is as it should be, and names it."""
        wanted = {
            _server_name(address): (address, weight) for address, weight in record.weights(_LARGEST_WEIGHT).items()
        }
        now = await _banks(folder)
        used = await _bank_in_use(folder)
        if _serving(now[used]) == {name: weight for name, (_, weight) in wanted.items()}:
            return
        idle = next(bank for bank in _BANKS if bank != used)
        commands = [*_taken_out(idle, now[idle], wanted), *_filled(idle, now[idle], wanted)]
        said = await _told(folder, commands)
        if _serving((await _banks(folder))[idle]) != {name: weight for name, (_, weight) in wanted.items()}:
            raise Refused(problems.refused(self.wanted, " ".join(said.split())), status=502)
        said = await _asked(folder, f"set map {_MAP} {_KEY} {idle}")
        if await _bank_in_use(folder) != idle:
            raise Refused(problems.refused(self.wanted, said.strip()), status=502)

    async def in_flight(self, folder: Path, record: ProxyRecord, pid: int) -> Mapping[str, int | None]:
        """What the servers of both banks have under way."""
        found: Counter[str] = Counter()
        for servers in (await _banks(folder)).values():
            for name, server in servers.items():
                found[_address(name)] += server.under_way
        return dict[str, int | None](found)


def _taken_out(bank: str, now: Mapping[str, _Server], wanted: Mapping[str, tuple[str, int]]) -> list[str]:
    """Servers that are no longer wanted are removed as soon as nothing is under way there."""
    commands = []
    for name, server in now.items():
        if name in wanted:
            continue
        commands.append(f"set server {bank}/{name} weight 0")
        if not server.under_way:
            # Refused while an idle connection is being closed; then the next switch removes it.
            commands += [f"set server {bank}/{name} state maint", f"del server {bank}/{name}"]
    return commands


def _filled(bank: str, now: Mapping[str, _Server], wanted: Mapping[str, tuple[str, int]]) -> list[str]:
    commands = []
    for name, (address, weight) in wanted.items():
        if name not in now:
            commands.append(f"add server {bank}/{name} {address} weight {weight} {_OF_SERVERS}")
        else:
            commands.append(f"set server {bank}/{name} weight {weight}")
        commands.append(f"set server {bank}/{name} state ready")
    return commands


def _serving(servers: Mapping[str, _Server]) -> dict[str, int]:
    return {name: server.weight for name, server in servers.items() if server.is_ready and server.weight}


def _server_name(address: str) -> str:
    return "i-" + address.replace("[", "").replace("]", "")


def _address(name: str) -> str:
    host, _, port = name.removeprefix("i-").rpartition(":")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _banks(folder: Path) -> dict[str, dict[str, _Server]]:
    """The servers of each bank by name."""
    said = await _asked(folder, "show stat -1 4 -1")
    found: dict[str, dict[str, _Server]] = {bank: {} for bank in _BANKS}
    for row in csv.DictReader(said.removeprefix("# ").splitlines()):
        if row["pxname"] in found:
            found[row["pxname"]][row["svname"]] = _Server(
                weight=int(row["weight"]), is_ready=row["status"] != "MAINT", under_way=int(row["scur"])
            )
    return found


async def _bank_in_use(folder: Path) -> str:
    said = await _asked(folder, f"show map {_MAP}")
    entries = [line.split() for line in said.splitlines()]
    return next((entry[2] for entry in entries if len(entry) == 3 and entry[1] == _KEY), _BANKS[0])


async def _told(folder: Path, commands: Iterable[str]) -> str:
    listed = list(commands)
    batches = [listed[first : first + _BATCH] for first in range(0, len(listed), _BATCH)]
    return "\n".join([await _asked(folder, "; ".join(batch)) for batch in batches])


async def _asked(folder: Path, command: str) -> str:
    """What the runtime API says. Raises Unanswered."""
    try:
        with sockets.short(folder / _SOCKET) as path:
            reader, writer = await asyncio.open_unix_connection(path)
    except OSError as error:
        raise Unanswered(str(error)) from error
    try:
        writer.write(f"{command}\n".encode())
        return (await asyncio.wait_for(reader.read(-1), _TIMEOUT_SECONDS)).decode()
    except (OSError, TimeoutError) as error:
        raise Unanswered(str(error) or type(error).__name__) from error
    finally:
        writer.close()
