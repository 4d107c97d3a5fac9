"""Plugins: what one folder of plugins/ offers, as one value. Registered by an entry point of `gennaker.plugins`."""

from collections.abc import Awaitable, Callable

import msgspec

from gennaker.interfaces.api_servers import ApiServer
from gennaker.interfaces.artifacts import ArtifactAccount
from gennaker.interfaces.ci import CiSystem
from gennaker.interfaces.clouds import CloudProvider
from gennaker.interfaces.manifests import LiveManifests
from gennaker.interfaces.metrics import MetricSource
from gennaker.interfaces.notifiers import Notifier
from gennaker.interfaces.secrets import SecretEngine
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageType
from gennaker.interfaces.traffic import TrafficProvider
from gennaker.settings import Settings


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """Something that runs as long as the server: a poller, a scraper, a sweep."""

    name: str
    run: Callable[[Services], Awaitable[None]]
    """Runs until cancelled. If it raises, the worker logs it and starts it again after a growing pause; what it must
    not lose it keeps in Documents."""
    is_everywhere: bool = False
    """Every server runs it, because it tends what is in that server's memory; else one of those that share a store does."""


class Plugin(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin offers. Factories get the services; they must not use those that other factories make."""

    name: str
    stages: tuple[StageType, ...] = ()
    configured_stages: Callable[[Settings], tuple[StageType, ...]] | None = None
    """Stage types that exist only by settings."""
    clouds: tuple[Callable[[Services], CloudProvider], ...] = ()
    traffic: tuple[Callable[[Services], TrafficProvider], ...] = ()
    notifiers: tuple[Callable[[Services], Notifier], ...] = ()
    ci: tuple[Callable[[Services], tuple[CiSystem, ...]], ...] = ()
    """As many as the settings name."""
    artifacts: tuple[Callable[[Services], tuple[ArtifactAccount, ...]], ...] = ()
    """As many as the settings name."""
    api_servers: tuple[Callable[[Services], tuple[ApiServer, ...]], ...] = ()
    """As many as the settings name."""
    manifests: tuple[Callable[[Services], LiveManifests], ...] = ()
    metrics: tuple[Callable[[Services], MetricSource], ...] = ()
    secret_engines: tuple[Callable[[Services], SecretEngine], ...] = ()
    """Only the settings may refer to their secrets."""
    services: tuple[Service, ...] = ()
