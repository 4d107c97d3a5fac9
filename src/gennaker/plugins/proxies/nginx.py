"""nginx: switched by links that are read for each request, never reloaded.

Theory of operation. A reload would close idle connections of clients, of which one may just be sending (nginx can wait with
that since 1.27.4 only), and each reload leaves workers that live as long as their WebSockets. So the configuration never
changes. `split_clients` gives each request, by hashes of its random id, a *slot*: four digits, which are a path. At its end is
a folder named after an instance's address; `$realpath_root` is that folder, looked up for each request, and a `map` takes the
address from it. The paths of one split lie in a folder of their own, a *bank*; the link `current` names the bank in use. To
switch, a new bank is made and the link is renamed over the old one: atomic for each request, no connection is touched. The split
is random: each request falls to an instance with exactly its probability, in steps of a hundredth of a percent.

An instance that can't be reached has seen nothing of the request: the next one is tried. In a bank each instance has a link to the next
of its part, so no try is wasted on one that has just been tried, whatever its share is.

A bank is small: where all paths below a digit lead to one instance, the digit is a link to the instance's folder, and there all
further digits are links to the folder itself.

Routes by header and cookie, and copies, are part of the configuration: only where they change is nginx told to load it anew, and its
old workers then close idle connections. Each server group that has routes has paths of its own in a bank, its *part*. nginx takes
`-` and `_` in a header's name for the same.

Instances are connected to for each request, as nginx does by itself: so its open connections tell what is under way (`connections.py`).
"""

import asyncio
import hashlib
import os
import resource
import shutil
import signal
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from gennaker.interfaces import traffic
from gennaker.interfaces.clouds import Health
from gennaker.interfaces.routes import Routing
from gennaker.model.codec import encode
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.proxies import connections
from gennaker.plugins.proxies.program import Unanswered, Wanted
from gennaker.plugins.proxies.records import ProxyRecord, in_traffic

_DIGITS = 4
_SLOTS = 10**_DIGITS
_CURRENT = "current"
_BANKS = "banks"
_WEIGHTS = "weights.json"
"""In a bank: what it was made from."""
_PID = "nginx.pid"
_CONFIGURED, _LOADED = "nginx.conf", "nginx.loaded"
"""What it reads, and what it was last told to read."""
_REPLACED = "replaced.json"
"""Workers that had the configuration before."""
_MAIN, _COPIED = "main", "copies"
"""Parts of a bank: what is split by weight, and what gets copies; further ones have routes."""
_COPY_PATH = "/.gennaker-copy"
_Parts = dict[str, dict[str, int]]
"""Slots of each address by part."""
_NOBODY = "nobody"
_NEXT = "-next"
"""Ends the name of the folder that tells of a part who comes after whom."""
_REQUEST, _COPY = range(2)
"""Draws."""
_KEPT_BANKS = 3
"""A request that is just being given its instance may still read the last bank."""
_TRIES = 8
"""So many instances are asked to take a request (nginx ends an eleventh redirect)."""
_MOST_FILES = 30_000

_CONFIGURATION = """\
{user}daemon off;
worker_processes auto;
worker_rlimit_nofile {files};
pid {pid};
error_log stderr error;
events {{
    worker_connections 10000;
}}
http {{
    access_log off;
    server_tokens off;
    client_body_temp_path temp/body;
    proxy_temp_path temp/proxy;
    fastcgi_temp_path temp/fastcgi;
    uwsgi_temp_path temp/uwsgi;
    scgi_temp_path temp/scgi;
    keepalive_timeout 60s;
    keepalive_requests 1000000;
    client_header_timeout 60s;
    client_max_body_size 0;
    ignore_invalid_headers off;
    underscores_in_headers on;
    recursive_error_pages on;
    proxy_http_version 1.1;
    proxy_buffering off;
    proxy_connect_timeout 2s;
    proxy_send_timeout 1h;
    proxy_read_timeout 24h;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $onward;
    map $http_upgrade $onward {{
        default upgrade;
        "" close;
    }}
{routes}
    map $realpath_root $instance {{
        volatile;
        "~/(?<found>[0-9a-f.:\\[\\]]+:[0-9]+)$" $found;
    }}
{splits}
    server {{
        listen {address};
{locations}
    }}
}}
"""
_LOCATION = """\
        location {path} {{{copying}
            root {current}/{instance};
            # What an instance has been sent may have had its effect there: it is not repeated.
            if ($upstream_bytes_sent ~ "[1-9]") {{
                return 502;
            }}
            if ($instance = "") {{
                return 503;
            }}
            set $tried $instance;
            proxy_pass http://$tried;{again}
        }}"""


