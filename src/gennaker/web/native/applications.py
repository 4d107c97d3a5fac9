"""Applications in the native API: deliveries, releases, rollback, live traffic."""

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody

from gennaker.interfaces import environments
from gennaker.interfaces.executions import Submission
from gennaker.model import comparison, foreign, moniker
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.comparison import Side
from gennaker.model.execution import ExecutionKind
from gennaker.model.permissions import Need, Right
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.model.release import Release, ReleaseState, first
from gennaker.web import delivered, paging, releases, shapes, visible
from gennaker.web.ports import Asking, Ports, WebPorts


class Rollback(msgspec.Struct, frozen=True):
    """Which cluster goes back."""

    cluster: str
    account: str = ""
    region: str = ""


class ApplicationsController(Controller):
    """Routes under /api/v1/applications and what runs."""

    path = "/api/v1"

    @get("/applications")
    async def all(
        self,
        ports: Ports,
        principal: Asking,
        request: paging.Asked,
        after: paging.After = "",
        limit: paging.Limit = 200,
    ) -> Response[JsonObject]:
        """Names of all applications that have a pipeline."""
        found = {str(one.body.get("application")) for one in await ports.services.definitions.list("pipeline")}
        names = await visible.of(ports, principal, found, str)
        return paging.page(request, "applications", names, key=str, show=str, after=after, limit=limit)

    @get("/applications/{application:str}/deliveries")
    async def deliveries(
        self,
        *,
        ports: Ports,
        principal: Asking,
        request: paging.Asked,
        application: FromPath[str],
        after: paging.After = "",
        limit: paging.Limit = 20,
    ) -> Response[JsonObject]:
        """Changes on their way to production, newest first: commit, build, image, delivery; and what runs beside them (first page)."""
        found = await delivered.page(ports, application, after=after, limit=limit)
        return paging.of_several(request, {"deliveries": found.deliveries, "others": found.others}, found.next)

    @get("/applications/{application:str}/releases")
    async def releases(
        self,
        *,
        ports: Ports,
        principal: Asking,
        request: paging.Asked,
        application: FromPath[str],
        after: paging.After = "",
        limit: paging.Limit = 100,
    ) -> Response[JsonObject]:
        """Releases in accounts that may be read, newest first."""
        every = await releases.of_application(ports.services, application)
        found = await visible.accounts(ports, principal, every, lambda one: one.account)
        return paging.page(
            request,
            "releases",
            found,
            key=_since,
            show=shapes.record,
            after=after,
            limit=limit,
            is_descending=True,
        )

    @get("/applications/{application:str}/comparison")
    async def comparison(
        self,
        *,
        ports: Ports,
        principal: Asking,
        application: FromPath[str],
        left: FromQuery[str],
        right: FromQuery[str],
        only: FromQuery[str] = "",
    ) -> JsonObject:
        """What serves in two environments (accounts, stacks or clusters), fact by fact; `only`: aspects, with commas."""
        aspects = comparison.aspects(only.split(","))
        every = await visible.described(ports, application)
        if unseen := await visible.accounts(ports, principal, every.missing, str):
            raise Refused(*(every.missing[account] for account in unseen), status=503)
        found = await visible.accounts(ports, principal, every.groups, lambda one: one.place.account)
        here = await environments.side(ports.services, application, left, found)
        there = await environments.side(ports.services, application, right, found)
        lines = comparison.compare(here, there, aspects)
        return {
            "application": application,
            "left": _side(here),
            "right": _side(there),
            "same": not any(one.differs for one in lines),
            "lines": [to_json(one) for one in lines],
        }

    @post("/applications/{application:str}/rollback", status_code=202)
    async def rollback(
        self, ports: Ports, principal: Asking, application: FromPath[str], data: JSONBody[Rollback]
    ) -> JsonObject:
        """Puts what the current release replaced back into traffic; ambiguous, or the first: says so and does nothing."""
        every = await releases.of_application(ports.services, application)
        named = await visible.accounts(ports, principal, {one.account for one in every}, str)
        release = _only(every, application, data, named)
        # The submission would be refused for it, too, but only after its release was told of.
        await _refuse_account(ports, principal, release.account)
        if release.replaced is None:
            raise Refused(first(release), status=409)
        stage: JsonObject = {
            "type": "rollbackRelease",
            "name": f"Roll {release.cluster} back",
            "refId": "0",
            "application": application,
            "cluster": release.cluster,
            "account": release.account,
            "region": release.region,
            "releaseId": release.id,
        }
        restored = release.replaced_version or release.replaced
        sentence = f"Rolling {release.cluster} back from {release.shown_version} to {restored}."
        config: JsonObject = {"application": application, "name": sentence, "description": sentence, "stages": [stage]}
        submission = Submission(kind=ExecutionKind.ORCHESTRATION, config=config, trigger={"type": "manual"})
        execution_id = await ports.services.executions.submit(submission, principal)
        return {"executionId": execution_id, "sentence": sentence}

    @get("/traffic")
    async def traffic(
        self,
        ports: Ports,
        principal: Asking,
        request: paging.Asked,
        after: paging.After = "",
        limit: paging.Limit = 100,
    ) -> Response[JsonObject]:
        """Load balancers with their shares in accounts that may be read, and requests under way."""
        every = await releases.traffic(ports.services, await _hidden(ports, principal))
        found = await visible.of(ports, principal, every, _whose)
        return paging.page(request, "loadBalancers", found, key=_named, show=lambda one: one, after=after, limit=limit)


