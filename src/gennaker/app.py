"""The only place where parts are put together: store, plugins, worker and web over one data folder.

Reached from the command line (`gennaker serve`) and from tests. Everything that can be wrong before work begins (another
server on the folder, a port in use, a broken database, an address that isn't loopback) is refused with a sentence.
"""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog

from gennaker import audit_checks
from gennaker.access import oauth2, oidc
from gennaker.access.passwords import Passwords
from gennaker.access.signing_in import SignIn
from gennaker.engine import recording, rules, why
from gennaker.engine.answers import Why
from gennaker.engine.recording import Recording
from gennaker.interfaces import load_balancer_checks
from gennaker.interfaces.inspection import Facts, Workforce
from gennaker.interfaces.plugins import Plugin, Service
from gennaker.interfaces.probes import Probe
from gennaker.interfaces.services import Services
from gennaker.model import first_use
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.model.server_file import ServerFile
from gennaker.plugins.docker import stopping as containers_stopping
from gennaker.plugins.oci import audit_heads as registry_heads
from gennaker.plugins.oci.client import RegistryClient
from gennaker.plugins.oci.session import RegistryAccount
from gennaker.plugins.oci.sign_in import Credentials
from gennaker.settings import Settings
from gennaker.store import audit_heads, opening
from gennaker.store.audit import DatabaseAuditTrail
from gennaker.store.audit_heads import HeadExporter
from gennaker.store.definitions import DatabaseDefinitions
from gennaker.store.documents import DatabaseDocuments
from gennaker.store.evidence import FileEvidence, FileLogs
from gennaker.store.failures import StoreUnusable
from gennaker.store.images import DatabaseImageStore
from gennaker.store.opening import OpenStore
from gennaker.store.room import Room
from gennaker.store.searches import DatabaseSearches
from gennaker.store.tag_policy import TagPolicy
from gennaker.transport import ports, reporting
from gennaker.transport.ending import Ending
from gennaker.transport.folder import DataFolder
from gennaker.transport.http import GuardedClient
from gennaker.transport.permissions import private_files
from gennaker.transport.processes import Processes
from gennaker.transport.reporting import LossyOutput
from gennaker.web import application as web_application
from gennaker.web import page as web_page
from gennaker.web import registry as web_registry
from gennaker.web import registry_door
from gennaker.web.listener import Listener
from gennaker.web.ports import WebPorts
from gennaker.web.proxies import Proxied
from gennaker.web.sign_in import Doors
from gennaker.worker import core, inspecting
from gennaker.worker import services as worker_services
from gennaker.worker.clock import SystemClock, SystemIds
from gennaker.worker.core import ShellChoice, ShellType
from gennaker.worker.pacing import Pace
from gennaker.worker.probes import KillingProbe, SilentProbe

log = structlog.get_logger()
Found = TypeVar("Found")

_PAGE = Path(web_application.__file__).parent / "static"
_IMAGES_KEPT = timedelta(days=1)
"""Uploads that nobody continues and blobs that no image needs are removed after this."""
_GC_THRESHOLDS = (50_000, 20, 50)
"""Of Python's collector. A step makes some 300 objects, nearly all of which die by counting: with Python's own 700 a seventh
of the engine's time goes into looking for cycles. Full collections pause everything, and after start-up nearly all objects
live on."""


def serve(settings: Settings, data: Path, environment: Mapping[str, str]) -> int:
    """Runs a server until SIGTERM or SIGINT; returns the exit status."""
    output = reporting.configure(is_terminal=os.isatty(2))
    check_addresses(settings)
    with private_files():
        folder = DataFolder(data)
        if folder.lacks:
            log.warning("folder.unlocked", data=str(data), reason=folder.lacks)
        ending = Ending(seconds=settings.server.stop_seconds)
        try:
            asyncio.run(_serve(settings, folder, environment, output, ending=ending))
        except* (Refused, StoreUnusable) as group:
            raise _first_cause(group) from None
        finally:
            ending.over()
            folder.close()
    return 0


def explain(settings: Settings, data: Path, execution_id: str, stage: str) -> Why:
    """Why an execution is as it is, from the data folder of a server that doesn't run. Raises Refused."""

    async def look(store: OpenStore) -> Facts:
        return await inspecting.facts(store.journal, execution_id, at=SystemClock().now(), workforce=Workforce())

    facts = _offline(settings, data, look)
    types = [stage_type for plugin in installed_plugins() for stage_type in plugin.stages]
    return why.explain(facts, rules.from_stage_types(types, settings), stage_ref=stage)


