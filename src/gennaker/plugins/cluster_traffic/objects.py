"""Objects of one namespace: reading and changing them; what the API server says of them becomes a problem."""

from collections.abc import Iterator
from contextlib import contextmanager

from gennaker.interfaces.api_servers import ApiFailure, ApiRefusal, ApiServer
from gennaker.model import foreign
from gennaker.model.codec import JsonObject, decode_json, encode
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import problems

_NOT_FOUND, _CONFLICT, _UNAVAILABLE = 404, 409, 503
_APPLY = "application/apply-patch+yaml"
_MANAGER = "gennaker"


class Objects:
    """Those that a load balancer consists of. All raise Refused."""

    def __init__(self, server: ApiServer, namespace: str) -> None:
        """Without a namespace those of the account's own; asks nothing yet."""
        self._server = server
        self.namespace = namespace or server.namespace

    async def version(self, group: str) -> str:
        """The API version of a group that the cluster prefers; empty: it hasn't the group."""
        with self._said(group):
            for is_anew in (False, True):
                if versions := await self._server.versions(group, anew=is_anew):
                    return versions[0]
        return ""

    async def get(
        self, api_version: str, plural: str, name: str, *, namespace: str = "", is_cluster_wide: bool = False
    ) -> JsonObject | None:
        """One; None: there is none."""
        path = self._path(api_version, plural, name, namespace=namespace)
        if is_cluster_wide:
            path = f"/apis/{api_version}/{plural}/{name}"
        with self._said(f"{plural}/{name}"):
            try:
                return foreign.mapping(decode_json(await self._server.request("GET", path)))
            except ApiRefusal as refusal:
                if refusal.status != _NOT_FOUND:
                    raise
        return None

    async def list(self, api_version: str, plural: str, selector: str) -> dict[str, JsonObject]:
        """By name."""
        with self._said(plural):
            body = await self._server.request("GET", self._path(api_version, plural), query={"labelSelector": selector})
        found = foreign.mappings_at(decode_json(body), "items")
        return {foreign.text_at(foreign.mapping(one.get("metadata")), "name"): one for one in found}

    async def apply(self, plural: str, manifest: JsonObject) -> None:
        """Makes it so, whoever has changed it."""
        name = foreign.text_at(foreign.mapping(manifest["metadata"]), "name")
        path = self._path(foreign.text_at(manifest, "apiVersion"), plural, name)
        query = {"fieldManager": _MANAGER, "force": "true", "fieldValidation": "Strict"}
        with self._said(f"{plural}/{name}"):
            await self._server.request("PATCH", path, query=query, body=encode(manifest), media=_APPLY)

    async def replace(self, plural: str, manifest: JsonObject) -> JsonObject | None:
        """Puts it in the place of the version that it was read as; None: it is another one by now, or gone."""
        name = foreign.text_at(foreign.mapping(manifest["metadata"]), "name")
        path = self._path(foreign.text_at(manifest, "apiVersion"), plural, name)
        with self._said(f"{plural}/{name}"):
            try:
                answer = await self._server.request(
                    "PUT", path, query={"fieldManager": _MANAGER}, body=encode(manifest)
                )
            except ApiRefusal as refusal:
                if refusal.status not in (_CONFLICT, _NOT_FOUND):
                    raise
                return None
        return foreign.mapping(decode_json(answer))

    async def delete(self, api_version: str, plural: str, name: str) -> None:
        """Deletes; what isn't there is no error."""
        with self._said(f"{plural}/{name}"):
            try:
                await self._server.request("DELETE", self._path(api_version, plural, name))
            except ApiRefusal as refusal:
                if refusal.status != _NOT_FOUND:
                    raise

    async def pods(self) -> dict[str, JsonObject]:
        """References to the pods that run, by address."""
        with self._said("pods"):
            seen = await self._server.seen(self._path("v1", "pods"))
        found: dict[str, JsonObject] = {}
        for (namespace, name), pod in seen.items():
            status, spec = foreign.mapping(pod.get("status")), foreign.mapping(pod.get("spec"))
            # The address of a pod in its node's network, or of one that has ended, may be somebody else's.
            if foreign.text_at(status, "phase") == "Running" and not foreign.flag(spec.get("hostNetwork")):
                uid = foreign.text_at(foreign.mapping(pod.get("metadata")), "uid")
                reference: JsonObject = {"kind": "Pod", "namespace": namespace, "name": name, "uid": uid}
                found[foreign.text_at(status, "podIP")] = reference
        return found

    def _path(self, api_version: str, plural: str, name: str = "", *, namespace: str = "") -> str:
        root = "apis" if "/" in api_version else "api"
        path = f"/{root}/{api_version}/namespaces/{namespace or self.namespace}/{plural}"
        return f"{path}/{name}" if name else path

    @contextmanager
    def _said(self, what: str) -> Iterator[None]:
        try:
            yield
        except ApiRefusal as refusal:
            raise Refused(problems.refused(self._server.name, what, refusal), status=refusal.status) from refusal
        except ApiFailure as failure:
            raise Refused(problems.unavailable(self._server.name, str(failure)), status=_UNAVAILABLE) from failure
