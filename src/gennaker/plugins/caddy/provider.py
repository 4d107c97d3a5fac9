"""The traffic provider `caddy`: load balancers served by one embedded Caddy.

Desired state is written to Documents first and then brought about; whatever is cut off is completed by repeating the
call or by `keep`, which runs as long as the server. How a switch works: `configuration.py`.
"""

import asyncio
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import structlog

from gennaker.interfaces import load_balancer_problems, traffic
from gennaker.interfaces.clouds import Health
from gennaker.interfaces.documents import Documents
from gennaker.interfaces.routes import Routes, Routing
from gennaker.interfaces.services import Services
from gennaker.interfaces.traffic import LoadBalancer, Shares
from gennaker.model import foreign
from gennaker.model.codec import to_json
from gennaker.model.problems import Refused
from gennaker.plugins.caddy import balancing, configuration
from gennaker.plugins.caddy.program import CaddyProgram
from gennaker.plugins.caddy.records import BalancerRecord
from gennaker.traffic_settings import LoadBalancerSettings
from gennaker.transport import ports

log = structlog.get_logger()

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_KEEP_SECONDS = 1.0


class CaddyProvider:
    """Offers the port TrafficProvider."""

    name = "caddy"
    routing = frozenset({Routing.HEADER, Routing.COOKIE})

    def __init__(
        self, *, documents: Documents, program: CaddyProgram, configured: Mapping[str, LoadBalancerSettings]
    ) -> None:
        """`configured`: the load balancers of the settings, whoever provides them."""
        self._documents = documents
        self._program = program
        self._configured = {name: wish for name, wish in configured.items() if wish.provider == self.name}
        self._lock = asyncio.Lock()
        self._is_in_force = True
        """False: Caddy isn't known to have taken what was desired last."""

    @classmethod
    def of(cls, services: Services) -> "CaddyProvider":
        """The provider as the server has it."""
        program = CaddyProgram(services.data / "caddy", services.documents("caddy.program"), services.settings.caddy)
        return cls(
            documents=services.documents("caddy.load-balancers"),
            program=program,
            configured=services.settings.load_balancers,
        )

    async def ensure(self, load_balancer: str, address: str | None = None) -> LoadBalancer:
        """Creates it if it isn't there, at the address given here or in the settings, or a free one; settings alone move one that is."""
        async with self._lock:
            record = await self._ensured(load_balancer, address)
            await self._bring_about()
            return record.as_seen()

    async def check_routes(self, load_balancer: str, wanted: Sequence[Routes]) -> None:
        """Raises Refused for what Caddy can't do."""
        traffic.refuse_unroutable(self, load_balancer, wanted)

    async def set_weights(self, load_balancer: str, shares: Shares) -> None:
        """Replaces all shares in one atomic switch."""
        async with self._lock:
            record = await self._record(load_balancer)
            if record is None:
                raise Refused(load_balancer_problems.unknown(load_balancer), status=404)
            await self.check_routes(load_balancer, [share.routes for share in shares.values()])
            changed = await self._switched(record, shares)
            if changed != record:
                await self._keep(changed)
            if changed.banks != record.banks or not self._is_in_force:
                await self._bring_about()
                return
            self._is_in_force = False
            await asyncio.to_thread(_write_slots, self._program.folder, changed)
            await asyncio.to_thread(_name_bank, self._program.folder, changed)
            self._is_in_force = True

    async def describe(self, load_balancer: str) -> LoadBalancer | None:
        """What is configured now."""
        record = await self._record(load_balancer)
        return None if record is None else msgspec.structs.replace(record.as_seen(), is_in_force=self._is_in_force)

    async def in_flight(self, load_balancer: str) -> Mapping[str, int | None]:
        """Requests under way by address: of all that have a share, and of others that have any."""
        record = await self._record(load_balancer)
        if record is None:
            raise Refused(load_balancer_problems.unknown(load_balancer), status=404)
        found = Counter({address: 0 for share in record.shares.values() for address in share.addresses})
        for (bank, slot), count in (await self._busy_slots(load_balancer)).items():
            found[record.addresses(bank)[slot]] += count
        return dict[str, int | None](found)

    async def health(self, load_balancer: str) -> Mapping[str, Health]:
        """Whoever stands in a bank in use; Down what Caddy has counted failures of. Nobody where it doesn't run."""
        record = await self._record(load_balancer)
        if record is None:
            raise Refused(load_balancer_problems.unknown(load_balancer), status=404)
        failures = await self._program.failures()
        if failures is None:
            return {}
        failed = {configuration.slot_of(upstream) for upstream, count in failures.items() if count}
        found: dict[str, Health] = {}
        for bank in record.banks_in_use:
            for slot, address in enumerate(record.addresses(bank)):
                is_down = (load_balancer, bank, slot) in failed
                found[address] = Health.DOWN if is_down else found.get(address, Health.UP)
        return found

    async def remove(self, load_balancer: str) -> None:
        """Removes it and its listener."""
        async with self._lock:
            await self._documents.delete(load_balancer)
            await self._bring_about()
            folder = self._program.folder / "banks" / load_balancer
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def is_kept(self) -> bool:
        """Whether there is nothing to serve, or Caddy runs and has the shares that it should have."""
        return not await self._documents.list() or (self._is_in_force and await self._program.is_running())

    async def reconcile(self) -> None:
        """Makes Caddy run with what is desired, with the load balancers of the settings among it.

        One of the settings that can't be served doesn't hold up the others; what is wrong with it is raised in the end.
        """
        wrong: list[Refused] = []
        async with self._lock:
            for name in self._configured:
                try:
                    await self._ensured(name, None)
                except Refused as refused:
                    wrong.append(refused)
            if await self._documents.list():
                await self._bring_about()
        if wrong:
            raise wrong[0]

    async def _ensured(self, name: str, address: str | None) -> BalancerRecord:
        if not _NAME.fullmatch(name):
            raise Refused(load_balancer_problems.bad_name(name))
        record = await self._record(name)
        configured = self._configured[name].address if name in self._configured else ""
        wish = (address if record is None else None) or configured
        if record is not None and wish in ("", record.address):
            return record
        records = await self._records()
        chosen = wish or await self._free_address(name, records)
        host, _, port = chosen.rpartition(":")
        if (number := foreign.port(port)) is None or not host:
            raise Refused(load_balancer_problems.bad_address(name, chosen))
        taken = {other.address for other in records if other.name != name}
        if chosen in taken or not await asyncio.to_thread(ports.is_free, host.strip("[]"), number):
            raise Refused(load_balancer_problems.port_in_use(name, chosen), status=409)
        fresh = record or BalancerRecord(name=name, address=chosen)
        return await self._keep(msgspec.structs.replace(fresh, address=chosen))

    async def _free_address(self, name: str, records: tuple[BalancerRecord, ...]) -> str:
        taken = {record.port for record in records} | {(await self._program.record()).admin_port}
        port = await asyncio.to_thread(ports.free, f"{self._program.folder}/{name}", taken)
        return f"127.0.0.1:{port}"

    async def _switched(self, record: BalancerRecord, shares: Shares) -> BalancerRecord:
        """The record with these shares, in banks that nobody uses."""
        if dict(shares) == record.shares:
            return record
        used = {bank for bank, _ in await self._busy_slots(record.name)} | record.banks_in_use
        changed = msgspec.structs.replace(record, shares=dict(shares))
        routed: dict[str, int] = {}
        for key, share in sorted(shares.items()):
            if share.routes.has_matches and share.addresses:
                alone = {key: msgspec.structs.replace(share, weight=1)}
                changed, routed[key] = _filled(changed, alone, used, record.routed.get(key))
        changed = msgspec.structs.replace(changed, routed=routed)
        if not balancing.table(shares):
            return msgspec.structs.replace(changed, bank=None)
        # What is routed stands beside the bank, and changes with it only.
        is_as_routed = configuration.matches(changed) == configuration.matches(record)
        changed, bank = _filled(changed, shares, used, record.bank if is_as_routed else None)
        return msgspec.structs.replace(changed, bank=bank)

    async def _busy_slots(self, name: str) -> dict[tuple[int, int], int]:
        """Requests under way by bank and slot, where there are any."""
        found = {}
        for upstream, count in (await self._program.requests_under_way()).items():
            slot = configuration.slot_of(upstream)
            if slot is not None and slot[0] == name and count > 0:
                found[slot[1], slot[2]] = count
        return found

    async def _bring_about(self) -> None:
        self._is_in_force = False
        records = await self._records()
        for record in records:
            await asyncio.to_thread(_write_slots, self._program.folder, record)
            await asyncio.to_thread(_write_no_matches, self._program.folder, record)
        await self._program.run(lambda admin_port: configuration.render(records, admin_port))
        # Only now: a bank that Caddy doesn't know yet must not be named, requests would find nobody in it.
        for record in records:
            await asyncio.to_thread(_name_bank, self._program.folder, record)
        self._is_in_force = True

    async def _record(self, name: str) -> BalancerRecord | None:
        document = await self._documents.get(name)
        return None if document is None else msgspec.convert(document.body, BalancerRecord)

    async def _records(self) -> tuple[BalancerRecord, ...]:
        return tuple(msgspec.convert(document.body, BalancerRecord) for document in await self._documents.list())

    async def _keep(self, record: BalancerRecord) -> BalancerRecord:
        body = to_json(record)
        assert isinstance(body, dict)
        await self._documents.put(record.name, body)
        return record


