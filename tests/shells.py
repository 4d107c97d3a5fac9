"""Shells for the conformance suite: the real engine, worker and store of one server, driven by each of the shells."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.probes import Probe
from gennaker.interfaces.registry import ImageRegistry
from gennaker.settings import EngineSettings, Settings, StoreSettings, TemporalSettings
from gennaker.store import opening
from gennaker.store.audit import DatabaseAuditTrail
from gennaker.store.definitions import DatabaseDefinitions
from gennaker.store.documents import DatabaseDocuments
from gennaker.store.evidence import FileEvidence, FileLogs
from gennaker.store.opening import OpenStore
from gennaker.store.searches import DatabaseSearches
from gennaker.worker import core
from gennaker.worker.clock import SystemClock, SystemIds
from gennaker.worker.core import Core, ShellChoice, StorePorts
from gennaker.worker.probes import SilentProbe
from gennaker.worker.temporal import shell as temporal

_LEASE_SECONDS = 60.0
"""None of these servers dies, and none that a busy machine keeps waiting counts as dead: what it performs would be done again."""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A server's parts, without its listeners."""

    core: Core
    store: StorePorts


def settings_of(*, url: str = "", temporal_address: str = "", task_queue: str = "gennaker") -> Settings:
    """Embedded on SQLite or PostgreSQL, or Temporal."""
    return Settings(
        store=StoreSettings(url=url, lease_seconds=_LEASE_SECONDS, poll_seconds=0.5),
        engine=EngineSettings(shell="temporal" if temporal_address else "embedded"),
        temporal=TemporalSettings(address=temporal_address, task_queue=task_queue),
    )


@asynccontextmanager
async def running(
    settings: Settings,
    folder: Path,
    plugins: Sequence[Plugin],
    *,
    probe: Probe | None = None,
    choice: ShellChoice | None = None,
    registries: Mapping[str, ImageRegistry] | None = None,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Running]:
    """One server, until the block ends; with the shell that is set, or another one."""
    choice = choice or await _choice(settings)
    store = opening.open_store(settings.store, folder, engine_version="1", server="test", shell=choice.lease)
    try:
        ports = _ports(store)
        built = core.build(
            store=ports,
            clock=SystemClock(),
            ids=SystemIds(),
            settings=settings,
            data=folder,
            plugins=plugins,
            registries=registries or {},
            environment=environment,
            probe=probe or SilentProbe(),
            servers=store.servers,
            shell=choice.type(store.shell),
        )
        async with asyncio.TaskGroup() as group:
            working = group.create_task(built.worker.run())
            await built.worker.ready()
            yield Running(core=built, store=ports)
            working.cancel()
    finally:
        store.close()


async def _choice(settings: Settings) -> ShellChoice:
    if settings.engine.shell == "temporal":
        return await temporal.connect(settings, server="test")
    return ShellChoice(lease="", type=lambda _: core.EMBEDDED)


def _ports(store: OpenStore) -> StorePorts:
    database = store.database
    return StorePorts(
        journal=store.journal,
        searches=DatabaseSearches(database),
        definitions=DatabaseDefinitions(database, SystemClock()),
        documents=lambda namespace: DatabaseDocuments(database, namespace),
        evidence=FileEvidence(database),
        logs=FileLogs(database),
        audit=DatabaseAuditTrail(database),
    )
