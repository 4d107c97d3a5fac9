"""Visible: what of a list that spans applications somebody may see. The rest is left out, as if it weren't there."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from gennaker.interfaces.definitions import Definition
from gennaker.model import foreign
from gennaker.model.execution import Execution
from gennaker.model.permissions import Need, Right
from gennaker.model.principal import Principal
from gennaker.model.problems import Refused
from gennaker.web.ports import WebPorts

Item = TypeVar("Item")


async def of(
    ports: WebPorts, principal: Principal, items: Iterable[Item], application: Callable[[Item], str]
) -> list[Item]:
    """Those whose application may be read; what is of no application everybody may see."""
    listed = list(items)
    names = {application(one) for one in listed} - {""}
    readable = await ports.services.authoriser.readable(principal, names) | {""}
    return [one for one in listed if application(one) in readable]


async def executions(ports: WebPorts, principal: Principal, found: Iterable[Execution]) -> list[Execution]:
    """Those of readable applications."""
    return await of(ports, principal, found, lambda one: one.head.application)


async def definitions(ports: WebPorts, principal: Principal, found: Iterable[Definition]) -> list[Definition]:
    """Pipelines and strategies of readable applications."""
    return await of(ports, principal, found, lambda one: foreign.text(one.body.get("application")))


async def accounts(
    ports: WebPorts, principal: Principal, items: Iterable[Item], name: Callable[[Item], str]
) -> list[Item]:
    """Those whose account may be read."""
    authoriser = ports.services.authoriser
    listed = list(items)
    refused = {
        account
        for account in {name(one) for one in listed}
        if await authoriser.refusal(principal, Need(right=Right.READ, account=account))
    }
    return [one for one in listed if name(one) not in refused]


async def refuse(ports: WebPorts, principal: Principal, right: Right, *applications: str) -> None:
    """For handlers that act on several things of one request. Raises Refused(403)."""
    needed = [Need(right=right, application=name) for name in dict.fromkeys(applications)]
    problem = await ports.services.authoriser.refusal(principal, *needed)
    if problem is not None:
        raise Refused(problem, status=403)
