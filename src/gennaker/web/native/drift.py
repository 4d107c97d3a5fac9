"""Drift in the native API: where an application's live objects are no longer what was applied last."""

import difflib

from litestar import Controller, get
from litestar.params import FromPath, FromQuery

from gennaker.interfaces.manifests import Drift, DriftState
from gennaker.model.codec import JsonObject, to_json
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web import visible
from gennaker.web.ports import Asking, Ports, WebPorts


class DriftController(Controller):
    """The route under /api/v1/applications."""

    path = "/api/v1"

    @get("/applications/{application:str}/drift")
    async def drift(
        self, ports: Ports, principal: Asking, application: FromPath[str], account: FromQuery[str] = ""
    ) -> JsonObject:
        """What applying each object once more would change, and who has changed it; `account`: only there."""
        objects: list[Drift] = []
        missing: dict[str, Problem] = {}
        seen: list[str] = []
        for provider in ports.services.manifests.values():
            seen += (accounts := await visible.accounts(ports, principal, list(provider.accounts), str))
            found = await provider.drift(application, frozenset(one for one in accounts if account in ("", one)))
            objects += found.objects
            missing |= found.missing
        if not objects and not missing:
            await _refuse_slips(ports, principal, application, account, seen)
        return {
            "application": application,
            "drifted": any(one.state in (DriftState.DRIFTED, DriftState.MISSING) for one in objects),
            "objects": [to_json(one) for one in objects],
            "missing": {name: to_json(one) for name, one in sorted(missing.items())},
        }


async def _refuse_slips(
    ports: WebPorts, principal: Principal, application: str, account: str, accounts: list[str]
) -> None:
    """Where nothing was looked at: whoever waits for "no drift" before going on must not pass by a slip of the pen."""
    if account and account not in accounts:
        message, remedy = f"There is no account {account[:100]!r} of manifests.", _meant(account, accounts)
        raise Refused(Problem(code="account.unknown", message=message, remedy=remedy), status=404)
    definitions = ports.services.definitions
    known = {*await definitions.applications("pipeline"), *(one.id for one in await definitions.list("application"))}
    if application.lower() not in {one.lower() for one in known}:
        message = (
            f"Nothing of an application {application[:100]!r} was deployed as a manifest, and it has no pipeline here."
        )
        remedy = _meant(application, await visible.of(ports, principal, sorted(known), str))
        raise Refused(Problem(code="application.unknown", message=message, remedy=remedy), status=404)


def _meant(given: str, known: list[str]) -> str:
    close = difflib.get_close_matches(given.lower(), known, n=1)
    return f"Did you mean {close[0]!r}?" if close else "Correct the name."
