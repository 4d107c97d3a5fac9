"""The shell: Temporal drives the executions, this server's worker does what it asks for."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from importlib.metadata import version

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.converter import DataConverter
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, WorkerDeploymentConfig
from temporalio.worker import Worker as TemporalWorker

from gennaker.interfaces.inspection import Workforce
from gennaker.interfaces.journal import OwnedElsewhere
from gennaker.interfaces.shells import ShellStore
from gennaker.model.audit import AuditEntry
from gennaker.model.effect import PendingEffect
from gennaker.model.event import Event
from gennaker.model.problems import Problem, Refused
from gennaker.settings import Settings, TemporalSettings
from gennaker.worker.core import ShellChoice, ShellType
from gennaker.worker.shells import Result, ShellParts
from gennaker.worker.stepping import Applied
from gennaker.worker.temporal.activities import CANCELS_WITHIN, Activities
from gennaker.worker.temporal.journal import HandingJournal
from gennaker.worker.temporal.messages import JsonPayloads
from gennaker.worker.temporal.relay import Relay
from gennaker.worker.temporal.workflow import ExecutionWorkflow

_CONNECTS_WITHIN = timedelta(seconds=10)
_SETTLES_SECONDS = 0.1
"""A process that ends at once after the client's threads have reported would be aborted: they still hold the interpreter."""


class TemporalShell:
    """One server's part in it."""

    def __init__(self, parts: ShellParts, *, client: Client, settings: Settings, store: ShellStore) -> None:
        """Nothing runs yet. After `store.lease-seconds` without a sign of life another server takes an activity over."""
        task_queue = settings.temporal.task_queue
        self._parts = parts
        self._store = store
        self._name = client.identity
        self._relay = Relay(
            client,
            task_queue=task_queue,
            store=store,
            servers=parts.servers,
            heartbeat_seconds=settings.store.lease_seconds,
        )
        self._activities = Activities(parts, store, name=self._name, nudge=self._relay.nudge)
        self._worker = TemporalWorker(
            client,
            task_queue=task_queue,
            workflows=[ExecutionWorkflow],
            activities=[self._activities.look, self._activities.step, self._activities.perform],
            # The sandbox imports everything anew for each workflow, on the loop. This one imports nothing that could be unsafe.
            workflow_runner=UnsandboxedWorkflowRunner(),
            # Only a name: without one the client reads the code of all loaded modules to make one up.
            deployment_config=WorkerDeploymentConfig(
                version=WorkerDeploymentVersion(deployment_name="gennaker", build_id=version("gennaker")),
                use_worker_versioning=False,
            ),
            max_concurrent_activities=parts.concurrent,
            max_heartbeat_throttle_interval=CANCELS_WITHIN,
        )
        self._runs = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """What is unfinished is Temporal's: there is nothing to take up first."""
        return self._runs.is_set()

    async def ready(self) -> None:
        """Returns when the worker runs."""
        await self._runs.wait()

    async def run(self) -> None:
        """Works for Temporal until cancelled. Raises StoreUnusable."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._parts.servers.keep())
            group.create_task(self._relay.run())
            group.create_task(self._worker.run())
            self._runs.set()
            raise await self._activities.unusable

    async def apply(
        self, execution_id: str, event: Event, *, done_key: str = "", audit: tuple[AuditEntry, ...] = ()
    ) -> Applied:
        """Only the execution's workflow does: raises OwnedElsewhere, or Refused(404)."""
        if await self._store.version(execution_id) is None:
            raise Refused(
                Problem(code="execution.unknown", message=f"There is no execution {execution_id}."), status=404
            )
        raise OwnedElsewhere(execution_id)

    async def to_the_end(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """What is committed halfway is in the outbox, where the relay finds it."""
        return await work()

    def take(self, effects: Iterable[PendingEffect], dropped: Iterable[str] = ()) -> None:
        """They are in the outbox."""
        self._relay.nudge()

    def workforce(self) -> Workforce:
        """What this server performs; the others' are known by their lease."""
        return Workforce(
            name=self._name,
            is_ready=self.is_ready,
            at_work=dict(self._activities.at_work),
            hands=self._parts.concurrent,
        )


async def connect(settings: Settings, *, server: str) -> ShellChoice:
    """The shell over a client that is connected; `server` names this one. Raises Refused where there is no Temporal."""
    client = await _client(settings.temporal, identity=server)

    def of_store(store: ShellStore | None) -> ShellType:
        assert store is not None, "it was opened for this shell's lease"

        async def is_pending(key: str) -> bool:
            return await store.find(key) is not None

        return ShellType(
            make=lambda parts: TemporalShell(parts, client=client, settings=settings, store=store),
            journal=HandingJournal,
            is_pending=is_pending,
            version_of=store.version,
        )

    return ShellChoice(lease=f"temporal:{settings.temporal.namespace}/{settings.temporal.task_queue}", type=of_store)


async def _client(settings: TemporalSettings, *, identity: str) -> Client:
    try:
        async with asyncio.timeout(_CONNECTS_WITHIN.total_seconds()):
            await _probe(settings.address)
            client = await Client.connect(
                settings.address,
                namespace=settings.namespace,
                identity=identity,
                data_converter=DataConverter(payload_converter_class=JsonPayloads),
            )
            namespace = DescribeNamespaceRequest(namespace=settings.namespace)
            await client.workflow_service.describe_namespace(namespace)
    except RPCError as error:
        await asyncio.sleep(_SETTLES_SECONDS)
        if error.status is RPCStatusCode.NOT_FOUND:
            raise Refused(_no_namespace(settings)) from error
        raise Refused(_unreachable(settings, error.message)) from error
    except (OSError, RuntimeError, ValueError) as error:
        await asyncio.sleep(_SETTLES_SECONDS)
        raise Refused(_unreachable(settings, _said(error))) from error
    return client


async def _probe(address: str) -> None:
    """Whether anybody listens there: what the system says is what a person understands."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError("it is not of the form host:port")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.close()
    await writer.wait_closed()


def _said(error: OSError | RuntimeError | ValueError) -> str:
    if isinstance(error, TimeoutError):
        return f"it hasn't answered within {_CONNECTS_WITHIN.total_seconds():.0f} seconds"
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror or error)
    found = re.search(r'message: "([^"]*)"', str(error))  # the client says what its own client has said, in Rust
    return f"what answers there is no Temporal ({found[1]})" if found else " ".join(str(error).split())


def _unreachable(settings: TemporalSettings, said: str) -> Problem:
    return Problem(
        code="temporal.unreachable",
        message=f"Temporal at {settings.address} can't be reached: {said.rstrip('.')}.",
        remedy="See that it runs and that temporal.address is right, then start Gennaker again.",
    )


def _no_namespace(settings: TemporalSettings) -> Problem:
    return Problem(
        code="temporal.namespace",
        message=f"Temporal at {settings.address} has no namespace {settings.namespace!r}.",
        remedy=f"Make it (temporal operator namespace create --namespace {settings.namespace}), or set temporal.namespace.",
    )