def recorded(settings: Settings, data: Path, execution_id: str) -> Recording:
    """An execution's journal and state, from the store of a server that doesn't run. Raises Refused."""

    async def look(store: OpenStore) -> Recording:
        execution = await store.journal.load(execution_id)
        if execution is None:
            raise Refused(Problem(code="execution.unknown", message=f"There is no execution {execution_id}."))
        return recording.of(
            execution,
            await store.journal.events(execution_id),
            rules=rules.from_stage_types([one for plugin in installed_plugins() for one in plugin.stages], settings),
            engine_versions=await store.journal.engine_versions(execution_id),
        )

    return _offline(settings, data, look)


def _offline(settings: Settings, data: Path, look: Callable[[OpenStore], Coroutine[None, None, Found]]) -> Found:
    """Looks into the store of a folder on which no server runs. Raises Refused."""
    if not data.is_dir():
        raise Refused(Problem(code="data.missing", message=f"There is no data folder {data}."))
    folder = DataFolder(data)
    try:
        store = opening.open_to_look(settings.store, data)
        try:
            return asyncio.run(look(store))
        finally:
            store.close()
    except StoreUnusable as error:
        raise Refused(error.problem) from error
    finally:
        folder.close()


def stop_everything(settings: Settings, data: Path) -> int:
    """Stops all that a server of this folder has started and that outlives it; returns how many processes and containers."""
    with private_files():
        folder = DataFolder(data)
        try:
            return asyncio.run(_stop_everything(settings, opening.shared_folder(settings.store, data)))
        finally:
            folder.close()


async def _stop_everything(settings: Settings, folder: Path) -> int:
    processes = await Processes(folder).stop_all()
    return len(processes) + await containers_stopping.stop_all(settings.docker, folder)


def check_addresses(settings: Settings) -> None:
    """Refuses to listen anywhere but on loopback while nobody has to sign in, and on what is no address."""
    if settings.server.port == settings.registry.port != 0:
        raise Refused(
            Problem(
                code="server.port",
                message=f"server.port and registry.port are both {settings.server.port}; each needs a port of its own.",
                remedy="Set one of them to another port (0: a free one).",
            )
        )
    if not load_balancer_checks.is_loopback(settings.server.host) and not settings.sign_in.required:
        raise Refused(
            Problem(
                code="server.not_loopback",
                message=f"Gennaker would listen on {settings.server.host}, where anyone could use it without signing in.",
                remedy="Set server.host to 127.0.0.1, or sign-in.required to true.",
            )
        )
    given = settings.sign_in
    if (given.proxy_user_header or given.proxy_certificate_header) and not given.proxy_socket:
        raise Refused(
            Problem(
                code="sign_in.no_proxy_socket",
                message="Headers of a proxy are believed through its own socket only, and sign-in.proxy-socket isn't set.",
                remedy="Set it to the path of a unix socket on which the proxy reaches the server, or set no such header.",
            )
        )
    oidc.check(settings)
    oauth2.check(settings)
    load_balancer_checks.check(settings)


def installed_plugins() -> tuple[Plugin, ...]:
    """All plugins that are installed, ours and other people's, in the order of their names."""
    found = []
    for entry in sorted(entry_points(group="gennaker.plugins"), key=lambda entry: entry.name):
        try:
            plugin = entry.load()
        except Exception as error:  # a broken plugin of somebody else's must not keep the server from starting
            log.exception("plugin.broken", plugin=entry.name, error=str(error))
            continue
        if isinstance(plugin, Plugin):
            found.append(plugin)
        else:
            log.error("plugin.not_a_plugin", plugin=entry.name, found=type(plugin).__name__)
    return tuple(found)


async def _serve(
    settings: Settings, folder: DataFolder, environment: Mapping[str, str], output: LossyOutput, *, ending: Ending
) -> None:
    choice = await _shell(settings)
    plugins = installed_plugins()
    first_use.learn()  # the store has the first threads
    store = opening.open_store(
        settings.store, folder.path, engine_version=version("gennaker"), server=_own_name(), shell=choice.lease
    )
    try:
        server = _Server(settings, folder, store, environment, plugins=plugins, shell=choice.type(store.shell))
        output.masked = server.masked
        await server.run(ending)
    finally:
        ending.begin()
        store.close()


