"""Gate's routes to objects that were deployed as manifests, as they are now. `_` in the place of a namespace: it has none."""

from typing import Annotated

from litestar import Controller, get
from litestar.params import FromPath, QueryParameter

from gennaker.interfaces.manifests import LiveManifest, LiveManifests, Located, ManifestCluster
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.permissions import Right
from gennaker.model.problems import Problem, Refused
from gennaker.web import visible
from gennaker.web.ports import Asking, Ports, WebPorts

IncludeEvents = Annotated[bool, QueryParameter(name="includeEvents")]
_OF_CLUSTER = "/{account:str}/{location:str}/{kind:str}/cluster/{application:str}/{cluster:str}"
_NO_NAMESPACE = "_"


class GateManifestsController(Controller):
    """Routes under /manifests."""

    path = "/manifests"

    @get("/{account:str}/{location:str}/{name:str}")
    async def manifest(
        self,
        *,
        ports: Ports,
        principal: Asking,
        account: FromPath[str],
        location: FromPath[str],
        name: FromPath[str],
        include_events: IncludeEvents = False,
    ) -> JsonObject:
        """The object `KIND NAME`, of whose application the caller may read."""
        found = await _of(ports, account).read(account, _space(location), name, with_events=include_events)
        if found.moniker.app:
            await visible.refuse(ports, principal, Right.READ, found.moniker.app)
        return _shape(found)

    @get(_OF_CLUSTER)
    async def of_cluster(
        self,
        *,
        ports: Ports,
        principal: Asking,
        account: FromPath[str],
        location: FromPath[str],
        kind: FromPath[str],
        application: FromPath[str],
        cluster: FromPath[str],
    ) -> list[JsonObject]:
        """Coordinates of a cluster's objects, oldest first."""
        wanted = _cluster(account, location, kind, of=(application, cluster))
        return [_coordinates(one) for one in await _of(ports, account).of_cluster(wanted)]

    @get(f"{_OF_CLUSTER}/dynamic/{{criteria:str}}")
    async def target(
        self,
        *,
        ports: Ports,
        principal: Asking,
        account: FromPath[str],
        location: FromPath[str],
        kind: FromPath[str],
        application: FromPath[str],
        cluster: FromPath[str],
        criteria: FromPath[str],
    ) -> JsonObject:
        """Coordinates of the object that is newest, second_newest, oldest, largest or smallest."""
        wanted = _cluster(account, location, kind, of=(application, cluster))
        return _coordinates(await _of(ports, account).target(wanted, criteria))


def of_account(ports: WebPorts, account: str) -> LiveManifests | None:
    """Who knows an account's objects; None: it has none that are manifests."""
    return next((one for one in ports.services.manifests.values() if account in one.accounts), None)


def _of(ports: WebPorts, account: str) -> LiveManifests:
    found = of_account(ports, account)
    if found is not None:
        return found
    raise Refused(
        Problem(code="account.unknown", message=f"There is no account {account!r} of manifests."),
        status=404,
    )


def _space(location: str) -> str:
    return "" if location == _NO_NAMESPACE else location


def _cluster(account: str, location: str, kind: str, *, of: tuple[str, str]) -> ManifestCluster:
    application, name = of
    return ManifestCluster(account=account, location=_space(location), kind=kind, application=application, name=name)


def _shape(found: LiveManifest) -> JsonObject:
    moniker = found.moniker
    nothing: list[Json] = []
    return {
        "account": found.account,
        "name": found.name,
        "location": found.location,
        "moniker": {
            "app": moniker.app,
            "cluster": moniker.cluster,
            "stack": moniker.stack,
            "detail": moniker.detail,
            "sequence": moniker.sequence,
        },
        "manifest": found.manifest,
        "status": found.status,
        "artifacts": to_json(found.artifacts),
        "events": [*found.events],
        "warnings": nothing,
        "metrics": nothing,
    }


def _coordinates(found: Located) -> JsonObject:
    return {"kind": found.kind, "namespace": found.namespace, "name": found.name}
