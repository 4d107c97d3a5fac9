"""What can be wrong with a load balancer that is a route in a cluster, in sentences."""

from gennaker.interfaces.api_servers import ApiRefusal
from gennaker.model.problems import Problem, Refused


def not_configured(load_balancer: str, provider: str) -> Problem:
    """The settings don't say where its route is."""
    return Problem(
        code="cluster_traffic.not_configured",
        message=f"The settings don't say of which cluster the load balancer {load_balancer!r} is.",
        remedy=f'Write a section [load-balancers.{load_balancer}] with provider = "{provider}" and the account.',
    )


def no_server(load_balancer: str, account: str) -> Problem:
    """The account can't be used."""
    return Problem(
        code="cluster_traffic.account",
        message=f"The Kubernetes account {account!r} of the load balancer {load_balancer} isn't there.",
        remedy="Accounts are settings: [kubernetes.NAME].",
    )


def no_api(account: str, title: str, group: str) -> Problem:
    """The cluster doesn't know the API."""
    return Problem(
        code="cluster_traffic.no_api",
        message=f"The cluster of the account {account} hasn't got {title} ({group}).",
        remedy="Install its CustomResourceDefinitions and a controller that serves them.",
    )


def no_route(load_balancer: str, kind: str, name: str, namespace: str) -> Problem:
    """The user's part isn't there."""
    return Problem(
        code="cluster_traffic.no_route",
        message=f"There is no {kind} {name!r} in the namespace {namespace!r} for the load balancer {load_balancer}.",
        remedy="Create it (by kubectl or a deployManifest stage; docs/guides/traffic.md shows what Gennaker needs of it), or correct "
        f"load-balancers.{load_balancer}.route or namespace.",
    )


def taken(load_balancer: str, kind: str, name: str, other: str) -> Problem:
    """Another load balancer has the route."""
    return Problem(
        code="cluster_traffic.taken",
        message=f"The {kind} {name} is that of the load balancer {other} already, so it can't be that of {load_balancer}.",
        remedy="Give each load balancer a route of its own.",
    )


def no_rule(kind: str, name: str) -> Problem:
    """All rules are somebody else's."""
    return Problem(
        code="cluster_traffic.no_rule",
        message=f"All rules of the {kind} {name} have backends of their own, or redirect.",
        remedy="Take the backends out of the rules that Gennaker is to serve: those without are its.",
    )


def too_many(name: str, found: int, most: int) -> Problem:
    """A rule can't hold so many."""
    return Problem(
        code="cluster_traffic.too_many",
        message=f"{found} server groups would get traffic by the route {name}, and a rule can name {most}.",
        remedy="Take some out of traffic.",
    )


def too_many_rules(name: str, found: int, most: int) -> Problem:
    """A route can't hold so many."""
    return Problem(
        code="cluster_traffic.too_many_rules",
        message=f"With those for requests by header and cookie the route {name} would have {found} rules, and it can have {most}.",
        remedy="Route fewer server groups, or divide the route's rules among several routes.",
        pointer="/routes",
    )


def same_header(name: str, header: str) -> Problem:
    """The user's rule looks at the header itself."""
    return Problem(
        code="cluster_traffic.same_header",
        message=f"A rule of the route {name} matches requests by the header {header} itself, and a rule can name a header once.",
        remedy="Take the header out of the rule's matches, or out of `routes`.",
        pointer="/routes",
    )


def old_mirror(name: str) -> Problem:
    """The user copies requests in a way that leaves no room."""
    return Problem(
        code="cluster_traffic.mirror",
        message=f"A route of the VirtualService {name} has `mirror`, beside which there can't be a second copy.",
        remedy="Write it as an entry of `mirrors`, which can stand beside Gennaker's.",
        pointer="/routes",
    )


def not_by_annotations(load_balancer: str, what: str) -> Problem:
    """Canary annotations can't say it."""
    return Problem(
        code="cluster_traffic.annotations",
        message=f"The load balancer {load_balancer} is an Ingress, and the annotations of its canary can't say that {what}.",
        remedy="They can name one header with one value and beside it a cookie of the value `always`, or any cookies without a "
        "header, for one server group. Use a load balancer of the provider gateway-api for more.",
        pointer="/routes",
    )


def not_accepted(name: str, said: str) -> Problem:
    """The controller has seen it and doesn't serve it."""
    return Problem(
        code="cluster_traffic.not_accepted",
        message=f"The Gateway doesn't take the route {name}: {said}.",
        remedy="Correct its parentRefs and hostnames, or the Gateway's listeners.",
    )


