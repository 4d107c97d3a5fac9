"""The core: everything between the store and the plugins, put together over ports.

Used by app.py with the real store and clock, and by tests with fakes and a clock that they move.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from gennaker.access.authorising import RoleAuthoriser
from gennaker.access.identities import Identities
from gennaker.access.keyring import Keyring
from gennaker.access.masking import Masker
from gennaker.access.refusals import Refusals
from gennaker.access.secrets import EnvironmentSecrets, FileSecrets, ResolvedSecrets
from gennaker.access.stored_secrets import StoredSecrets
from gennaker.engine import rules
from gennaker.interfaces.api_servers import ApiServer
from gennaker.interfaces.artifacts import ArtifactAccount
from gennaker.interfaces.audit import AuditTrail
from gennaker.interfaces.ci import CiSystem
from gennaker.interfaces.clock import Clock, Ids
from gennaker.interfaces.clouds import CloudProvider
from gennaker.interfaces.definitions import Definitions
from gennaker.interfaces.documents import Documents
from gennaker.interfaces.evidence import Evidence, Logs
from gennaker.interfaces.journal import Journal
from gennaker.interfaces.manifests import LiveManifests
from gennaker.interfaces.metrics import MetricSource
from gennaker.interfaces.notifiers import Notifier
from gennaker.interfaces.plugins import Plugin, Service
from gennaker.interfaces.probes import Probe
from gennaker.interfaces.registry import ImageRegistry
from gennaker.interfaces.servers import Servers
from gennaker.interfaces.services import Services
from gennaker.interfaces.shells import ShellStore
from gennaker.interfaces.stages import StageType
from gennaker.interfaces.traffic import TrafficProvider
from gennaker.migration.phases import Phases
from gennaker.settings import Settings
from gennaker.worker import buffering
from gennaker.worker.alone import Alone
from gennaker.worker.announcing import Announcer
from gennaker.worker.checking import LocalChecks
from gennaker.worker.dependents import Dependents
from gennaker.worker.executions import LocalExecutions, Searches
from gennaker.worker.intake import LocalIntake
from gennaker.worker.lookups import LocalOutside
from gennaker.worker.loop import Worker
from gennaker.worker.pacing import Pace
from gennaker.worker.performing import Performer
from gennaker.worker.shells import Shell, ShellParts
from gennaker.worker.stepping import Stepper
from gennaker.worker.updates import LocalUpdates


class StorePorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the core needs of a store."""

    journal: Journal
    searches: Searches
    definitions: Definitions
    documents: Callable[[str], Documents]
    evidence: Evidence
    logs: Logs
    audit: AuditTrail