async def _shell(settings: Settings) -> ShellChoice:
    """What drives the executions, connected where that is somebody else. Raises Refused."""
    if settings.engine.shell == "embedded":
        return ShellChoice(lease="", type=lambda _: core.EMBEDDED)
    if not settings.store.url:
        raise Refused(
            Problem(
                code="temporal.store",
                message="engine.shell is temporal, but the store is SQLite, which only one process can use.",
                remedy="Set store.url to a PostgreSQL database, or engine.shell to embedded.",
            )
        )
    try:
        from gennaker.worker.temporal import shell  # noqa: PLC0415 - an extra that most do without
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise Refused(
            Problem(
                code="temporal.not_installed",
                message=f"engine.shell is temporal, but the Python package {package} is not installed.",
                remedy="Install what it needs: pip install 'gennaker[temporal]'. Or set engine.shell to embedded.",
            )
        ) from error
    return await shell.connect(settings, server=_own_name())


def _own_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


class _Server:
    """A server over an open data folder."""

    def __init__(
        self,
        settings: Settings,
        folder: DataFolder,
        store: OpenStore,
        environment: Mapping[str, str],
        *,
        plugins: tuple[Plugin, ...],
        shell: ShellType,
    ) -> None:
        clock, ids = SystemClock(), SystemIds()
        database = store.database
        self._folder = folder
        self._api_socket = ports.listening(settings.server.host, settings.server.port, "server.port")
        # The registry speaks no TLS, and passwords come to it: it stays on loopback wherever the server listens.
        local = settings.server.host if load_balancer_checks.is_loopback(settings.server.host) else "127.0.0.1"
        self._registry_socket = ports.listening(local, settings.registry.port, "registry.port")
        self._api = f"http://{_address(self._api_socket)}"
        self._registry_host = _address(self._registry_socket)
        server = msgspec.structs.replace(settings.server, base_url=settings.server.base_url or self._api)
        settings = msgspec.structs.replace(settings, server=server)
        self._settings = settings
        self._images = DatabaseImageStore(
            database, clock=clock, ids=ids, policy=TagPolicy.all_but(settings.registry.mutable_tags)
        )
        self._audit = DatabaseAuditTrail(database)
        password = ids.token()
        own = Credentials(username="gennaker", password=password) if settings.sign_in.required else None
        address = f"http://{self._registry_host}"
        self._registry = RegistryClient(
            RegistryAccount(name=settings.registry.account, address=address, credentials=own)
        )
        self._core = core.build(
            store=_ports(store, clock, self._audit),
            clock=clock,
            ids=ids,
            settings=settings,
            data=database.folder,
            plugins=plugins,
            registries={settings.registry.account: self._registry},
            probe=_probe(environment),
            servers=store.servers,
            shell=shell,
            pace=Pace(),
            environment=environment,
        )
        admins = settings.sign_in.admin_roles if settings.sign_in.required else ()
        self._doors = Doors(token=folder.token(ids.token()), clock=clock, new_token=ids.token, admin_roles=admins)
        sign_in = SignIn(
            people=self._core.identities,
            documents=self._core.services.documents,
            passwords=Passwords(clock=clock, key=ids.token().encode()),
            audit=self._audit,
            refusals=self._core.refusals,
            clock=clock,
            new_secret=ids.token,
            settings=settings.sign_in,
            provider=oidc.provider(settings, clock) or oauth2.provider(settings, clock),
        )
        self._ending = asyncio.Event()
        web_ports = WebPorts(
            services=self._core.services,
            stage_types=self._core.stage_types,
            doors=self._doors,
            sign_in=sign_in,
            stored_secrets=self._core.stored_secrets,
            phases=self._core.phases,
            verify_audit=self._verify_audit,
            ending=self._ending,
            is_ready=lambda: self._core.worker.is_ready,
            unkept=Room(database, clock).problem,
            page=_PAGE,
            version=version("gennaker"),
        )
        application = web_application.create(web_ports)
        registry = registry_door.create(
            web_registry.create(self._images, refusals=self._core.refusals, clock=clock),
            sign_in=sign_in,
            services=self._core.services,
            own_password=password,
        )
        unread = sign_in.unread
        behind = ports.listening_at(settings.sign_in.proxy_socket) if settings.sign_in.proxy_socket else None
        files = ports.room_for_files()
        proxied = (
            () if behind is None else (Listener(Proxied(application), behind, unread, most_connections=files // 4),)
        )
        self._listeners = (
            Listener(application, self._api_socket, unread, most_connections=files // 2),
            *proxied,
            Listener(registry, self._registry_socket, unread, most_connections=files // 8),
        )

    def masked(self, text: str) -> str:
        """A line of the log without secrets."""
        return self._core.services.secrets.masked_text(text)

    async def run(self, ending: Ending) -> None:
        """Serves until told to stop; then takes no more requests, gives back what it performs, ends."""
        await self._core.stored_secrets.know_all()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ending.set)
        async with asyncio.TaskGroup() as group:
            serving = [group.create_task(listener.serve()) for listener in self._listeners]
            working = group.create_task(self._core.worker.run())
            working.add_done_callback(lambda _: ending.begin())  # where it ends by itself, the store can't be used
            background = group.create_task(
                worker_services.run_all(self._background(), self._core.services, self._core.servers)
            )
            gc.freeze()
            gc.enable()
            gc.set_threshold(*_GC_THRESHOLDS)
            announcing = group.create_task(self._announce_when_ready())
            await self._ending.wait()
            ending.begin()
            log.info("server.stopping")
            announcing.cancel()
            for listener in self._listeners:
                listener.should_exit = True
            await asyncio.wait(serving)
            working.cancel()
            # Tasks at work use what services keep (watches, connections): taken from them, they would fail instead of being given back.
            await asyncio.wait((working,))
            background.cancel()
            await self._core.refusals.settle()
        await self._registry.close()
        log.info("server.stopped")

    def _background(self) -> tuple[Service, ...]:
        sweep = Service(name="image-sweep", run=self._sweep_images)
        audit = self._settings.audit
        if not (audit.file or audit.webhook or audit.registry):
            return (*self._core.background, sweep)
        return (*self._core.background, sweep, Service(name="audit-heads", run=self._export_heads))

    async def _export_heads(self, services: Services) -> None:
        client = GuardedClient(allowed=self._settings.webhook_hosts)
        seed = await asyncio.to_thread(audit_heads.seed, services.data, services.ids.token())
        async with registry_heads.opened(self._settings.audit) as place:
            exporter = HeadExporter(
                self._settings.audit,
                seed=seed,
                newest=self._audit.newest,
                hash_of=self._audit.hash_of,
                clock=services.clock,
                client=client,
                place=place,
            )
            try:
                await exporter.run()
            finally:
                await client.close()

    async def _sweep_images(self, services: Services) -> None:
        while True:
            now = services.clock.now()
            swept = await self._images.sweep(now - _IMAGES_KEPT)
            log.info("images.swept", uploads=swept.uploads, blobs=swept.blobs)
            await services.clock.sleep_until(now + _IMAGES_KEPT / 4)

    async def _announce_when_ready(self) -> None:
        await self._core.worker.ready()
        stop_seconds = self._settings.server.stop_seconds
        self._folder.announce(
            ServerFile(pid=os.getpid(), api=self._api, registry=self._registry_host, stop_seconds=stop_seconds)
        )
        if not web_page.is_built(_PAGE):
            log.warning(web_page.NO_PAGE.code, problem=str(web_page.NO_PAGE))
        link = f"{self._api}/ui/sign-in?once={self._doors.new_link()}"
        log.info("server.ready", api=self._api, registry=self._registry_host, data=str(self._folder.path), page=link)

    async def _verify_audit(self) -> JsonObject:
        """As the command does, with the heads that are kept outside. Raises Refused (503) where they can't be had."""
        try:
            verdict = await asyncio.to_thread(audit_checks.verify_audit, self._settings, self._folder.path)
        except Refused as refused:
            raise Refused(*refused.problems, status=503) from refused
        return {"isIntact": verdict.is_intact, "records": verdict.records, "sentence": verdict.sentence}


def _ports(store: OpenStore, clock: SystemClock, audit: DatabaseAuditTrail) -> core.StorePorts:
    database = store.database
    return core.StorePorts(
        journal=store.journal,
        searches=DatabaseSearches(database),
        definitions=DatabaseDefinitions(database, clock),
        documents=lambda namespace: DatabaseDocuments(database, namespace),
        evidence=FileEvidence(database),
        logs=FileLogs(database),
        audit=audit,
    )


def _address(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _probe(environment: Mapping[str, str]) -> Probe:
    """Tests name a file of points at which the process dies; nobody else does."""
    plan = environment.get("GENNAKER_TEST_KILL_POINTS")
    return KillingProbe(Path(plan), Path(f"{plan}.seen")) if plan else SilentProbe()


def _first_cause(group: "BaseExceptionGroup[Exception]") -> Refused:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, StoreUnusable):
        return Refused(error.problem)
    assert isinstance(error, Refused)
    return error
