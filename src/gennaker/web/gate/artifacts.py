"""Gate's routes to artifacts: the accounts that can read them, what those have, and what an artifact refers to."""

from collections.abc import Awaitable, Sequence
from typing import Annotated, Any, TypeVar

from litestar import Controller, Request, Response, get, put
from litestar.params import FromPath, QueryParameter

from gennaker.interfaces import artifacts
from gennaker.interfaces.artifacts import ArtifactAccount, ArtifactCatalogue, ArtifactUnavailable
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.web import orchestrations
from gennaker.web.gate import amounts
from gennaker.web.ports import Asking, Ports, WebPorts

Found = TypeVar("Found")
Kind = Annotated[str, QueryParameter(name="type")]
ArtifactName = Annotated[str, QueryParameter(name="artifactName")]


class GateArtifactsController(Controller):
    """Routes under /artifacts."""

    @get("/artifacts/credentials")
    async def artifact_accounts(self, ports: Ports, principal: Asking) -> list[JsonObject]:
        """By which account artifacts of which types can be read."""
        found: list[JsonObject] = []
        for one in ports.services.artifacts.values():
            types: list[Json] = list(one.types)
            found.append({"name": one.name, "types": types})
        return found

    @put("/artifacts/fetch", status_code=200)
    async def fetch(self, ports: Ports, principal: Asking, request: Request[Any, Any, Any]) -> Response[bytes]:
        """What an artifact refers to, as it is."""
        artifact = orchestrations.read_object(await request.body())
        content = await _answered(artifacts.content(ports.services.artifacts, artifact))
        headers = {"content-disposition": "attachment"}
        return Response(content, media_type="application/octet-stream", headers=headers)

    @get("/artifacts/account/{account:str}/names")
    async def names(
        self, ports: Ports, principal: Asking, account: FromPath[str], kind: Kind = ""
    ) -> Response[list[str]]:
        """What artifacts of the account can be named; a header says where there are more."""
        return _some(await _answered(_catalogue(ports, account, kind).artifact_names()))

    @get("/artifacts/account/{account:str}/versions")
    async def versions(
        self,
        *,
        ports: Ports,
        principal: Asking,
        account: FromPath[str],
        kind: Kind = "",
        artifact_name: ArtifactName = "",
    ) -> Response[list[str]]:
        """The versions of one, the newest first; a header says where there are more."""
        found = _catalogue(ports, account, kind)
        if not artifact_name:
            message = "It isn't said of which artifact the versions are wanted."
            raise Refused(Problem(code="artifact.nameless", message=message, remedy="Give `artifactName`."))
        return _some(await _answered(found.artifact_versions(artifact_name)))


def _some(found: Sequence[str]) -> Response[list[str]]:
    is_cut = len(found) > amounts.RESULTS
    return Response(list(found[: amounts.RESULTS]), headers=amounts.IS_CUT if is_cut else {})


async def _answered(asked: Awaitable[Found]) -> Found:
    """Raises Refused."""
    try:
        return await asked
    except ArtifactUnavailable as error:
        raise Refused(Problem(code="artifact.unavailable", message=str(error)), status=503) from error


def _catalogue(ports: WebPorts, name: str, kind: str) -> ArtifactCatalogue:
    """The account of exactly this name and type, as Clouddriver finds it. Raises Refused: 404, or 501 of one that lists nothing."""
    if not kind:
        message = "It isn't said of which type the artifacts are."
        raise Refused(Problem(code="artifact.no_type", message=message, remedy="Give `type`, e.g. helm/chart."))
    found: ArtifactAccount | None = ports.services.artifacts.get(name)
    if found is None or kind not in found.types:
        remedy = f"It reads {' and '.join(found.types)}." if found else "See /artifacts/credentials."
        message = f"There is no artifact account {name!r} for artifacts of type {kind!r}."
        raise Refused(Problem(code="artifact.unknown_account", message=message, remedy=remedy), status=404)
    if not isinstance(found, ArtifactCatalogue):
        raise Refused(
            Problem(
                code="artifact.not_listed",
                message=f"The account {name} can read artifacts of type {kind!r}, but not list them.",
                remedy="Write the artifact's reference.",
            ),
            status=501,
        )
    return found
