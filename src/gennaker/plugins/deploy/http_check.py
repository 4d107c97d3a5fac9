"""HTTP Check: asks addresses and compares the answers: a smoke test.

`url` (with or without `paths`), or `address` with `path`/`paths`, or a server group: then all of its instances are asked
directly, past any load balancer. Addresses of known load balancers and instances may be inside the machine; others only
if the setting webhook-hosts allows them. Kept as evidence whatever comes of it.
"""

import asyncio
import hashlib

import msgspec

from gennaker.interfaces import clouds
from gennaker.interfaces.clusters import texts
from gennaker.interfaces.evidence import EvidenceItem
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model import lengths, records, waiting
from gennaker.model.artifact import Plain
from gennaker.model.codec import Json, JsonObject, encode, to_json
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.problems import Problem
from gennaker.plugins.deploy import rollouts, server_groups, targets, traffic_shares
from gennaker.transport import http

_SHOWN_BODY = 200


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    url: str = ""
    address: str = ""
    """`host:port` or `http://host:port`; a deploy stage before this one outputs it."""
    path: str = ""
    paths: tuple[str, ...] = ()
    expected_status: int | tuple[int, ...] = 200
    expected_body: str = ""
    """Text that each answer must hold."""
    headers: dict[str, Plain] = {}  # noqa: RUF012 - msgspec copies it
    attempts: int = 5
    interval_seconds: float = 1
    timeout_seconds: float = 5


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request and what came of it."""

    url: str
    status: int | None = None
    problem: str = ""
    """Empty: as expected."""


async def check(context: TaskContext) -> TaskResult:
    """One round of requests; another one later while attempts are left."""
    spec = records.demanded(_own(context), Spec, of=f"stage {context.stage.name}")
    addresses = await _addresses(context, spec)
    if not addresses:
        return Failed(problem=_nothing_to_ask())
    urls = [url for address in addresses for url in _urls(address, spec)]
    asked = await _round(context.services, spec, urls)
    attempt = _attempts_before(context) + 1
    bad = [one for one in asked if one.problem]
    if bad and attempt < spec.attempts:
        return Again(
            after=lengths.of_seconds(spec.interval_seconds),
            waiting_for=waiting.ForObject(
                reason=f"attempt {attempt + 1} of {spec.attempts}: {bad[0].url} {bad[0].problem}",
                kind="url",
                name=bad[0].url,
                observed=bad[0].problem,
            ),
            memory={"attempts": attempt},
        )
    report = await _keep(context, asked, attempt)
    if bad:
        return Failed(problem=_failed(context, bad, attempt), outputs={"httpCheck": report})
    return Done(outputs={"httpCheck": report})


async def _addresses(context: StageContext, spec: Spec) -> tuple[str, ...]:
    """What is asked: `scheme://host:port` without a path, or the whole URL."""
    if spec.url:
        return (spec.url,)
    own = context.stage.context
    if own.get("serverGroupName"):
        target = await targets.resolve(context)
        group = await targets.group(context, target)
        return tuple(f"http://{one.address}" for one in server_groups.up(group))
    if not spec.address:
        return ()
    return (spec.address if "://" in spec.address else f"http://{spec.address}",)


def _urls(address: str, spec: Spec) -> list[str]:
    paths = spec.paths or ((spec.path,) if spec.path else ())
    if not paths:
        return [address] if spec.url else [f"{address}/healthz"]
    return [f"{address.rstrip('/')}/{path.lstrip('/')}" for path in paths]


async def _round(services: Services, spec: Spec, urls: list[str]) -> list[Asked]:
    limits = http.HttpLimits(
        connect_seconds=spec.timeout_seconds, read_seconds=spec.timeout_seconds, total_seconds=spec.timeout_seconds
    )
    client = http.GuardedClient(allowed=await _allowed(services, urls), limits=limits)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_ask(client, spec, url)) for url in urls]
    finally:
        await client.close()
    return [task.result() for task in tasks]


async def _ask(client: http.GuardedClient, spec: Spec, url: str) -> Asked:
    try:
        answer = await client.request("GET", url, headers=texts(spec.headers))
    except http.HttpFailure as failure:
        return Asked(url=url, problem=str(failure))
    expected = (spec.expected_status,) if isinstance(spec.expected_status, int) else spec.expected_status
    if answer.status not in expected:
        body = answer.body[:_SHOWN_BODY].decode(errors="replace").strip()
        wanted = " or ".join(map(str, expected))
        return Asked(url=url, status=answer.status, problem=f"answered {answer.status} instead of {wanted}: {body}")
    if spec.expected_body and spec.expected_body.encode() not in answer.body:
        return Asked(url=url, status=answer.status, problem=f"answered without {spec.expected_body!r}")
    return Asked(url=url, status=answer.status)


async def _allowed(services: Services, urls: list[str]) -> tuple[str, ...]:
    """Who may be asked although inside: settings, load balancers, and instances of server groups."""
    known = set(services.settings.webhook_hosts)
    for load_balancer in await traffic_shares.everything(services):
        known.add(await traffic_shares.address(services, load_balancer))
    asked = {url.partition("://")[2].partition("/")[0] for url in urls}
    if not asked <= known:
        known |= await _instances(services)
    return tuple(known)


async def _instances(services: Services) -> set[str]:
    applications = {server_groups.application_of(name) for name in await traffic_shares.everything(services)}
    for balanced in (await traffic_shares.everything(services)).values():
        applications |= {member.application for member in balanced.members.values()}
    applications |= {one.location.application for one in await rollouts.unfinished(services)}
    found: set[str] = set()
    for provider in services.clouds.values():
        for application in applications:
            for group in (await clouds.seen(provider, application)).groups:
                found |= {one.address for one in group.instances if one.address}
    return found


async def _keep(context: TaskContext, asked: list[Asked], attempt: int) -> JsonObject:
    requests: list[Json] = [to_json(one) for one in asked]
    bad = sum(1 for one in asked if one.problem)
    report: JsonObject = {"requests": requests, "attempts": attempt, "passed": len(asked) - bad, "failed": bad}
    content = encode(report)
    item = EvidenceItem(
        execution_id=context.execution.head.id,
        stage_id=context.stage.id,
        name=f"{context.stage.name}.http.json",
        kind="http",
        media_type="application/json",
        digest=f"sha256:{hashlib.sha256(content).hexdigest()}",
        size_bytes=len(content),
        at=context.at,
        summary={"tests": len(asked), "passed": len(asked) - bad, "failed": bad, "attempts": attempt},
    )
    await context.services.evidence.put(item, content)
    return report


def _own(context: StageContext) -> JsonObject:
    """The stage's own keys, and the address that a deploy before it gave out."""
    own = context.stage.context
    if own.get("url") or own.get("address") or own.get("serverGroupName"):
        return own
    return {**own, "address": context.lookup("address") or ""}


def _attempts_before(context: TaskContext) -> int:
    attempts = context.task.memory.get("attempts")
    return attempts if isinstance(attempts, int) else 0


def _failed(context: StageContext, bad: list[Asked], attempt: int) -> Problem:
    shown = "; ".join(f"{one.url} {one.problem}" for one in bad[:5])
    more = f"; and {len(bad) - 5} more" if len(bad) > 5 else ""
    return Problem(
        code="http_check.failed",
        message=f"{context.stage.name} failed after {attempt} attempts: {shown}{more}",
        remedy="Mend the version that answers so, or what the check expects.",
    )


def _nothing_to_ask() -> Problem:
    return Problem(
        code="http_check.nothing",
        message="There is nobody to ask: no `url`, no `address`, and no instance of a server group that is up.",
        remedy="Give one of them.",
    )


stage = StageType(
    name="httpCheck",
    label="HTTP Check",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="checkHttp", run=check, stop=rollouts.stop),),
)