class Core(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that others use."""

    worker: Shell
    services: Services
    servers: Servers
    stage_types: Mapping[str, StageType]
    """By name and alias."""
    identities: Identities
    stored_secrets: StoredSecrets
    phases: Phases
    refusals: Refusals
    background: tuple[Service, ...]
    """What the plugins want to have running."""


class ShellType(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of shell and what it wants to be otherwise."""

    make: Callable[[ShellParts], Shell]
    journal: Callable[[Journal], Journal]
    """The journal as this shell wants it to be written."""
    is_pending: Callable[[str], Awaitable[bool]] | None = None
    """Asked before each commit whether the effect that it answers is still wanted: where answers may come twice."""
    version_of: Callable[[str], Awaitable[int | None]] | None = None
    """Asked whether an execution in memory is still the newest, where other processes may make its next step."""


class ShellChoice(msgspec.Struct, frozen=True, kw_only=True):
    """A shell that is set, before the store is open."""

    lease: str
    """Name of the lease that its servers share; empty: each has its own."""
    type: Callable[[ShellStore | None], ShellType]
    """Of the store that was opened for that lease."""


EMBEDDED = ShellType(make=Worker, journal=lambda journal: journal)


def build(  # noqa: PLR0913 - it is the list of what a core is made of
    *,
    store: StorePorts,
    clock: Clock,
    ids: Ids,
    settings: Settings,
    data: Path,
    plugins: Sequence[Plugin],
    registries: Mapping[str, ImageRegistry],
    probe: Probe,
    servers: Servers | None = None,
    shell: ShellType = EMBEDDED,
    pace: Pace | None = None,
    environment: Mapping[str, str] | None = None,
) -> Core:
    """Puts the core together; nothing runs yet. `servers`: those that share the store; None: nobody does.

    `pace` holds new executions back while steps take too long; None: nothing does. `environment`: the server's, for secrets.
    """
    updates = LocalUpdates()
    servers = servers or Alone(store.journal)
    journal = shell.journal(store.journal)
    identities = Identities(store.documents)
    authoriser = RoleAuthoriser(definitions=store.definitions, identities=identities, settings=settings)
    phases = Phases(store.documents, is_alone=servers.is_alone)
    executions = LocalExecutions(
        journal=journal,
        authoriser=authoriser,
        definitions=store.definitions,
        phases=phases,
        searches=store.searches,
        clock=clock,
        ids=ids,
        servers=servers,
        settings=settings.engine,
        pace=pace,
    )
    stage_types = by_name(stage for plugin in plugins for stage in _stages(plugin, settings))
    masker = Masker()
    secrets = ResolvedSecrets(masker)
    stored_secrets = _stored_secrets(store, clock, ids, settings=settings, data=data, masker=masker)
    offered = _Offered()
    refusals = Refusals(store.audit, clock)
    services = Services(
        clock=clock,
        ids=ids,
        settings=settings,
        data=data,
        documents=store.documents,
        authoriser=authoriser,
        secrets=secrets,
        executions=executions,
        intake=LocalIntake(
            definitions=store.definitions, executions=executions, refusals=refusals, clock=clock, ids=ids
        ),
        definitions=store.definitions,
        checks=LocalChecks(definitions=store.definitions, stage_types=stage_types, clock=clock),
        evidence=store.evidence,
        logs=store.logs,
        audit=store.audit,
        updates=updates,
        clouds=offered.clouds,
        traffic=offered.traffic,
        registries=registries,
        notifiers=offered.notifiers,
        metrics=offered.metrics,
        ci=offered.ci,
        artifacts=offered.artifacts,
        api_servers=offered.api_servers,
        manifests=offered.manifests,
        outside=LocalOutside(store.definitions, allowed=settings.webhook_hosts),
    )
    _fill(offered, services, plugins)
    secrets.offer((stored_secrets, FileSecrets(), EnvironmentSecrets(environment or {})))
    secrets.offer([factory(services) for plugin in plugins for factory in plugin.secret_engines])
    performer = Performer(stage_types=stage_types, services=services, phases=phases, probe=probe)
    stepper = Stepper(
        journal=journal,
        rules=_rules(stage_types, settings),
        prepare_now=performer.prepare_now,
        probe=probe,
        cached=settings.engine.cached_executions,
        is_shared=not servers.is_alone,
        is_pending=shell.is_pending,
        version_of=shell.version_of,
        pace=pace,
    )
    announced = Dependents(definitions=services.definitions, executions=executions).announced
    worker = shell.make(
        ShellParts(
            stepper=stepper,
            performer=performer,
            announcer=Announcer(announced, journal=journal, clock=clock, probe=probe),
            journal=journal,
            clock=clock,
            updates=updates,
            probe=probe,
            servers=servers,
            concurrent=settings.engine.concurrent_tasks,
        )
    )
    executions.connect(worker, stepper)
    return Core(
        worker=worker,
        services=services,
        servers=servers,
        stage_types=stage_types,
        identities=identities,
        stored_secrets=stored_secrets,
        phases=phases,
        refusals=refusals,
        background=(
            Service(name="refusals", run=refusals.run, is_everywhere=True),
            Service(name="buffered-executions", run=buffering.run),
            *(service for plugin in plugins for service in plugin.services),
        ),
    )


def _stored_secrets(
    store: StorePorts, clock: Clock, ids: Ids, *, settings: Settings, data: Path, masker: Masker
) -> StoredSecrets:
    file = settings.store.secret_key_file
    return StoredSecrets(
        documents=store.documents("secrets"),
        keyring=Keyring(Path(file).expanduser() if file else data / "secrets.key", ids.token),
        audit=store.audit,
        clock=clock,
        new_secret=ids.token,
        know=masker.know,
    )


class _Offered:
    """What plugins offer, by name: handed to the services empty, as the factories want the services."""

    def __init__(self) -> None:
        self.clouds: dict[str, CloudProvider] = {}
        self.traffic: dict[str, TrafficProvider] = {}
        self.notifiers: dict[str, Notifier] = {}
        self.metrics: dict[str, MetricSource] = {}
        self.ci: dict[str, CiSystem] = {}
        self.artifacts: dict[str, ArtifactAccount] = {}
        self.api_servers: dict[str, ApiServer] = {}
        self.manifests: dict[str, LiveManifests] = {}


def _fill(offered: _Offered, services: Services, plugins: Sequence[Plugin]) -> None:
    """Makes what the plugins offer. Factories must not use what other factories make, so the order doesn't matter."""
    for plugin in plugins:
        offered.clouds.update((made.name, made) for made in (factory(services) for factory in plugin.clouds))
        offered.traffic.update((made.name, made) for made in (factory(services) for factory in plugin.traffic))
        offered.notifiers.update((made.type, made) for made in (factory(services) for factory in plugin.notifiers))
        offered.metrics.update((made.type, made) for made in (factory(services) for factory in plugin.metrics))
        offered.ci.update((made.name, made) for factory in plugin.ci for made in factory(services))
        offered.artifacts.update((made.name, made) for factory in plugin.artifacts for made in factory(services))
        offered.api_servers.update((made.name, made) for factory in plugin.api_servers for made in factory(services))
        offered.manifests.update((made.name, made) for made in (factory(services) for factory in plugin.manifests))


def _rules(stage_types: Mapping[str, StageType], settings: Settings) -> rules.Rules:
    once = {id(stage): stage for stage in stage_types.values()}  # an alias names the same one again
    return rules.from_stage_types(once.values(), settings)


def _stages(plugin: Plugin, settings: Settings) -> tuple[StageType, ...]:
    return (*plugin.stages, *(plugin.configured_stages(settings) if plugin.configured_stages else ()))


def by_name(stages: Iterable[StageType]) -> Mapping[str, StageType]:
    """Stage types by name and alias; the first of a name wins."""
    found: dict[str, StageType] = {}
    for stage in stages:
        for name in (stage.name, *stage.aliases):
            found.setdefault(name, stage)
    return found