_COPIES = """\
        location = {path} {{
            internal;
            root {current}/{part}/{slot};{unless}
            if ($instance = "") {{
                return 204;
            }}
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header Connection close;
            # The client's next request waits for the copy to end.
            proxy_read_timeout 30s;
            proxy_pass http://$instance$request_uri;
        }}"""


class Nginx:
    """Offers ProxyProgram."""

    name = "nginx"
    wanted = Wanted(title="nginx", file="nginx", package="the package nginx-light or nginx (1.20 or newer)")
    routing = frozenset(Routing)
    stop_signal = signal.SIGQUIT

    def argv(self, executable: str, folder: Path) -> tuple[str, ...]:
        """With the folder that it is started in as its prefix."""
        return (executable, "-p", "./", "-c", _CONFIGURED, "-e", "stderr")

    def write(self, folder: Path, record: ProxyRecord) -> None:
        """The configuration, and the first bank."""
        (folder / "temp").mkdir(exist_ok=True)
        for name in (_CONFIGURED, _LOADED):
            (folder / name).write_text(_configuration(record))
        _switch(folder, _parts(record))

    async def apply(self, folder: Path, record: ProxyRecord, pid: int) -> None:
        """Makes a bank and names it; has the configuration loaded where the routes have changed."""
        if not (folder / _PID).exists():
            raise Unanswered("it does not listen yet")  # The file is there as soon as it does.
        parts = _parts(record)
        if await asyncio.to_thread(_in_use, folder) != encode(parts):
            await asyncio.to_thread(_switch, folder, parts)
        await asyncio.to_thread(_load, folder, _configuration(record), pid)

    async def in_flight(self, folder: Path, record: ProxyRecord, pid: int) -> Mapping[str, int | None]:
        """Its open connections."""
        return await asyncio.to_thread(connections.by_address, (*record.addresses, *record.leaving), pid)

    async def states(self, folder: Path, record: ProxyRecord) -> Mapping[str, Health]:
        """It can't be asked: those that should get requests."""
        return dict.fromkeys(in_traffic(record), Health.UNKNOWN)


def _parts(record: ProxyRecord) -> _Parts:
    """Raises Refused."""
    most = max((len(share.addresses) for share in record.shares.values()), default=0)
    turns = traffic.turns(record.shares)
    if max(len(turns), most) > _SLOTS:
        raise Refused(
            Problem(
                code="nginx.too_many",
                message=f"{len(turns)} instances are to serve {record.name}; nginx splits among at most {_SLOTS}.",
                remedy="Use a load balancer of another provider.",
            )
        )
    parts = {_MAIN: traffic.rounded(turns, _SLOTS) if turns else {}, _COPIED: {}}
    for key, share in record.shares.items():
        if share.routes.has_matches:
            parts[_part(key)] = _even(share.addresses, _SLOTS)
    mirror = record.mirror
    if mirror is not None:
        slots = _SLOTS * mirror.routes.mirror_percent // 100
        rest = {_NOBODY: _SLOTS - slots} if slots < _SLOTS else {}
        parts[_COPIED] = {**_even(mirror.addresses, slots), **rest}
    return parts


def _even(addresses: Iterable[str], slots: int) -> dict[str, int]:
    each = dict.fromkeys(addresses, 1)
    return traffic.rounded(each, slots) if each else {}