async def keep(services: Services) -> None:
    """Keeps Caddy running with what is desired, until cancelled."""
    provider = services.traffic[CaddyProvider.name]
    assert isinstance(provider, CaddyProvider)
    is_new, said = True, ""
    while True:
        why = ""
        if is_new or not await provider.is_kept():
            try:
                await provider.reconcile()
                is_new = False
            except (Refused, OSError) as error:
                why = str(error)
        if why and why != said:
            log.warning("caddy.not_kept", why=why)
        said = why
        await asyncio.sleep(_KEEP_SECONDS)


def _filled(record: BalancerRecord, shares: Shares, used: set[int], before: int | None) -> tuple[BalancerRecord, int]:
    """The record with a bank for these shares, and its number: that of before if it is the same, else one that isn't used."""
    table = balancing.table(shares)
    if before is not None and record.tables[str(before)] == table:
        return record, before
    idle = {bank: size for bank, size in enumerate(record.banks) if bank not in used}
    rounded = balancing.fitted(shares, idle.values())
    if rounded is not None:
        table = rounded
        bank, banks = min((size, bank) for bank, size in idle.items() if size % len(table) == 0)[1], record.banks
    else:
        bank, banks = len(record.banks), (*record.banks, len(table))
    used.add(bank)
    return msgspec.structs.replace(record, banks=banks, tables={**record.tables, str(bank): table}), bank