def not_followed(name: str, seconds: float, *, is_reachable: bool) -> Problem:
    """Nobody says to have seen the change. `is_reachable`: its Gateway has an address."""
    why = "" if is_reachable else ", and its Gateway isn't there or has no address"
    return Problem(
        code="cluster_traffic.not_followed",
        message=f"No controller has said within {seconds:.0f} s that it serves the route {name} as it is now{why}.",
        remedy="See whether the controller of its Gateway runs, and what stands in the route's status. The route is changed; it is "
        "looked at again.",
    )


def busy(name: str) -> Problem:
    """Others change it all the time."""
    return Problem(
        code="cluster_traffic.busy",
        message=f"The route {name} is changed by others so often that the new shares couldn't be written.",
        remedy="It is tried again; see who else writes to it.",
    )


def no_address(load_balancer: str) -> Problem:
    """It can't be told where clients reach it."""
    return Problem(
        code="cluster_traffic.no_address",
        message=f"The cluster doesn't say at which address clients reach the load balancer {load_balancer}.",
        remedy=f"Set load-balancers.{load_balancer}.address to host:port, or see why its Gateway has no address.",
    )


def is_elsewhere(address: str, wanted: str | None) -> bool:
    """Whether clients reach it nowhere yet (an empty address), or elsewhere than somebody asks for."""
    return not address or (bool(wanted) and address != wanted)


def refuse_other_address(load_balancer: str, address: str, wanted: str | None) -> None:
    """Raises Refused where somebody asks for it elsewhere than where it is; empty: that isn't known yet."""
    if not address or not is_elsewhere(address, wanted):
        return
    message = f"The load balancer {load_balancer} is reached at {address}, not at {wanted}: its cluster decides that."
    problem = Problem(code="cluster_traffic.address", message=message, remedy="Ask for no address.")
    raise Refused(problem, status=409)


def forbidden(load_balancer: str, account: str, namespace: str) -> Problem:
    """The account may not touch the namespace."""
    return Problem(
        code="cluster_traffic.namespace",
        message=f"The load balancer {load_balancer} would be in the namespace {namespace!r}, which the account {account} may not use.",
        remedy=f"Set load-balancers.{load_balancer}.namespace.",
    )


def forbidden_kind(load_balancer: str, account: str, kind: str) -> Problem:
    """The account may not touch a kind of object that the load balancer consists of."""
    return Problem(
        code="cluster_traffic.kind",
        message=f"The load balancer {load_balancer} needs objects of the kind {kind}, which the account {account} may not use.",
        remedy=f"Allow it (kubernetes.{account}.kinds or omit-kinds), or give load-balancers.{load_balancer} another account.",
    )


def refused(account: str, what: str, refusal: ApiRefusal) -> Problem:
    """The API server said no."""
    return Problem(
        code="cluster_traffic.refused",
        message=f"The API server of {account} refused {what}: {refusal}",
        remedy="If it is about a permission: the account needs get, list, create, patch, update and delete on services, endpointslices "
        "and routes, list and watch on pods, and get on gateways and gatewayclasses where they are used.",
    )


def unavailable(account: str, said: str) -> Problem:
    """The API server doesn't answer."""
    return Problem(
        code="cluster_traffic.unavailable",
        message=f"The API server of {account} doesn't answer: {said}",
        remedy="Routes serve as they did; it is asked again.",
    )


def no_path(name: str, service: str) -> Problem:
    """The Ingress hands nothing to us."""
    return Problem(
        code="cluster_traffic.no_path",
        message=f"No path of the Ingress {name} has the Service {service} and its port 80 as its backend.",
        remedy=f"Name the Service {service}, port 80, in the paths that Gennaker is to serve; Gennaker makes it.",
    )


def not_ours(kind: str, name: str, load_balancer: str) -> Problem:
    """Something of that name is somebody else's."""
    return Problem(
        code="cluster_traffic.not_ours",
        message=f"The load balancer {load_balancer} needs the {kind} {name} for itself, and there is one that Gennaker hasn't made.",
        remedy="Delete or rename it, or give the load balancer another name.",
    )


def too_many_weights(load_balancer: str, found: int) -> Problem:
    """Canary annotations know two sides."""
    return Problem(
        code="cluster_traffic.too_many_weights",
        message=f"The instances behind the load balancer {load_balancer} would get {found} different weights, and an Ingress with a "
        "canary can express two.",
        remedy="Give all instances beside production the same weight, as baseline and canary have, or use a load balancer of "
        "the provider gateway-api.",
    )


def bad_service_name(load_balancer: str) -> Problem:
    """Its Service couldn't be called like it."""
    return Problem(
        code="cluster_traffic.service_name",
        message=f"The load balancer {load_balancer!r} can't have a Service of its name.",
        remedy="Use small letters, digits and hyphens, 63 at most, a letter first.",
    )