def _part(key: str) -> str:
    """Of a server group with routes."""
    return f"g{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def _in_use(folder: Path) -> bytes:
    if not (folder / _CURRENT / f"{_MAIN}{_NEXT}").is_dir():
        return b""  # None yet, or one that an older version has made.
    try:
        return (folder / _CURRENT / _WEIGHTS).read_bytes()
    except FileNotFoundError:
        return b""


def _switch(folder: Path, parts: _Parts) -> None:
    """Makes a new bank and renames the link to it over the old one."""
    banks = folder / _BANKS
    banks.mkdir(exist_ok=True)
    known = sorted(int(one.name) for one in banks.iterdir())
    before = {address for old in known for address in _addresses(banks / str(old))}
    number = known[-1] + 1 if known else 0
    bank = banks / str(number)
    bank.mkdir()
    for part, weights in parts.items():
        if not weights and part not in (_MAIN, _COPIED):
            _be_main(bank, part)  # Nobody to route to.
            continue
        slots = [address for address, count in weights.items() for _ in range(count)] or [_NOBODY] * _SLOTS
        for address in dict.fromkeys(slots):
            _make_end(folder / address)
        _make_paths(bank / part, slots, "../../..")
        _make_next(bank / f"{part}{_NEXT}", tuple(dict.fromkeys(slots)), before)
    # Until the new configuration is loaded, the old one leads there.
    for part in (one.name for one in (folder / _CURRENT).glob("g*") if not one.is_symlink()):
        if part not in parts and not part.endswith(_NEXT):
            _be_main(bank, part)
    (bank / _WEIGHTS).write_bytes(encode(parts))
    fresh = folder / f"{_CURRENT}.new"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(f"{_BANKS}/{number}")
    fresh.replace(folder / _CURRENT)
    for old in known[: 1 - _KEPT_BANKS]:
        shutil.rmtree(banks / str(old))


def _addresses(bank: Path) -> frozenset[str]:
    """All that a bank names; nothing where it was cut off before it was whole."""
    try:
        parts = msgspec.json.decode((bank / _WEIGHTS).read_bytes(), type=_Parts)
    except FileNotFoundError:
        return frozenset()
    return frozenset(address for weights in parts.values() for address in weights)


def _be_main(bank: Path, part: str) -> None:
    for end in ("", _NEXT):
        (bank / f"{part}{end}").symlink_to(f"{_MAIN}{end}")


def _make_next(folder: Path, addresses: tuple[str, ...], before: Iterable[str]) -> None:
    """Links to whom to try next. `before`: who was in other banks; a request may have tried them just now."""
    folder.mkdir()
    following = dict.fromkeys(before, addresses[0]) | dict(zip(addresses, (*addresses[1:], addresses[0]), strict=True))
    for address, other in following.items():
        (folder / address).symlink_to(f"../../../{other}")


def _make_end(folder: Path) -> None:
    """An instance's folder, which all further digits lead to."""
    folder.mkdir(exist_ok=True)
    for digit in range(10):
        link = folder / str(digit)
        if not link.is_symlink():
            link.symlink_to(".")


def _make_paths(folder: Path, slots: list[str], up: str) -> None:
    """Below the folder: what leads to these slots. `up`: from there to where the instances' folders are."""
    folder.mkdir()
    size = len(slots) // 10
    for digit in range(10):
        part = slots[digit * size : (digit + 1) * size]
        below = folder / str(digit)
        if part[0] == part[-1]:  # An instance's slots lie together.
            below.symlink_to(f"{up}/{part[0]}")
        else:
            _make_paths(below, part, f"{up}/..")


def _load(folder: Path, configuration: str, pid: int) -> None:
    """Has it loaded if it isn't yet. Raises Unanswered until all workers that may take requests have it."""
    try:
        if (folder / _LOADED).read_text() != configuration:
            (folder / _REPLACED).write_bytes(encode(sorted(connections.children(pid))))
            (folder / _CONFIGURED).write_text(configuration)
            os.kill(pid, signal.SIGHUP)
            (folder / _LOADED).write_text(configuration)
        if not (folder / _REPLACED).exists():
            return
        replaced = msgspec.json.decode((folder / _REPLACED).read_bytes(), type=frozenset[int])
        if not any(_takes_requests(one) for one in replaced & connections.children(pid)):
            (folder / _REPLACED).unlink()
    except OSError as error:
        raise Unanswered(str(error)) from error
    # Also when they have it: just now they close idle connections of clients.
    raise Unanswered("its workers have not taken the new routes yet")