async def _hidden(ports: WebPorts, principal: Principal) -> frozenset[str]:
    """Accounts that may not be read; those without settings may be."""
    names = frozenset(ports.services.settings.accounts)
    return names - frozenset(await visible.accounts(ports, principal, names, str))


async def _refuse_account(ports: WebPorts, principal: Principal, account: str) -> None:
    """Raises Refused (403) to whoever may not change what runs there."""
    problem = await ports.services.authoriser.refusal(principal, Need(right=Right.WRITE, account=account))
    if problem is not None:
        raise Refused(problem, status=403)


def _side(side: Side) -> JsonObject:
    return {
        "name": side.name,
        "serverGroup": side.server_group,
        "cloudProvider": side.cloud_provider,
        "account": side.account,
        "region": side.region,
    }


def _since(release: Release) -> str:
    """Sorts as the times do, and tells apart what was released at one instant."""
    return f"{paging.instant(release.released_at)} {release.id}"


def _named(balancer: Json) -> str:
    """Providers may have balancers of one name."""
    return f"{foreign.text_at(balancer, 'name')} {foreign.text_at(balancer, 'provider')}"


def _whose(balancer: Json) -> str:
    """The application of the server groups behind it; empty: there is none yet."""
    shares = foreign.mappings_at(balancer, "shares")
    return next((moniker.parse(foreign.text_at(one, "serverGroup")).app for one in shares), "") or ""


def _only(found: list[Release], application: str, wanted: Rollback, named: list[str]) -> Release:
    """Raises Refused, which tells of the accounts in `named` alone."""
    current = [
        one
        for one in found
        if one.state in (ReleaseState.CURRENT, ReleaseState.SETTLED)
        and one.cluster == wanted.cluster
        and wanted.account in ("", one.account)
        and wanted.region in ("", one.region)
    ]
    places = {(one.account, one.region): one for one in reversed(current)}
    if len(places) == 1:
        return next(iter(places.values()))
    if not places:
        known = ", ".join(sorted({one.cluster for one in found if one.account in named})) or "none"
        raise Refused(
            Problem(
                code="rollback.no_release",
                message=f"{application} has no release of a cluster {wanted.cluster!r}.",
                remedy=f"Clusters with releases: {known}.",
            ),
            status=404,
        )
    shown = [one for one in places.values() if one.account in named]
    told = [f"{one.account}/{one.region}: {one.shown_version}" for one in shown]
    listed = ", ".join([*told, "others that you may not read"] if len(told) < len(places) else told)
    raise Refused(
        Problem(
            code="rollback.ambiguous",
            message=f"{wanted.cluster} is released in several places ({listed}). Nothing was done.",
            remedy="Name the account (and region).",
        ),
        status=409,
    )
