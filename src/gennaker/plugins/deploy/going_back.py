"""Going back: one switch from a server group to an earlier one of the same cluster that is still warm."""

from gennaker.interfaces import traffic
from gennaker.interfaces.clouds import ServerGroup
from gennaker.interfaces.services import Services
from gennaker.plugins.deploy import rollouts, server_groups, shares, traffic_shares
from gennaker.plugins.deploy.server_groups import Location


async def switch(services: Services, location: Location, *, leaving: ServerGroup, returning: ServerGroup) -> None:
    """Everything that the cluster gets goes to the returning server group: one switch a load balancer."""
    cluster = server_groups.cluster_of(returning)
    because = f"{returning.name} serves again: {cluster} was rolled back meanwhile."
    await rollouts.overtake(services, location, cluster, because=because)
    groups = await server_groups.of_cluster(services, location, cluster)
    keys, key = {traffic.key(one.place, one.name) for one in groups}, traffic.key(returning.place, returning.name)
    known = traffic_shares.with_members((returning.name,), location)

    def change(members: shares.Members) -> shares.Members:
        members = known(members)
        losing = (one for one in members if one in keys and one != key)
        return shares.redistributed(members, {**dict.fromkeys(losing, 0), key: 1})

    for load_balancer in dict.fromkeys((*returning.load_balancers, *leaving.load_balancers)):
        await traffic_shares.change(services, load_balancer, change)
    if returning.is_disabled:
        provider = server_groups.provider(services, location.cloud_provider)
        await provider.set_disabled(returning.place, returning.name, is_disabled=False)
