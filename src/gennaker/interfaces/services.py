"""Services: the ports that stages, pollers and providers are given. Put together in app.py only."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from gennaker.interfaces.access import Authoriser
from gennaker.interfaces.api_servers import ApiServers
from gennaker.interfaces.artifacts import ArtifactAccount
from gennaker.interfaces.audit import AuditTrail
from gennaker.interfaces.ci import CiSystem
from gennaker.interfaces.clock import Clock, Ids
from gennaker.interfaces.clouds import CloudProviders
from gennaker.interfaces.definitions import Definitions
from gennaker.interfaces.departures import Departures
from gennaker.interfaces.documents import Documents
from gennaker.interfaces.evidence import Evidence, Logs
from gennaker.interfaces.executions import Executions, Updates
from gennaker.interfaces.intake import Intake
from gennaker.interfaces.lookups import Outside
from gennaker.interfaces.manifests import LiveManifests
from gennaker.interfaces.metrics import MetricSource
from gennaker.interfaces.notifiers import Notifier
from gennaker.interfaces.pipelines import PipelineChecks
from gennaker.interfaces.pools import Silences
from gennaker.interfaces.registry import ImageRegistry
from gennaker.interfaces.secrets import Secrets
from gennaker.interfaces.traffic import TrafficProviders
from gennaker.settings import Settings


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that work outside the pure rooms may use."""

    clock: Clock
    ids: Ids
    settings: Settings
    data: Path
    """The data folder."""
    documents: Callable[[str], Documents]
    """By namespace."""
    authoriser: Authoriser
    secrets: Secrets
    executions: Executions
    intake: Intake
    definitions: Definitions
    checks: PipelineChecks
    evidence: Evidence
    logs: Logs
    audit: AuditTrail
    updates: Updates
    clouds: CloudProviders
    traffic: TrafficProviders
    registries: Mapping[str, ImageRegistry]
    """By docker-registry account name."""
    notifiers: Mapping[str, Notifier]
    """By notification type."""
    metrics: Mapping[str, MetricSource]
    """By query type."""
    ci: Mapping[str, CiSystem] = {}
    """By the name that pipelines write as `master`."""
    artifacts: Mapping[str, ArtifactAccount] = {}
    """By the name that artifacts write as `artifactAccount`."""
    api_servers: ApiServers = {}
    """Kubernetes' API servers by account."""
    manifests: Mapping[str, LiveManifests] = {}
    """By cloud provider."""
    outside: Outside | None = None
    """Answers what functions of expressions ask; None: nobody can be asked."""
    silences: Silences = msgspec.field(default_factory=Silences)
    departures: Departures = msgspec.field(default_factory=Departures)
