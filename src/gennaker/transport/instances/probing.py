"""Probing: asks instances over HTTP whether they can serve, and remembers what they said."""

import asyncio

import httpx2
import msgspec

from gennaker.interfaces.clouds import Health, HealthProbe, HealthSource, Instance
from gennaker.transport.instances.records import GroupRecord, InstanceRecord, instance_id
from gennaker.transport.instances.settling import CRASH_LOOP, Seen
from gennaker.transport.processes import ProcessState, ProcessStatus

_EAGER_SECONDS = 0.1
"""Between probes of an instance that hasn't been up yet."""
_STABLE_SECONDS = 30.0
_SHOWN_LOG_LINES = 5
PROBE = "Probe"
"""Type of what probes say of an instance's health."""

AttemptKey = tuple[str, int, int]
"""Server group, instance number, attempt."""


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """What the probes of one attempt have shown so far."""

    is_up: bool = False
    up_since: float | None = None
    """Loop time."""
    failures: int = 0
    """In a row."""
    has_answered: bool = False
    """It answered at least once, if only with an error."""
    has_been_up: bool = False
    reason: str = "it has not been asked yet"
    next_at: float = 0.0
    """Loop time of the next probe."""


class Prober:
    """The probes of all instances of this process's provider."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        """Nothing is known; the first probe of an instance decides. `host`: where they all are."""
        self._host = host
        self._probed: dict[AttemptKey, Probed] = {}
        self._under_way: dict[AttemptKey, asyncio.Event] = {}

    def known(self, key: AttemptKey) -> Probed | None:
        """What was found out; None: it was never asked."""
        return self._probed.get(key)

    def seen(self, key: AttemptKey, status: ProcessStatus | None) -> Seen:
        """For settling."""
        state = status.state if status else None
        probed = self._probed.get(key, Probed())
        now = asyncio.get_running_loop().time()
        return Seen(
            state=state,
            is_healthy=state is ProcessState.RUNNING and probed.is_up,
            has_been_up=probed.has_been_up,
            is_stable=probed.up_since is not None and now - probed.up_since >= _STABLE_SECONDS,
            ending=_ending(status) if status is not None and status.is_final else "",
        )

    def forget(self, keep: frozenset[AttemptKey]) -> None:
        """Drops what is known about all others."""
        self._probed = {key: probed for key, probed in self._probed.items() if key in keep}

    def is_due(self, key: AttemptKey) -> bool:
        """Whether it is time to ask again."""
        if key in self._under_way:
            return False
        probed = self._probed.get(key)
        return probed is None or probed.next_at <= asyncio.get_running_loop().time()

    async def ask(self, key: AttemptKey, port: int, probe: HealthProbe) -> None:
        """One probe; if one is under way already, its end."""
        if key in self._under_way:
            # After a restart whoever wants to know needs the answer: "not asked yet" would look like "not up".
            await self._under_way[key].wait()
            return
        self._under_way[key] = asyncio.Event()
        try:
            status, reason = await _answer(self._host, port, probe)
            self._probed[key] = _after(
                self._probed.get(key, Probed()), status, reason, probe=probe, now=asyncio.get_running_loop().time()
            )
        finally:
            self._under_way.pop(key).set()


def instance(  # noqa: PLR0913 - given by name, in one place
    record: GroupRecord,
    one: InstanceRecord,
    *,
    status: ProcessStatus | None,
    probed: Probed | None,
    log: str,
    host: str = "127.0.0.1",
    is_taken_over: bool = False,
) -> Instance:
    """The instance as the port shows it. `log`: the end of the last attempt's output; `host`: where it listens.

    `is_taken_over`: an earlier server has started it, so it may have been up before anybody here has asked.
    """
    known = probed or Probed()
    health, reason = _health(record, one, status=status, probed=known)
    if health is Health.STARTING and is_taken_over and _is_running(status) and not _is_told(record, known):
        health = Health.UNKNOWN
    is_told = bool(log.strip()) and reason.endswith(f"could not be started: {log.strip()}")
    if health in (Health.FAILED, Health.DOWN) and not is_told:
        reason = f"{reason}; {_output(log)}"
    return Instance(
        id=instance_id(record.name, one.number),
        address=f"{host}:{one.port}",
        health=health,
        health_reason=reason,
        launched_at=one.launched_at,
        restarts=one.attempt,
    )


def sources(
    provider: str, record: GroupRecord, one: InstanceRecord, *, status: ProcessStatus | None, probed: Probed | None
) -> tuple[HealthSource, ...]:
    """The provider says whether its process runs, which isn't yet that it can serve; the probe whether it can."""
    known = probed or Probed()
    is_running = _is_running(status)
    if one.is_leaving:
        said = Health.DRAINING
    elif one.crashes >= CRASH_LOOP and not (is_running and known.is_up):
        said = Health.FAILED
    elif status is not None and (status.is_final or (is_running and status.complaint)):
        said = Health.DOWN
    else:
        said = Health.UNKNOWN if is_running else Health.STARTING
    platform = HealthSource(type=provider, state=said, is_platform=True)
    probe = HealthSource(type=PROBE, state=_probed(record, known), reason=known.reason)
    return (platform, probe) if is_running else (platform,)


