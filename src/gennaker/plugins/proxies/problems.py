"""What can be wrong with a load balancer, in sentences."""

import ipaddress
from collections.abc import Iterable

from gennaker.model import foreign
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
        if not foreign.port(port):
            raise Refused(_not_an_address(address))


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
