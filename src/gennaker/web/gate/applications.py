"""Gate's applications: their attributes as they were saved, what runs of them, and the history of the attributes."""

from litestar import Controller, get
from litestar.params import FromPath, FromQuery

from gennaker.interfaces.clouds import Described, ServerGroup
from gennaker.interfaces.definitions import Definition
from gennaker.interfaces.executions import Found
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, milliseconds
from gennaker.model.execution import ExecutionKind
from gennaker.model.problems import Problem, Refused
from gennaker.model.saved_pipelines import PIPELINE
from gennaker.web import visible
from gennaker.web.gate import amounts, live
from gennaker.web.gate.amounts import Amount
from gennaker.web.ports import Asking, Ports, WebPorts

KIND = "application"


class GateApplicationsController(Controller):
    """Routes under /applications."""

    @get("/applications")
    async def all(
        self, ports: Ports, principal: Asking, account: FromQuery[str] = "", owner: FromQuery[str] = ""
    ) -> list[JsonObject]:
        """All of them, each a flat map: those that were saved, and those that have a pipeline."""
        found = await known(ports)
        readable = await visible.of(ports, principal, found, str)
        shown = [_attributes(name, found[name]) for name in readable]
        return [one for one in shown if _is_wanted(one, account, owner)]

    @get("/applications/{application:str}")
    async def one(
        self, *, ports: Ports, principal: Asking, application: FromPath[str], expand: FromQuery[bool] = True
    ) -> JsonObject:
        """One application; its clusters unless `expand` is false."""
        name, record = await existing(ports, application)
        described = await live.described(ports, application) if expand else Described(groups=())
        groups = await visible.accounts(ports, principal, described.groups, lambda one: one.place.account)
        attributes = _with_live(_attributes(name, record), groups)
        shown: JsonObject = {"name": name, "attributes": attributes}
        unseen = await visible.accounts(ports, principal, described.missing, str)
        if unseen:
            shown["unseenAccounts"] = {account: str(described.missing[account]) for account in unseen}
        return {**shown, "clusters": _clusters(groups)} if expand else shown

    @get("/applications/{application:str}/history")
    async def history(
        self, ports: Ports, principal: Asking, application: FromPath[str], limit: Amount = 20
    ) -> list[JsonObject]:
        """Revisions of the attributes, newest first."""
        found = await ports.services.definitions.history(KIND, application.lower(), min(limit, amounts.REVISIONS))
        return [{**_attributes(one.id, one), **({"isDeleted": True} if one.is_deleted else {})} for one in found]


async def known(ports: WebPorts) -> dict[str, Definition | None]:
    """All applications by name, in its order; None: it has pipelines, but nobody has saved it."""
    found: dict[str, Definition | None] = dict.fromkeys(await ports.services.definitions.applications(PIPELINE))
    found.update({one.id: one for one in await ports.services.definitions.list(KIND)})
    return dict(sorted(found.items()))


async def existing(ports: WebPorts, application: str) -> tuple[str, Definition | None]:
    """The application's name and record. Raises Refused(404) where nothing is known of it."""
    name = application.lower()
    record = await ports.services.definitions.get(KIND, name)
    if record is not None or await ports.services.definitions.list(PIPELINE, name):
        return name, record
    # Only pipelines: a task is named after an application, too, that it has failed to make.
    ran = await ports.services.executions.listed(Found(application=name, kind=ExecutionKind.PIPELINE, limit=1))
    if ran and not await _was_deleted(ports, name):
        return name, None
    raise Refused(Problem(code="application.unknown", message=f"There is no application {application!r}."), status=404)


async def _was_deleted(ports: WebPorts, name: str) -> bool:
    return any(one.is_deleted for one in await ports.services.definitions.history(KIND, name, limit=1))


def _attributes(name: str, record: Definition | None) -> JsonObject:
    if record is None:
        return {"name": name, "email": "", "accounts": "", "cloudProviders": ""}
    stamps: JsonObject = {"updateTs": str(milliseconds(record.at)), "lastModifiedBy": record.author}
    return {"accounts": "", "cloudProviders": "", **stamps, **record.body, "name": name}


def _with_live(attributes: JsonObject, groups: list[ServerGroup]) -> JsonObject:
    """The accounts and providers on which it runs belong to it, whether they were written down or not."""
    return {
        **attributes,
        "accounts": _joined(attributes.get("accounts"), [one.place.account for one in groups]),
        "cloudProviders": _joined(attributes.get("cloudProviders"), [one.cloud_provider for one in groups]),
    }


def _joined(written: Json, found: list[str]) -> str:
    return ",".join(dict.fromkeys([*filter(None, foreign.text(written).split(",")), *found]))


def _is_wanted(attributes: JsonObject, account: str, owner: str) -> bool:
    accounts = foreign.text(attributes.get("accounts")).split(",")
    is_owners = owner.casefold() in ("", foreign.text(attributes.get("email")).casefold())
    return is_owners and (not account or account in accounts)


def _clusters(groups: list[ServerGroup]) -> JsonObject:
    found: dict[str, Json] = {}
    for (account, name), members in live.clusters(groups).items():
        listed = found.setdefault(account, [])
        assert isinstance(listed, list)
        listed.append(live.cluster(account, name, members, listed=[live.name_of(one) for one in members]))
    return found
