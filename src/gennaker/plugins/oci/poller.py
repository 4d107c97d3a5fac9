"""The docker-registry poller: new tags of the known registries become events.

An account that is indexed for the first time starts nothing; a new repository or tag of a known account does. What was
seen is kept in Documents, written only after everything that it starts is durable: killed in between, the same events
are given again, and the intake starts nothing twice because their ids say what they are about and how often the tag was
moved before.

The images of tags that are already known are asked for only every `_DIGEST_ROUND` polls: a tag that is moved to another
image is noticed a little later than a new tag.
"""

import asyncio
import itertools

import structlog

from gennaker.interfaces.documents import Document, Documents
from gennaker.interfaces.executions import Update
from gennaker.interfaces.intake import OutsideEvent
from gennaker.interfaces.plugins import Service
from gennaker.interfaces.registry import ImageRegistry
from gennaker.interfaces.services import Services
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.triggers import registry_tags

log = structlog.get_logger()

_NAMESPACE = "docker.tags"
_DIGEST_ROUND = 30


async def poll_forever(services: Services) -> None:
    """Polls every account again and again, each by itself: one that doesn't answer for minutes doesn't hold up the others."""
    async with asyncio.TaskGroup() as group:
        for account, registry in services.registries.items():
            group.create_task(_poll_again(services, account, registry), name=f"docker-poller:{account}")


async def _poll_again(services: Services, account: str, registry: ImageRegistry) -> None:
    known_problem = ""
    for round_number in itertools.count():
        problem = ""
        try:
            await poll(services, account, registry, asks_digests=round_number % _DIGEST_ROUND == 0)
        except Refused as refused:
            problem = str(refused)
        if problem != known_problem:
            log.warning("registry.answers" if not problem else "registry.refuses", account=account, why=problem)
        known_problem = problem
        await asyncio.sleep(services.settings.registry.poll_seconds)


async def poll(services: Services, account: str, registry: ImageRegistry, *, asks_digests: bool = True) -> int:
    """One poll of one account; returns how many executions were started.

    Raises Refused if the registry refuses anything, after all that it didn't refuse was looked at.
    """
    documents = services.documents(_NAMESPACE)
    is_first = await documents.get(account) is None
    started = 0
    refusal: Refused | None = None
    for repository in await registry.repositories():
        try:
            started += await _poll_repository(
                services, documents, account, repository, is_first=is_first, asks_digests=asks_digests
            )
        except Refused as refused:
            refusal = refused
    if refusal is not None:
        raise refusal
    if is_first:
        # Written last: an index that was cut off is made again, still without starting anything.
        await documents.put(account, {"indexedAt": services.clock.now().isoformat()})
    return started


async def _poll_repository(
    services: Services, documents: Documents, account: str, repository: str, *, is_first: bool, asks_digests: bool
) -> int:
    registry = services.registries[account]
    key = f"{account}/{repository}"
    before = await documents.get(key)
    known = _known(before)
    tags = await registry.tags(repository)
    found: dict[str, str | None] = {}
    for tag in tags:
        if tag not in known or asks_digests:
            digest = await registry.resolve(repository, tag)
            if digest is not None:  # else it was deleted since it was listed
                found[tag] = digest
    change = registry_tags.delta(known, found, tracks_digests=True, moves=_moves(before))
    if change.remembered == known:
        return 0
    started = 0
    if not is_first:
        for tag in change.events:
            identity = registry_tags.event_id(
                account, repository, tag, digest=found[tag], moves=change.moves.get(tag, 0)
            )
            event = _event(services, account, repository, tag=tag, digest=found[tag], event_id=identity)
            started += len(await services.intake.take(event))
            services.updates.publish(Update(topic="image", id=f"{repository}:{tag}"))
    body: JsonObject = {"tags": dict(change.remembered), "moves": dict(change.moves)}
    await documents.put(key, body, if_version=before.version if before else 0)
    return started


def _known(document: Document | None) -> dict[str, str | None]:
    tags = document.body.get("tags") if document else None
    if not isinstance(tags, dict):
        return {}
    return {tag: digest if isinstance(digest, str) else None for tag, digest in tags.items()}


def _moves(document: Document | None) -> dict[str, int]:
    moves = document.body.get("moves") if document else None
    if not isinstance(moves, dict):
        return {}
    return {tag: number for tag, number in moves.items() if isinstance(number, int)}


def _event(
    services: Services, account: str, repository: str, *, tag: str, digest: str | None, event_id: str
) -> OutsideEvent:
    host = services.registries[account].host
    name = f"{host}/{repository}"
    content: JsonObject = {
        "account": account,
        "registry": host,
        "repository": repository,
        "tag": tag,
        "digest": digest,
        "pinned": f"{name}@{digest}" if digest else "",
    }
    return OutsideEvent(
        type="docker",
        source="gennaker",
        content=content,
        event_id=event_id,
        at=services.clock.now(),
    )


service = Service(name="docker-poller", run=poll_forever)
