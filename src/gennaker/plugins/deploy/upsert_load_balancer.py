"""Upsert Load Balancer: makes a load balancer before anything is deployed behind it, at a port of its own if one is named.

Who provides it stands in the settings, as for the load balancers that a cluster's deploy makes on their first use. One that is there
stays at its address: its clients know it.
"""

from gennaker.interfaces.load_balancer_checks import is_loopback
from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.deploy import traffic_shares


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON; in `loadBalancers` each has the same keys, its name also as `name`."""

    load_balancer_name: str | None = None
    address: str | None = None
    """`host:port` on loopback; or `listeners`, whose first `externalPort` is taken. Neither: a free one."""
    listeners: tuple[JsonObject, ...] | None = ()
    load_balancers: tuple[JsonObject, ...] | None = ()


async def upsert(context: TaskContext) -> TaskResult:
    """Makes those that aren't there; a repeat finds them."""
    own = context.stage.context
    several = foreign.mappings_at(own, "loadBalancers")
    wanted = [({**own, **one}, f"/loadBalancers/{place}") for place, one in enumerate(several)] or [(own, "")]
    named = [(_name(one, pointer), _address(one, pointer), one, pointer) for one, pointer in wanted]
    targets: list[Json] = []
    for name, address, one, pointer in named:
        account = foreign.text_at(one, "credentials") or foreign.text_at(one, "account")
        found = await traffic_shares.ensure(context.services, name, account, address=address)
        if address and found != address:
            raise Refused(_elsewhere(name, address, found, pointer), status=409)
        region = foreign.text_at(one, "region")
        targets.append(
            {
                "name": name,
                "credentials": account,
                "availabilityZones": {region: []} if region else {},
                "vpcId": None,
                "address": found,
            }
        )
    return Done(context={"targets": targets}, outputs={"targets": targets})


def _name(own: JsonObject, pointer: str) -> str:
    found = foreign.text_at(own, "loadBalancerName") or foreign.text_at(own, "name")
    if not found:
        raise Refused(
            Problem(
                code="load_balancer.unnamed",
                message="The stage doesn't say which load balancer.",
                remedy="Give `loadBalancerName`.",
                pointer=f"{pointer}/loadBalancerName",
            )
        )
    return found


def _address(own: JsonObject, pointer: str) -> str:
    """Empty: none is asked for. Raises Refused."""
    given = foreign.text_at(own, "address")
    listeners = foreign.mappings_at(own, "listeners")
    if not given and not listeners:
        return ""
    said = given or f"127.0.0.1:{foreign.written(listeners[0].get('externalPort'))}"
    host, _, port = said.rpartition(":")
    if not is_loopback(host.strip("[]")) or not foreign.port(port):
        raise Refused(
            Problem(
                code="load_balancer.address",
                message=f"{said!r} is no address of this machine's loopback and a port.",
                remedy="Write `address` like 127.0.0.1:8080, or a `listeners` with `externalPort`; or leave both out.",
                pointer=f"{pointer}/{'address' if given else 'listeners/0/externalPort'}",
            )
        )
    return said


def _elsewhere(name: str, address: str, found: str, pointer: str) -> Problem:
    return Problem(
        code="load_balancer.elsewhere",
        message=f"The load balancer {name} listens on {found}, not on {address}: its clients know it there.",
        remedy=f"Take out the address, or set load-balancers.{name}.address in the settings and start Gennaker again.",
        pointer=f"{pointer}/address",
    )


stage = StageType(
    name="upsertLoadBalancer",
    label="Create Load Balancer",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="upsertLoadBalancer", run=upsert),),
    aliases=("upsertLoadBalancers",),
    restart_clears=("targets",),
)