def _takes_requests(worker: int) -> bool:
    try:
        return b"shutting down" not in Path(f"/proc/{worker}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _configuration(record: ProxyRecord) -> str:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    return _CONFIGURATION.format(
        # As root its workers would become nobody, who may not look into our folder.
        user="user root;\n" if os.geteuid() == 0 else "",
        files=files,
        pid=_PID,
        address=record.address,
        splits="\n".join(_split(number, digit) for number in (_REQUEST, _COPY) for digit in range(_DIGITS)),
        routes="\n".join(_maps(record)),
        locations="\n".join((*(_location(number, record) for number in range(_TRIES)), *_copying(record))),
    )


def _chosen(record: ProxyRecord) -> str:
    """What names a request's part."""
    return "$part0" if any(share.routes.has_matches for share in record.shares.values()) else _MAIN


def _maps(record: ProxyRecord) -> Iterator[str]:
    """One for each header, and one for cookies: the part of a request, or what the next one says."""
    patterns: dict[str, dict[str, str]] = {}
    for key, share in sorted(record.shares.items()):
        for kind, name, value in share.routes.matches():
            source = f"$http_{name.replace('-', '_')}" if kind is Routing.HEADER else "$http_cookie"
            patterns.setdefault(source, {})[_pattern(kind, name, value)] = _part(key)
    for number, (source, parts) in enumerate(patterns.items()):
        otherwise = f"$part{number + 1}" if number + 1 < len(patterns) else _MAIN
        lines = "".join(f'        "{pattern}" {part};\n' for pattern, part in parts.items())
        yield f"    map {source} $part{number} {{\n        default {otherwise};\n{lines}    }}"


def _pattern(kind: Routing, name: str, value: str) -> str:
    """A plain text would be compared without regard to small and capital letters."""
    escaped = value.replace(".", "[.]").replace("+", "[+]")
    return f"~^{escaped}$" if kind is Routing.HEADER else f"~(^|[; ]){name}={escaped} *(;|$)"


def _copying(record: ProxyRecord) -> Iterator[str]:
    if _has_copies(record):
        chosen = _chosen(record)
        # What is routed isn't copied.
        unless = (
            f"\n            if ({chosen} != {_MAIN}) {{\n                return 204;\n            }}"
            if chosen != _MAIN
            else ""
        )
        yield _COPIES.format(path=_COPY_PATH, current=_CURRENT, part=_COPIED, slot=_slot(_COPY), unless=unless)


def _has_copies(record: ProxyRecord) -> bool:
    """Whether somebody gets copies, also while none of its instances can."""
    return any(share.routes.mirror_percent for share in record.shares.values())


def _slot(number: int) -> str:
    return "/".join(f"$slot{number}_{digit}" for digit in range(_DIGITS))


def _split(number: int, digit: int) -> str:
    """A draw of its own for each digit, of requests and of copies."""
    values = " ".join(f"10% {value};" for value in range(9))
    return f'    split_clients "{number}.{digit} $request_id" $slot{number}_{digit} {{ {values} * 9; }}'


def _location(number: int, record: ProxyRecord) -> str:
    is_last = number == _TRIES - 1
    return _LOCATION.format(
        path=f"@try{number}" if number else "/",
        copying=f"\n            mirror {_COPY_PATH};" if _has_copies(record) and not number else "",
        current=_CURRENT,
        instance=f"{_chosen(record)}{_NEXT}/$tried" if number else f"{_chosen(record)}/{_slot(_REQUEST)}",
        again="" if is_last else f"\n            error_page 502 504 = @try{number + 1};",
    )
