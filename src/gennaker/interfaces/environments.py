"""Environments: what serves an application in one place, with all that can be told of it, to be compared with another's.

An environment is the name of an account, of a stack or of a cluster, with `/REGION` behind it where several regions serve.
"""

from collections.abc import Iterable
from datetime import datetime

from gennaker.interfaces import traffic
from gennaker.interfaces.clouds import ServerGroup
from gennaker.interfaces.services import Services
from gennaker.model import written
from gennaker.model.comparison import Aspect, Side
from gennaker.model.execution import Stage
from gennaker.model.foreign import text_at
from gennaker.model.problems import Problem, Refused


async def groups(services: Services, application: str) -> list[ServerGroup]:
    """All of an application. Raises Refused where some can't be seen."""
    found: dict[tuple[str, str, str], ServerGroup] = {}
    for provider in services.clouds.values():
        for spelled in dict.fromkeys((application, application.lower())):
            for one in await provider.describe(spelled):
                found[one.place.account, one.place.region, one.name] = one
    return list(found.values())


async def side(services: Services, application: str, name: str, found: Iterable[ServerGroup]) -> Side:
    """The environment's newest server group that is in traffic. Raises Refused where there is none, or several clusters."""
    group = _serving(application, name, list(found))
    facts = {
        (Aspect.IMAGE, "name"): group.image.partition("@")[0],
        (Aspect.IMAGE, "digest"): group.image.partition("@")[2],
        (Aspect.IMAGE, "version"): group.version,
        (Aspect.REPLICAS, "min"): str(group.capacity.min),
        (Aspect.REPLICAS, "max"): str(group.capacity.max),
        (Aspect.REPLICAS, "desired"): str(group.capacity.desired),
    }
    facts |= await _routes(services, group)
    unknown = ""
    stage = await _maker(services, group)
    if stage is None:
        unknown = "no: the execution that has made it is gone" if group.created_by else "no: made by something else"
    else:
        facts |= written.facts(stage.context, await _changed(services), group.created_at)
    return Side(
        name=name,
        server_group=group.name,
        cloud_provider=group.cloud_provider,
        account=group.place.account,
        region=group.place.region,
        unknown=unknown,
        facts={key: value for key, value in facts.items() if value},
    )


async def _maker(services: Services, group: ServerGroup) -> Stage | None:
    """The stage that has made it: `created_by` begins with execution and stage."""
    execution_id, _, rest = group.created_by.partition("/")
    execution = await services.executions.get(execution_id) if execution_id else None
    return execution.stages.get(rest.partition(".")[0]) if execution is not None else None


def _serving(application: str, name: str, found: list[ServerGroup]) -> ServerGroup:
    word, _, region = name.partition("/")
    for named in (_by_account, _by_stack, _by_cluster):
        own = [one for one in found if named(one) == word and region in ("", one.place.region)]
        serving = [one for one in own if not one.is_disabled]
        clusters = sorted({(one.place.account, one.place.region, _by_cluster(one)) for one in serving})
        if len(clusters) > 1:
            listed = ", ".join(f"{cluster} in {account}/{region}" for account, region, cluster in clusters)
            message = f"{application} has several clusters in {name!r}: {listed}."
            remedy = "Name a cluster instead, with /REGION behind it where it is in several."
            raise Refused(Problem(code="compare.ambiguous", message=message, remedy=remedy), status=409)
        if serving:
            return max(serving, key=lambda one: (one.created_at, one.name))
        if own:
            message = f"All server groups of {application} in {name!r} are disabled: nothing serves there."
            raise Refused(
                Problem(code="compare.disabled", message=message, remedy="Enable one, or deploy."), status=404
            )
    known = sorted({each(one) for one in found for each in (_by_account, _by_stack, _by_cluster)} - {""})
    message = f"{application} has no server group in {name!r}."
    remedy = f"Accounts, stacks and clusters with some: {', '.join(known) or 'none'}."
    raise Refused(Problem(code="compare.no_environment", message=message, remedy=remedy), status=404)


def _by_account(group: ServerGroup) -> str:
    return group.place.account


def _by_stack(group: ServerGroup) -> str:
    return group.moniker.stack or ""


def _by_cluster(group: ServerGroup) -> str:
    return group.moniker.cluster or group.name


async def _routes(services: Services, group: ServerGroup) -> dict[tuple[Aspect, str], str]:
    """Load balancers by their place in the list: their names usually say the environment."""
    found: dict[tuple[Aspect, str], str] = {}
    for number, name in enumerate(group.load_balancers, 1):
        found[Aspect.ROUTES, f"{number}.name"] = name
        for provider in services.traffic.values():
            balancer = await provider.describe(name)
            if balancer is None:
                continue
            total = sum(one.weight for one in balancer.shares.values())
            own = balancer.shares.get(traffic.key(group.place, group.name))
            percent = 100 * own.weight / total if own is not None and total else 0
            found[Aspect.ROUTES, f"{number}.share"] = f"{percent:g} %"
    return found


async def _changed(services: Services) -> dict[str, datetime]:
    """When each stored secret was changed last."""
    listed = await services.documents("secrets").list()
    dated = ((text_at(one.body, "name"), text_at(one.body, "changed_at")) for one in listed)
    return {name: datetime.fromisoformat(at) for name, at in dated if name and at}