def unknown(record: GroupRecord, one: InstanceRecord, *, host: str, why: str) -> Instance:
    """The instance while nobody can say how it is."""
    return Instance(
        id=instance_id(record.name, one.number),
        address=f"{host}:{one.port}",
        health=Health.UNKNOWN,
        health_reason=why,
        launched_at=one.launched_at,
        restarts=one.attempt,
    )


def _health(
    record: GroupRecord, one: InstanceRecord, *, status: ProcessStatus | None, probed: Probed
) -> tuple[Health, str]:
    if one.is_leaving:
        return Health.DRAINING, "it finishes its requests and stops"
    is_running = _is_running(status)
    if is_running and status is not None and status.complaint:
        return Health.DOWN, status.complaint
    if is_running and probed.is_up:
        return (Health.OUT_OF_SERVICE, "removed from traffic") if record.is_disabled else (Health.UP, "")
    if one.crashes >= CRASH_LOOP:
        return Health.FAILED, f"it crashed {one.crashes} times in a row" + (one.ended and f", at last {one.ended}")
    if status is not None and status.is_final:
        return Health.DOWN, _ending(status)
    if is_running:
        return _probed(record, probed), probed.reason
    return Health.STARTING, "its process is being started"


def _probed(record: GroupRecord, probed: Probed) -> Health:
    if probed.is_up:
        return Health.UP
    is_given_up = probed.failures >= record.new.probe.failures_until_down
    return Health.DOWN if is_given_up and (probed.has_been_up or probed.has_answered) else Health.STARTING


def _is_running(status: ProcessStatus | None) -> bool:
    return status is not None and status.state is ProcessState.RUNNING


def _is_told(record: GroupRecord, probed: Probed) -> bool:
    """Whether the probes have been heard often enough to say that it isn't up."""
    return probed.has_been_up or probed.failures >= record.new.probe.failures_until_down


def _ending(status: ProcessStatus) -> str:
    return f"its process {status.ending}" + (f": {status.complaint}" if status.complaint else "")


def _after(before: Probed, status: int | None, reason: str, *, probe: HealthProbe, now: float) -> Probed:
    if not reason:
        return Probed(
            is_up=True,
            up_since=before.up_since if before.is_up else now,
            has_answered=True,
            has_been_up=True,
            reason="",
            next_at=now + probe.interval.total_seconds(),
        )
    failures = before.failures + 1
    is_up = before.is_up and failures < probe.failures_until_down
    pause = probe.interval.total_seconds()
    return Probed(
        is_up=is_up,
        up_since=before.up_since if is_up else None,
        failures=failures,
        has_answered=before.has_answered or status is not None,
        has_been_up=before.has_been_up,
        reason=reason,
        next_at=now + (pause if before.has_been_up else min(_EAGER_SECONDS, pause)),
    )


async def _answer(host: str, port: int, probe: HealthProbe) -> tuple[int | None, str]:
    """Status and what is wrong; empty: it can serve."""
    url = f"http://{host}:{port}{probe.path}"
    seconds = probe.timeout.total_seconds()
    try:
        # Proxies and certificates of the environment have no part in a conversation with an instance.
        async with (
            asyncio.timeout(seconds),
            httpx2.AsyncClient(trust_env=False, verify=False, timeout=seconds) as client,
            client.stream("GET", url, headers={"connection": "close"}) as response,
        ):
            if response.is_success:
                return response.status_code, ""
            return response.status_code, f"{probe.path} answers {response.status_code}"
    except (httpx2.ConnectError, httpx2.ConnectTimeout):
        return None, f"nothing listens on port {port} yet"
    except (TimeoutError, httpx2.TransportError) as error:
        return None, f"{probe.path} gives no answer within {seconds:g} s ({type(error).__name__})"


def _output(log: str) -> str:
    lines = log.strip("\n").splitlines()[-_SHOWN_LOG_LINES:]
    return "\n".join(("its last output:", *lines)) if log.strip() else "it has written nothing"
