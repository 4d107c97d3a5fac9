"""What can be told of the settings of load balancers before anything is started."""

import ipaddress
from urllib.parse import urlsplit

from gennaker.interfaces import load_balancer_problems
from gennaker.model.problems import Problem, Refused
from gennaker.settings import Settings
from gennaker.traffic_settings import CLUSTER_PROVIDERS, LoadBalancerSettings


def check(settings: Settings) -> None:
    """Raises Refused with everything that is wrong."""
    problems = [
        problem
        for name, balancer in settings.load_balancers.items()
        for problem in (_address_problem(name, balancer), _account_problem(settings, name, balancer))
        if problem is not None
    ]
    if problems:
        raise Refused(*problems)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address_problem(name: str, balancer: LoadBalancerSettings) -> Problem | None:
    if not balancer.address:
        return None
    setting, address = f"load-balancers.{name}.address", balancer.address
    try:
        parts = urlsplit(f"//{address}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if port is None:
        return Problem(
            code="load_balancer.address",
            message=f"{setting} is {address!r}, which is not of the form host:port.",
            remedy="Write it like 127.0.0.1:8080.",
        )
    if balancer.provider in CLUSTER_PROVIDERS or is_loopback(host):
        return None
    return Problem(
        code="load_balancer.not_loopback",
        message=f"{setting} is {address}: until people can sign in everything listens on this machine only.",
        remedy=f"Set it to 127.0.0.1:{port}; put a proxy of your own before it.",
    )


def _account_problem(settings: Settings, name: str, balancer: LoadBalancerSettings) -> Problem | None:
    if balancer.provider not in CLUSTER_PROVIDERS:
        return None
    account = settings.kubernetes.get(balancer.account)
    if account is None:
        return load_balancer_problems.no_account(name, balancer.account, tuple(sorted(settings.kubernetes)))
    if balancer.namespace and not account.allows(balancer.namespace):
        return load_balancer_problems.forbidden_namespace(name, balancer.account, balancer.namespace)
    return None
