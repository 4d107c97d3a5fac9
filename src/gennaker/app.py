"""The only place where parts are put together: store, plugins, worker and web over one data folder.

Reached from the command line (`gennaker serve`) and from tests. Everything that can be wrong before work begins (another
server on the folder, a port in use, a broken database, an address that isn't loopback) is refused with a sentence.
"""

import asyncio
import contextlib
import gc
import ipaddress
import os
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path

import msgspec
import structlog
import uvicorn

from gennaker.engine import rules as engine_rules
from gennaker.interfaces.clouds import CloudProvider
from gennaker.interfaces.metrics import MetricSource
from gennaker.interfaces.notifiers import Notifier
from gennaker.interfaces.plugins import Plugin, Service
from gennaker.interfaces.probes import Probe
from gennaker.interfaces.registry import ImageRegistry
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageType
from gennaker.interfaces.traffic import TrafficProvider
from gennaker.model.problems import Problem, Refused
from gennaker.settings import ServerFile, Settings
from gennaker.store import audit as store_audit
from gennaker.store.database import Database
from gennaker.transport import reporting
from gennaker.transport.folder import DataFolder
from gennaker.web import application as web_application
from gennaker.web import registry as web_registry
from gennaker.worker import services as worker_services
from gennaker.worker.clock import SystemClock, SystemIds
from gennaker.worker.executions import LocalExecutions
from gennaker.worker.intake import LocalIntake
from gennaker.worker.loop import Worker
from gennaker.worker.performing import Performer
from gennaker.worker.probes import KillingProbe, SilentProbe
from gennaker.worker.stepping import Stepper
from gennaker.worker.updates import LocalUpdates

log = structlog.get_logger()

_GRACE_SECONDS = 5.0
"""How long open requests may finish when the server stops."""


def serve(settings: Settings, data: Path, environment: Mapping[str, str]) -> int:
    """Runs a server until SIGTERM or SIGINT; returns the exit status."""
    reporting.configure(is_terminal=os.isatty(2))
    check_hosts(settings)
    folder = DataFolder(data)
    try:
        asyncio.run(_serve(settings, folder, _probe(environment)))
    except* Refused as refused:
        raise refused.exceptions[0] from None
    finally:
        folder.close()
    return 0


def check_hosts(settings: Settings) -> None:
    """Refuses to listen anywhere but on loopback: nobody signs in yet."""
    try:
        is_loopback = ipaddress.ip_address(settings.server.host).is_loopback
    except ValueError:
        is_loopback = settings.server.host == "localhost"
    if not is_loopback:
        raise Refused(
            Problem(
                code="server.not_loopback",
                message=f"Gennaker would listen on {settings.server.host}, where anyone could use it without signing in.",
                remedy="Set server.host to 127.0.0.1; put a proxy that signs people in before it.",
            )
        )


async def _serve(settings: Settings, folder: DataFolder, probe: Probe) -> None:
    async with Assembly.of(settings, folder, probe) as assembly:
        await assembly.run()
