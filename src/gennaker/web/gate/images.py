"""Gate's routes to images: what the registries of the settings hold, for those who choose a tag by hand."""

import fnmatch
from collections.abc import AsyncIterator

from litestar import Controller, get
from litestar.params import FromQuery

from gennaker.interfaces.registry import ImageRegistry
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.web.gate import amounts
from gennaker.web.gate.amounts import Amount
from gennaker.web.ports import Asking, Ports, WebPorts

_PROVIDERS = ("", "dockerRegistry")


class GateImagesController(Controller):
    """Routes under /images; providers other than registries have none."""

    @get("/images/find")
    async def find(
        self,
        ports: Ports,
        principal: Asking,
        provider: FromQuery[str] = "",
        account: FromQuery[str] = "",
        q: FromQuery[str] = "",
        count: Amount = 100,
    ) -> list[JsonObject]:
        """Images whose `repository:tag` holds the text; `*` in it stands for anything."""
        found: list[JsonObject] = []
        if provider not in _PROVIDERS:
            return found
        for name, registry in ports.services.registries.items():
            if account in ("", name):
                async for one in _images(name, registry, f"*{q.casefold()}*"):
                    found.append(one)
                    if len(found) == min(count, amounts.RESULTS):
                        return found
        return found

    @get("/images/tags")
    async def tags_of(
        self,
        ports: Ports,
        principal: Asking,
        provider: FromQuery[str] = "",
        account: FromQuery[str] = "",
        repository: FromQuery[str] = "",
    ) -> list[str]:
        """The tags of a repository."""
        if provider not in _PROVIDERS or not repository:
            return []
        return list(await _registry(ports, account).tags(repository))


async def _images(account: str, registry: ImageRegistry, pattern: str) -> AsyncIterator[JsonObject]:
    for repository in await registry.repositories():
        for tag in await registry.tags(repository):
            name = f"{repository}:{tag}"
            if fnmatch.fnmatchcase(name.casefold(), pattern):
                yield {
                    "account": account,
                    "registry": registry.host,
                    "repository": repository,
                    "tag": tag,
                    "imageName": name,
                    "artifact": {
                        "type": "docker/image",
                        "name": f"{registry.host}/{repository}",
                        "version": tag,
                        "reference": f"{registry.host}/{name}",
                    },
                }


def _registry(ports: WebPorts, account: str) -> ImageRegistry:
    found = ports.services.registries.get(account)
    if found is None:
        known = ", ".join(ports.services.registries) or "none"
        raise Refused(
            Problem(
                code="account.unknown",
                message=f"There is no registry account {account!r}.",
                remedy=f"Accounts: {known}.",
            ),
            status=404,
        )
    return found
