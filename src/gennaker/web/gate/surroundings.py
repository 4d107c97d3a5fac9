"""Gate's routes to what providers have beside server groups: server group managers and firewalls, in Clouddriver's form."""

from collections.abc import Collection
from typing import Any

from litestar import Controller, get
from litestar.params import FromPath, FromQuery
from msgspec.structs import replace

from gennaker.interfaces.clouds import ServerGroup
from gennaker.interfaces.surroundings import Firewall, Managed, Networking, Resource, Rule, Workloads, networking_of
from gennaker.model.codec import Json, JsonObject
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web import visible
from gennaker.web.gate import live
from gennaker.web.ports import Asking, Ports, WebPorts


class GateSurroundingsController(Controller):
    """Routes of two names each: Deck knows firewalls as security groups."""

    @get("/applications/{application:str}/serverGroupManagers")
    async def managers(self, ports: Ports, principal: Asking, application: FromPath[str]) -> list[JsonObject]:
        """What makes and replaces server groups of the application by itself."""
        found = [manager for one in await live.workloads(ports, application) for manager in one.managers]
        readable = await visible.accounts(ports, principal, found, lambda one: one.resource.place.account)
        return [_manager(one) for one in readable]

    @get(["/firewalls", "/securityGroups"])
    async def firewalls(self, ports: Ports, principal: Asking) -> JsonObject:
        """All that may be read, by account, provider and region."""
        found: dict[str, Any] = {}
        for one in (await networking(ports, principal)).firewalls:
            own = one.resource
            by_provider = found.setdefault(own.place.account, {})
            by_provider.setdefault(own.cloud_provider, {}).setdefault(own.place.region, []).append(_summary(own))
        return found

    @get(["/firewalls/{account:str}", "/securityGroups/{account:str}"])
    async def firewalls_of_account(
        self, ports: Ports, principal: Asking, account: FromPath[str], provider: FromQuery[str] = ""
    ) -> JsonObject:
        """An account's by region."""
        found: dict[str, Json] = {}
        for one in (await networking(ports, principal)).firewalls:
            own = one.resource
            if own.place.account == account and provider in ("", own.cloud_provider):
                listed = found.setdefault(own.place.region, [])
                assert isinstance(listed, list)
                listed.append(_summary(own))
        return found

    @get(["/firewalls/{account:str}/{region:str}/{name:str}", "/securityGroups/{account:str}/{region:str}/{name:str}"])
    async def firewall(
        self, ports: Ports, principal: Asking, account: FromPath[str], region: FromPath[str], name: FromPath[str]
    ) -> JsonObject:
        """One with its rules."""
        seen = await networking(ports, principal)
        for one in seen.firewalls:
            own = one.resource
            if (own.place.account, own.place.region) == (account, region) and name in (own.full_name, own.name):
                return _firewall(one)
        live.refuse_unseen(seen.missing, account)
        message = f"There is no firewall {name!r} in {account}/{region}."
        raise Refused(Problem(code="firewall.unknown", message=message), status=404)


async def workloads(ports: WebPorts, applications: Collection[str]) -> list[Workloads]:
    """What providers have of these applications (in lower case)."""

    def counts(app: str | None) -> bool:
        return (app or "").lower() in applications

    return [
        replace(
            seen,
            managers=tuple(each for each in seen.managers if counts(each.resource.moniker.app)),
            others=tuple(each for each in seen.others if counts(each.moniker.app)),
        )
        for one in live.surrounded(ports)
        for seen in [await one.workloads()]
    ]


async def load_balancers(ports: WebPorts, principal: Principal, application: str) -> list[Resource]:
    """The providers' own load balancers of an application, those of accounts that may be read."""
    seen = networking_of([await one.networking(application) for one in live.surrounded(ports)])
    return await visible.accounts(ports, principal, seen.load_balancers, lambda one: one.place.account)


async def networking(ports: WebPorts, principal: Principal) -> Networking:
    """What providers have of all applications and accounts that may be read; firewalls by name."""
    seen = networking_of([await one.networking() for one in live.surrounded(ports)])
    balancers = await visible.of(ports, principal, seen.load_balancers, lambda one: one.moniker.app or "")
    firewalls = await visible.of(ports, principal, seen.firewalls, lambda one: one.resource.moniker.app or "")
    firewalls = await visible.accounts(ports, principal, firewalls, lambda one: one.resource.place.account)
    return Networking(
        load_balancers=tuple(await visible.accounts(ports, principal, balancers, lambda one: one.place.account)),
        firewalls=tuple(sorted(firewalls, key=lambda one: one.resource.full_name.lower())),
        missing=seen.missing,
    )


def _manager(manager: Managed) -> JsonObject:
    groups: list[Json] = [_group(one) for one in manager.groups]
    return {**live.resource(manager.resource), "serverGroups": groups}


def _group(one: ServerGroup) -> JsonObject:
    return {"name": live.name_of(one), **live.placed(one.place), "moniker": live.moniker(one.moniker)}


def _summary(own: Resource) -> JsonObject:
    return {"id": own.full_name, "name": own.full_name}


def _firewall(one: Firewall) -> JsonObject:
    inbound: list[Json] = [_rule(rule) for rule in one.inbound]
    outbound: list[Json] = [_rule(rule) for rule in one.outbound]
    return {
        **live.resource(one.resource),
        "id": one.resource.full_name,
        "accountName": one.resource.place.account,
        "application": one.resource.moniker.app,
        "summary": _summary(one.resource),
        "inboundRules": inbound,
        "outboundRules": outbound,
    }


def _rule(rule: Rule) -> JsonObject:
    if rule.first is None:
        return {"protocol": rule.protocol, "portRanges": None}
    named = "Name" if isinstance(rule.first, str) else ""
    return {
        "protocol": rule.protocol,
        "portRanges": [{f"startPort{named}": rule.first, f"endPort{named}": rule.last}],
    }
