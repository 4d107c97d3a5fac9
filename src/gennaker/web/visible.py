"""Visible: what of a list that spans applications somebody may see. The rest is left out, as if it weren't there."""

from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

from gennaker.access.identities import ServiceAccount
from gennaker.interfaces import clouds
from gennaker.interfaces.clouds import CloudProvider, CloudProviders, Described, ServerGroup
from gennaker.interfaces.definitions import Definition
from gennaker.interfaces.executions import Listed
from gennaker.model import foreign, needs
from gennaker.model.execution import Execution
from gennaker.model.permissions import ADMINISTRATION, Need, Right
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web.ports import WebPorts

Item = TypeVar("Item")
_LONGEST = 300
"""Of what a record says was asked for."""


async def of(
    ports: WebPorts, principal: Principal, items: Iterable[Item], application: Callable[[Item], str]
) -> list[Item]:
    """Those whose application may be read; what is of no application everybody may see."""
    listed = [(application(one), one) for one in items]
    names = {name for name, _ in listed} - {""}
    readable = await ports.services.authoriser.readable(principal, names) | {""}
    return [one for name, one in listed if name in readable]


async def executions(ports: WebPorts, principal: Principal, found: Iterable[Execution]) -> list[Execution]:
    """Those of readable applications."""
    return await of(ports, principal, found, lambda one: one.head.application)


async def listed(ports: WebPorts, principal: Principal, found: Iterable[Listed]) -> list[Listed]:
    """The same before they are read."""
    return await of(ports, principal, found, lambda one: one.application)


async def definitions(ports: WebPorts, principal: Principal, found: Iterable[Definition]) -> list[Definition]:
    """Pipelines and strategies of readable applications."""
    return await of(ports, principal, found, lambda one: foreign.text(one.body.get("application")))


async def described(ports: WebPorts, application: str) -> Described:
    """All of an application that can be seen; applications are spelled in lower case where the providers don't know better."""
    return await _described(ports.services.clouds, application)


async def _described(providers: CloudProviders, application: str) -> Described:
    found: dict[tuple[str, str, str, str], ServerGroup] = {}
    missing: dict[str, Problem] = {}
    for provider in providers.values():
        for spelled in dict.fromkeys((application, application.lower())):
            seen = await clouds.seen(provider, spelled)
            missing |= seen.missing
            for group in seen.groups:
                found[provider.name, group.place.account, group.place.region, group.name] = group
    return Described(groups=tuple(found.values()), missing=missing)


async def server_groups(ports: WebPorts, applications: Collection[str]) -> list[ServerGroup]:
    """Those of these applications (in lower case) that can be seen, application by application, oldest first."""
    found: dict[tuple[str, str, str, str], ServerGroup] = {}
    one_by_one: dict[str, CloudProvider] = {}
    for name, provider in ports.services.clouds.items():
        if not isinstance(provider, clouds.AllAtOnce):
            one_by_one[name] = provider
            continue
        for group in await provider.describe_all():
            if (group.moniker.app or "").lower() in applications:
                found[provider.name, group.place.account, group.place.region, group.name] = group
    for application in applications if one_by_one else ():
        for group in (await _described(one_by_one, application)).groups:
            found[group.cloud_provider, group.place.account, group.place.region, group.name] = group
    return sorted(found.values(), key=lambda one: (one.moniker.app or "").lower())


async def evidence(ports: WebPorts, principal: Principal, digest: str, *, address: str) -> bytes | None:
    """What is kept under a digest, where its holder may be read."""
    if await holder(ports, principal, digest, address=address) is None:
        return None
    return await ports.services.evidence.read(digest)


async def holder(ports: WebPorts, principal: Principal, digest: str, *, address: str) -> str | None:
    """Which execution that may be read has left what is kept under a digest; of deleted ones, where an administrator asks."""
    authoriser, services = ports.services.authoriser, ports.services
    refusals: list[Problem] = []
    for execution_id in await services.evidence.holders(digest):
        execution = await services.executions.get(execution_id)
        if execution is None:
            refusal = await authoriser.refusal(principal, ADMINISTRATION)
        else:
            refusal = await _refusal(ports, principal, execution)
        if refusal is None:
            return execution_id
        refusals.append(refusal)
    for refusal in refusals[:1]:
        await ports.sign_in.refused(principal, refusal, subject=f"evidence:{digest}"[:_LONGEST], address=address)
    return None


async def execution(ports: WebPorts, principal: Principal, execution_id: str, *, address: str) -> Execution | None:
    """One, where it may be read."""
    found = await ports.services.executions.get(execution_id)
    refusal = None if found is None else await _refusal(ports, principal, found)
    if refusal is None:
        return found
    # Who asks is told that there is none; whoever reads the audit isn't.
    subject = f"execution:{execution_id}"[:_LONGEST]
    await ports.sign_in.refused(principal, refusal, subject=subject, address=address)
    return None


async def _refusal(ports: WebPorts, principal: Principal, found: Execution) -> Problem | None:
    if found.head.application == needs.AD_HOC:
        return None
    need = Need(right=Right.READ, application=found.head.application)
    return await ports.services.authoriser.refusal(principal, need)


async def accounts(
    ports: WebPorts,
    principal: Principal,
    items: Iterable[Item],
    name: Callable[[Item], str],
    *,
    right: Right = Right.READ,
) -> list[Item]:
    """Those whose account may be read, or on which somebody has another right."""
    authoriser = ports.services.authoriser
    listed = list(items)
    refused = {
        account
        for account in {name(one) for one in listed}
        if await authoriser.refusal(principal, Need(right=right, account=account))
    }
    return [one for one in listed if name(one) not in refused]


async def refuse(ports: WebPorts, principal: Principal, right: Right, *applications: str) -> None:
    """For handlers that act on several things of one request. Raises Refused(403)."""
    needed = [Need(right=right, application=name) for name in dict.fromkeys(applications)]
    problem = await ports.services.authoriser.refusal(principal, *needed)
    if problem is not None:
        raise Refused(problem, status=403)


async def service_accounts(ports: WebPorts, principal: Principal) -> list[ServiceAccount]:
    """Those as which somebody may have something run, and make tokens of."""
    found = [one for one in await ports.sign_in.identities.service_accounts() if not one.is_disabled]
    refused = ports.services.authoriser.refusal_to_act_as
    return [one for one in found if await refused(principal, one.name) is None]
