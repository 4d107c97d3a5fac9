"""Traffic shares: the one place that knows and changes which server group gets how much of a load balancer.

Theory of operation. What is desired lies in Documents `deploy.traffic`, one document a load balancer: its members with
weights (`shares.py`). A change is a pure function over the members, written with the version that was read, so that of
two executions the later one sees what the earlier one did. Only then is it brought about: addresses of the instances
that are up are looked up and everything is handed to the traffic provider in one `set_weights`. If the document was
changed meanwhile, that is done again with the newer one. What is cut off in between, and instances that die or move to
another port, are brought about by the traffic keeper, which runs as long as the server.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping

import msgspec
from msgspec.structs import replace

from gennaker.interfaces import clouds, pools, traffic
from gennaker.interfaces.clouds import Health, Place, ServerGroup
from gennaker.interfaces.documents import Document, VersionMismatch
from gennaker.interfaces.executions import Update
from gennaker.interfaces.pools import Pool, Pools
from gennaker.interfaces.routes import Routes
from gennaker.interfaces.services import Services
from gennaker.interfaces.traffic import Share, TrafficProvider
from gennaker.model.codec import JsonObject, to_json
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.deploy import server_groups, shares
from gennaker.plugins.deploy.server_groups import Location
from gennaker.plugins.deploy.shares import Member
from gennaker.traffic_settings import TrafficSettings
from gennaker.transport import pools_asked

_NAMESPACE = "deploy.traffic"
_ATTEMPTS = 20
_USUAL = TrafficSettings().provider
Change = Callable[[shares.Members], shares.Members]


class Balanced(msgspec.Struct, frozen=True, kw_only=True):
    """What is desired of one load balancer."""

    provider: str
    members: dict[str, Member] = {}
    """By key of the server group."""


async def ensure(services: Services, load_balancer: str, account: str = "", *, address: str = "") -> str:
    """Makes sure that the load balancer exists and is known here; returns its address.

    `account`: who deploys behind it; decides who provides one that is new. `address`: where it is to listen if it isn't there yet.
    """
    documents = services.documents(_NAMESPACE)
    document = await documents.get(load_balancer)
    name = _read(document).provider if document else _provider_of(services, load_balancer, account)
    provider = _provider(services, name)
    is_set = (
        load_balancer in services.settings.load_balancers and services.settings.load_balancers[load_balancer].address
    )
    there = await provider.describe(load_balancer) if address else None
    found = await provider.ensure(load_balancer, None if is_set or there else address or None)
    if document is None:
        try:
            await documents.put(load_balancer, _body(Balanced(provider=name)), if_version=0)
        except VersionMismatch:
            return found.address  # Somebody else has just written the same.
    return found.address


async def refuse_routes(services: Services, load_balancer: str, routes: Routes, *, is_replacing: bool) -> None:
    """Raises Refused where the load balancer, which is known, can't do what these routes need, or others have them.

    `is_replacing`: whoever has them may be what is replaced.
    """
    known = await desired(services, load_balancer)
    if known is None or not routes.needs:
        return
    others = [] if is_replacing else [one.routes for one in known.members.values()]
    await _provider(services, known.provider).check_routes(load_balancer, [*others, routes])
    if not is_replacing:
        try:
            shares.refuse_taken(known.members, routes)
        except shares.RouteTaken as error:
            raise Refused(_route_taken(load_balancer, error), status=409) from error


async def desired(services: Services, load_balancer: str) -> Balanced | None:
    """What is desired now; None: nobody has used the load balancer yet."""
    document = await services.documents(_NAMESPACE).get(load_balancer)
    return _read(document) if document else None


async def everything(services: Services) -> dict[str, Balanced]:
    """What is desired of all load balancers, by name."""
    return {one.key: _read(one) for one in await services.documents(_NAMESPACE).list()}


async def of_group(services: Services, place: Place, name: str) -> dict[str, Member]:
    """How a server group takes part, by load balancer."""
    key = traffic.key(place, name)
    return {lb: one.members[key] for lb, one in (await everything(services)).items() if key in one.members}


async def change(services: Services, load_balancer: str, change: Change) -> None:
    """Changes the desired shares and brings them about. The function may be called more than once."""
    documents = services.documents(_NAMESPACE)
    for _ in range(_ATTEMPTS):
        document = await documents.get(load_balancer)
        if document is None:
            await ensure(services, load_balancer)
            continue
        before = _read(document)
        try:
            after = Balanced(provider=before.provider, members=dict(change(before.members)))
        except shares.TooMuch as error:
            raise Refused(_too_much(load_balancer, error)) from error
        except shares.RouteTaken as error:
            raise Refused(_route_taken(load_balancer, error), status=409) from error
        if after != before:
            try:
                await documents.put(load_balancer, _body(after), if_version=document.version)
            except VersionMismatch:
                continue
            weights: JsonObject = dict(shares.weights(after.members))
            services.updates.publish(Update(topic="traffic", id=load_balancer, body={"weights": weights}))
        await bring_about(services, load_balancer)
        return
    raise Refused(_busy(load_balancer), status=409)


def with_members(names: Iterable[str], location: Location) -> Change:
    """A change that makes server groups known to a load balancer, without traffic."""
    fresh = Member(
        application=location.application,
        account=location.account,
        region=location.region,
        cloud_provider=location.cloud_provider,
    )
    keys = [traffic.key(location.place, name) for name in names]
    return lambda members: {**dict.fromkeys(keys, fresh), **members}


async def limit(services: Services, place: Place, name: str, instances: int | None) -> None:
    """Only so many instances of the server group, the oldest, get requests; None: all of them."""
    key = traffic.key(place, name)
    for load_balancer, member in (await of_group(services, place, name)).items():
        if member.limit == instances:
            continue

        def limited(members: shares.Members) -> shares.Members:
            return {other: replace(one, limit=instances) if other == key else one for other, one in members.items()}

        await change(services, load_balancer, limited)


async def forget(services: Services, place: Place, name: str) -> None:
    """Takes a server group out of all load balancers."""
    key = traffic.key(place, name)

    def without(members: shares.Members) -> shares.Members:
        return {other: one for other, one in members.items() if other != key}

    for load_balancer in await of_group(services, place, name):
        await change(services, load_balancer, without)


async def bring_about(services: Services, load_balancer: str) -> None:
    """Hands what is desired to the provider, unless it is so already; again while somebody changes it."""
    documents = services.documents(_NAMESPACE)
    for _ in range(_ATTEMPTS):
        document = await documents.get(load_balancer)
        if document is None:
            return
        balanced = _read(document)
        provider = _provider(services, balanced.provider)
        now = await provider.describe(load_balancer) or await provider.ensure(load_balancer)
        wanted = await _shares(services, balanced, now.shares)
        if not await _is_newest(services, document):
            continue
        if wanted != now.shares or not now.is_in_force:
            await provider.set_weights(load_balancer, wanted)
        if await _is_newest(services, document):
            return
    raise Refused(_busy(load_balancer), status=409)


async def in_flight(services: Services, group: ServerGroup, *, beyond: int = 0) -> int | None:
    """Requests under way at a server group's instances, through all load balancers it takes part in; None: it can't be told.

    `beyond`: without the oldest so many that are up, which stay in traffic.
    """
    staying = {one.address for one in server_groups.up(group)[:beyond]}
    addresses = {one.address for one in group.instances if one.address} - staying
    found = 0
    balanced, key = await everything(services), traffic.key(group.place, group.name)
    for load_balancer in {*group.load_balancers, *(lb for lb, one in balanced.items() if key in one.members)}:
        if load_balancer in balanced:
            provider = _provider(services, balanced[load_balancer].provider)
            under_way = await provider.in_flight(load_balancer)
            counts = [count for address, count in under_way.items() if address in addresses]
            if None in counts:
                return None
            found += sum(count for count in counts if count)
    return found


async def pools_of(services: Services, group: ServerGroup) -> Pools:
    """The pools of all load balancers by which a server group is to get requests, of those that answer soon."""
    taking = [name for name, one in (await of_group(services, group.place, group.name)).items() if one.takes_traffic]
    known = await everything(services) if taking else {}

    async def asked(name: str) -> Pool | None:
        return await pools.find(_provider(services, known[name].provider), name) if name in known else None

    found = await asyncio.gather(*(pools_asked.or_silence(services.silences, name, asked(name)) for name in taking))
    return {name: pool for name, pool in zip(taking, found, strict=True) if pool is not None}


async def address(services: Services, load_balancer: str) -> str:
    """`host:port` at which clients reach the load balancer, or nothing."""
    known = await desired(services, load_balancer)
    found = await _provider(services, known.provider).describe(load_balancer) if known else None
    return found.address if found else ""


async def _shares(services: Services, balanced: Balanced, now: Mapping[str, Share]) -> dict[str, Share]:
    weights = shares.weights(balanced.members)
    places = {(one.cloud_provider, one.application, one.account) for one in balanced.members.values()}
    described = {
        place: await clouds.of_account(server_groups.provider(services, place[0]), *place[1:]) for place in places
    }
    found: dict[str, Share] = {}
    for key, member in balanced.members.items():
        groups = described[member.cloud_provider, member.application, member.account]
        group = next((one for one in groups if traffic.key(one.place, one.name) == key), None)
        addresses = _addresses(group, member, now.get(key)) if group else ()
        found[key] = Share(weight=weights[key], addresses=addresses, routes=member.routes)
    return found


def _addresses(group: ServerGroup, member: Member, now: Share | None) -> tuple[str, ...]:
    """Addresses of instances that are up, and of those that have just served and of which nobody can say how they are.

    Where there are none, those that have just served and are only said to be down: a late health check must not make an
    answering instance a 503.
    """
    up = frozenset(one.id for one in server_groups.up(group))
    served = frozenset(now.addresses if now is not None else ())
    found = tuple(
        one.address
        for one in group.instances
        if one.address and (one.id in up or (one.health is Health.UNKNOWN and one.address in served))
    )
    if not found:
        found = tuple(
            one.address
            for one in group.instances
            if one.address and one.health is Health.DOWN and one.address in served
        )
    return found if member.limit is None else found[: member.limit]


async def _is_newest(services: Services, document: Document) -> bool:
    again = await services.documents(_NAMESPACE).get(document.key)
    return again is not None and again.version == document.version


def _provider_of(services: Services, load_balancer: str, account: str) -> str:
    configured = services.settings.load_balancers.get(load_balancer)
    if configured is not None:
        return configured.provider
    wish = services.settings.traffic
    if account in wish.accounts:
        return wish.accounts[account]
    if wish.provider != _USUAL or _USUAL in services.traffic or not services.traffic:
        return wish.provider
    return min(services.traffic)


def _provider(services: Services, name: str) -> TrafficProvider:
    found = services.traffic.get(name)
    if found is None:
        raise Refused(
            Problem(
                code="traffic.unknown_provider",
                message=f"There is no traffic provider {name!r}.",
                remedy=f"Use one of: {', '.join(sorted(services.traffic)) or 'none is installed'}.",
            )
        )
    return found


def _read(document: Document) -> Balanced:
    found = msgspec.convert(document.body, Balanced)
    return replace(found, members={_key(name, member): member for name, member in found.members.items()})


def _key(name: str, member: Member) -> str:
    """Earlier versions kept members by the server group's name alone."""
    place = Place(account=member.account, region=member.region)
    return name if traffic.name_of(name) != name else traffic.key(place, name)


def _body(balanced: Balanced) -> JsonObject:
    body = to_json(balanced)
    assert isinstance(body, dict)
    return body


def _too_much(load_balancer: str, error: shares.TooMuch) -> Problem:
    return Problem(
        code="traffic.too_much",
        message=f"Of the load balancer {load_balancer} {error}.",
        remedy="Lower `trafficPercent`, or remove what already has a fixed percentage.",
    )


def _route_taken(load_balancer: str, error: shares.RouteTaken) -> Problem:
    return Problem(
        code="traffic.route_taken",
        message=f"At the load balancer {load_balancer} {error}.",
        remedy="Give `routes` another header, cookie or value, or take the other server group out of traffic first.",
    )


def _busy(load_balancer: str) -> Problem:
    return Problem(
        code="traffic.busy",
        message=f"The shares of the load balancer {load_balancer} are being changed all the time by others.",
        remedy="Try again in a moment.",
    )
