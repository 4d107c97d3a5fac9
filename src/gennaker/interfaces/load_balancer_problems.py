"""What every traffic provider says in the same words of a load balancer that can't be had as it is asked for."""

from gennaker.model.problems import Problem


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


def no_account(name: str, account: str, there: tuple[str, ...]) -> Problem:
    """The settings name a Kubernetes account that they don't have."""
    return Problem(
        code="load_balancer.account",
        message=f"load-balancers.{name}.account is {account!r}, and there is no such Kubernetes account.",
        remedy=f"There are: {', '.join(there) or 'none'}. Accounts are settings: [kubernetes.NAME].",
    )


def forbidden_namespace(name: str, account: str, namespace: str) -> Problem:
    """The account may not touch the namespace of the route."""
    return Problem(
        code="load_balancer.namespace",
        message=f"The load balancer {name} is in the namespace {namespace!r}, which the account {account} may not use.",
        remedy=f"Put its route into another one (load-balancers.{name}.namespace), or change kubernetes.{account}.namespaces "
        "or omit-namespaces.",
    )
