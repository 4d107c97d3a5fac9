"""What can be wrong with a load balancer, in sentences."""

import ipaddress
from collections.abc import Iterable

from gennaker.model.problems import Problem, Refused
from gennaker.plugins.proxies.program import Wanted


def refuse_names(addresses: Iterable[str]) -> None:
    """Raises Refused for an instance's address that isn't an IP address and a port."""
    for address in addresses:
        host, _, port = address.rpartition(":")
        try:
            ipaddress.ip_address(host.strip("[]"))
        except ValueError as error:
            raise Refused(_not_an_address(address)) from error
        if not port.isdigit():
            raise Refused(_not_an_address(address))


def unknown(name: str) -> Problem:
    """There is no such load balancer."""
    return Problem(
        code="load_balancer.unknown",
        message=f"There is no load balancer {name!r}.",
        remedy="Name one of the settings' load-balancers, or create it first.",
    )


def bad_name(name: str) -> Problem:
    """The name has characters that don't belong there."""
    return Problem(
        code="load_balancer.name",
        message=f"{name!r} can't be the name of a load balancer.",
        remedy="Use letters, digits, dots, hyphens and underscores.",
    )


def bad_address(name: str, address: str) -> Problem:
    """The address has no host, or no port."""
    return Problem(
        code="load_balancer.address",
        message=f"The address {address!r} of the load balancer {name} is not of the form host:port.",
        remedy="Write it like 127.0.0.1:8080.",
    )


def port_in_use(name: str, address: str) -> Problem:
    """Somebody else listens there."""
    return Problem(
        code="load_balancer.port_in_use",
        message=f"The load balancer {name} can't listen on {address}: something else does.",
        remedy="Stop that, or give the load balancer another address in the settings.",
    )


def silent(wanted: Wanted, said: str) -> Problem:
    """The program lives but doesn't answer."""
    return Problem(
        code=f"{wanted.file}.no_answer",
        message=f"{wanted.title} doesn't answer: {said}.",
        remedy="It is asked again; if that lasts, stop its process: Gennaker starts it anew.",
    )


def not_running(wanted: Wanted, ending: str, tail: str) -> Problem:
    """The program has ended."""
    return Problem(
        code=f"{wanted.file}.not_running",
        message=f"{wanted.title} {ending}.",
        remedy="Its last words are in the details.",
        details={"log": tail},
    )


def refused(wanted: Wanted, said: str) -> Problem:
    """The program doesn't take what it was told."""
    return Problem(
        code=f"{wanted.file}.refused",
        message=f"{wanted.title} refused its new shares: {said}",
        remedy="It serves as before; if repeating doesn't help, stop its process: Gennaker starts it anew.",
    )


def _not_an_address(address: str) -> Problem:
    return Problem(
        code="load_balancer.instance_address",
        message=f"The instance's address {address!r} is not an IP address and a port.",
        remedy="Use the load balancer of the provider caddy, which looks names up.",
    )