def _write_slots(folder: Path, record: BalancerRecord) -> None:
    """Fills the banks. Nothing is written that is there already, so repeating disturbs nobody."""
    (folder / "banks" / record.name).mkdir(parents=True, exist_ok=True)
    for bank in record.banks_in_use:
        (folder / configuration.slot_file(record.name, bank, 0)).parent.mkdir(exist_ok=True)
        for slot, address in enumerate(record.addresses(bank)):
            _replace(folder / configuration.slot_file(record.name, bank, slot), address)
    matches = folder / configuration.matches_file(record.name, record.bank)
    matches.parent.mkdir(exist_ok=True)
    _replace(matches, configuration.matches(record))


def _write_no_matches(folder: Path, record: BalancerRecord) -> None:
    """For banks that have none yet: where the file isn't there, Caddy answers 500."""
    for bank in (None, *range(len(record.banks))):
        matches = folder / configuration.matches_file(record.name, bank)
        matches.parent.mkdir(exist_ok=True)
        if not matches.exists():
            _replace(matches, "")


def _name_bank(folder: Path, record: BalancerRecord) -> None:
    """Names the bank that is filled: the switch."""
    bank = configuration.NO_BANK if record.bank is None else str(record.bank)
    _replace(folder / configuration.bank_file(record.name), bank)


def _replace(path: Path, content: str) -> None:
    try:
        if path.read_text() == content:
            return
    except FileNotFoundError:
        pass  # The usual case: a new slot.
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(content)
    fresh.replace(path)
