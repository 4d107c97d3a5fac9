"""Objects of an account: reading and changing them, by kind and name, whatever kind it is.

Every change may be repeated: applying, patching to a value and deleting what isn't there any more do no harm twice. What
the API server refuses becomes a problem that says which object, why, and which fields.
"""

import re
from collections.abc import Mapping
from typing import NoReturn

from gennaker.interfaces.api_servers import ApiRefusal, ApiUnavailable, Resource
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, decode_json, encode
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import confidential, kinds, manifests
from gennaker.plugins.kubernetes.accounts import Account
from gennaker.plugins.kubernetes.kinds import Kind
from gennaker.plugins.kubernetes.manifests import Coordinates

FIELD_MANAGER = "gennaker"
_APPLY = "application/apply-patch+yaml"
PATCH_MEDIA = {
    "strategic": "application/strategic-merge-patch+json",
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
}
_NOT_FOUND, _CONFLICT, _MEDIA, _INVALID, _FORBIDDEN = 404, 409, 415, 422, 403
_GROUPS_OF = {
    **dict.fromkeys(("deployment", "replicaSet", "statefulSet", "daemonSet", "controllerRevision"), "apps"),
    **dict.fromkeys(("job", "cronJob"), "batch"),
    **dict.fromkeys(("role", "roleBinding", "clusterRole", "clusterRoleBinding"), "rbac.authorization.k8s.io"),
    **dict.fromkeys(("ingress", "networkPolicy"), "networking.k8s.io"),
    **dict.fromkeys(("mutatingWebhookConfiguration", "validatingWebhookConfiguration"), "admissionregistration.k8s.io"),
    "horizontalpodautoscaler": "autoscaling",
    "podDisruptionBudget": "policy",
    "storageClass": "storage.k8s.io",
    "customResourceDefinition": "apiextensions.k8s.io",
    "apiService": "apiregistration.k8s.io",
}
"""Groups of the kinds that Spinnaker knows; its others are of the core."""
_OTHER_GROUPS = tuple(sorted(kinds.NATIVE_GROUPS - {"", "core", "extensions", "settings.k8s.io"}))
"""Where a kind can be that it doesn't know, such as PriorityClass: names have no group of Kubernetes' own."""

_LOG_REMOVED = "unable to retrieve container logs for"


class Objects:
    """The objects that an account may touch."""

    def __init__(self, account: Account) -> None:
        """Nothing is asked yet."""
        self.account = account
        self._server = account.server

    async def resource(self, kind: Kind, api_version: str = "") -> Resource:
        """Where objects of a kind are, with the group's preferred version unless one is given. Raises Refused, ApiFailure."""
        found = await self.known(kind, api_version)
        if found is None:
            raise Refused(
                Problem(
                    code="kubernetes.unknown_kind",
                    message=f"The cluster of {self.account.name} has no kind {kind}"
                    + (f" of the API version {api_version}." if api_version else "."),
                    remedy="Look at its apiVersion, or install its CustomResourceDefinition first.",
                )
            )
        return found

    async def known(self, kind: Kind, api_version: str = "") -> Resource | None:
        """As `resource`; None: the cluster has no such kind. Raises ApiFailure."""
        for is_anew in (False, True):
            for group in _groups(kind):
                versions = (api_version,) if api_version else await self._server.versions(group, anew=is_anew)
                for version in versions:
                    for one in await self._server.resources(version, anew=is_anew):
                        if one.kind.lower() == kind.name.lower():
                            return one
                if api_version:
                    break
        return None

    async def get(self, where: Coordinates, subresource: str = "") -> JsonObject | None:
        """A live object, or a part of its own such as `scale`; None: there is none. Raises Refused, ApiFailure."""
        resource = await self._allowed(where)
        try:
            return _object(await self._server.request("GET", self._path(resource, where, subresource)))
        except ApiRefusal as refusal:
            if refusal.status == _NOT_FOUND:
                return None
            self._refuse(refusal, where.full_name)

    async def list_anywhere(
        self, kind: Kind, namespace: str, selector: str = "", *, fields: str = ""
    ) -> list[JsonObject]:
        """The live objects of a kind, without a namespace those of all; `fields`: a field selector. Raises Refused, ApiFailure."""
        resource = await self.resource(kind)
        self.account.check(kind, namespace if resource.is_namespaced else "")
        path = resource.path(namespace)
        asked = {"labelSelector": selector, "fieldSelector": fields}
        query = {key: value for key, value in asked.items() if value}
        try:
            page = foreign.mapping(decode_json(await self._server.request("GET", path, query=query)))
        except ApiRefusal as refusal:
            self._refuse(refusal, f"objects of the kind {kind}")
        # Items of a list don't say what they are.
        typed: JsonObject = {"apiVersion": resource.api_version, "kind": resource.kind}
        return [{**typed, **one} for one in foreign.mappings_at(page, "items")]

    async def list(self, kind: Kind, namespace: str, selector: str = "", *, fields: str = "") -> list[JsonObject]:
        """As `list_anywhere`, without a namespace those of the account's own. Raises Refused, ApiFailure."""
        return await self.list_anywhere(kind, namespace or self._server.namespace, selector, fields=fields)

    async def seen(self, where: Coordinates) -> JsonObject | None:
        """A live object as the shared watch has it; None: there is none. Raises Refused, ApiFailure."""
        all_seen = await self.all_seen(where.kind, where.namespace)
        resource = await self.resource(where.kind)
        namespace = (where.namespace or self._server.namespace) if resource.is_namespaced else ""
        return all_seen.get((namespace, where.name))

    async def all_seen(self, kind: Kind, namespace: str) -> Mapping[tuple[str, str], JsonObject]:
        """The live objects of a kind in a namespace as the shared watch has them. Raises Refused, ApiFailure."""
        resource = await self._allowed(Coordinates(kind=kind, namespace=namespace, name=""))
        try:
            return await self._server.seen(resource.path(namespace or self._server.namespace))
        except ApiRefusal as refusal:
            self._refuse(refusal, f"objects of the kind {kind}")

    async def everywhere(self, kind: Kind, namespace: str) -> Mapping[tuple[str, str], JsonObject]:
        """As `all_seen`, without a namespace those of all. Items have kind and API version. Raises Refused, ApiFailure."""
        if namespace:
            return await self.all_seen(kind, namespace)
        self.account.check(kind, "")
        try:
            return await self._server.seen((await self.resource(kind)).path())
        except ApiRefusal as refusal:
            self._refuse(refusal, f"objects of the kind {kind}")

    async def apply(self, manifest: JsonObject, *, is_forced: bool, is_dry: bool = False) -> JsonObject:
        """Applies on the server; not forced, a field of somebody else's is refused. Raises Refused, ApiFailure."""
        query = {**_strictly(is_dry=is_dry), "force": str(is_forced).lower()}
        return await self._send("PATCH", manifest, query, media=_APPLY)

    async def create(self, manifest: JsonObject, *, is_dry: bool = False) -> JsonObject:
        """Creates; where the name is made by the server, each time another one. Raises Refused, ApiFailure."""
        return await self._send("POST", manifest, _strictly(is_dry=is_dry))

    async def replace(self, manifest: JsonObject, *, is_dry: bool = False) -> JsonObject | None:
        """Puts it in the place of what is there; None: nothing is there. Raises Refused, ApiFailure."""
        where = manifests.coordinates(manifest)
        there = await self.get(where)
        if there is None:
            return None
        version = manifests.metadata(there).get("resourceVersion")
        metadata: JsonObject = {"resourceVersion": version, **manifests.metadata(manifest)}
        return await self._send("PUT", {**manifest, "metadata": metadata}, _strictly(is_dry=is_dry))

    async def patch(
        self, where: Coordinates, patch: Json, *, merge: str, subresource: str = "", is_dry: bool = False
    ) -> JsonObject:
        """Patches what is there. Raises Refused, ApiFailure."""
        resource = await self._allowed(where)
        path = self._path(resource, where, subresource)
        query = {"fieldManager": FIELD_MANAGER, **({"dryRun": "All"} if is_dry else {})}
        try:
            answer = await self._server.request(
                "PATCH", path, query=query, body=encode(patch), media=PATCH_MEDIA[merge]
            )
        except ApiRefusal as refusal:
            self._refuse(refusal, where.full_name)
        return _object(answer)

    async def delete(
        self, where: Coordinates, *, cascade: str = "background", grace_seconds: int | None = None, uid: str = ""
    ) -> bool:
        """Deletes; False: there was nothing. With `uid` only that object: another of its name is a conflict. Raises Refused, ApiFailure."""
        resource = await self._allowed(where)
        options: JsonObject = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": cascade[:1].upper() + cascade[1:],
        }
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            await self._server.request("DELETE", self._path(resource, where), body=encode(options))
        except ApiRefusal as refusal:
            if refusal.status == _NOT_FOUND:
                return False
            self._refuse(refusal, where.full_name)
        return True

    async def log(
        self, namespace: str, pod: str, container: str, *, lines: int | None = None, previous: bool = False
    ) -> str:
        """A container's log, or its end. Raises Refused, ApiFailure."""
        resource = await self._allowed(Coordinates(kind=Kind("pod"), namespace=namespace, name=pod))
        query = {"container": container} if container else {}
        if lines is not None:
            query["tailLines"] = str(lines)
        if previous:
            query["previous"] = "true"
        path = resource.path(namespace or self._server.namespace, pod, "log")
        try:
            return (await self._server.request("GET", path, query=query)).decode(errors="replace")
        except ApiRefusal as refusal:
            self._refuse(refusal, f"the log of {pod}")

    async def log_if_any(self, namespace: str, pod: str, container: str, *, lines: int) -> str:
        """The end of a container's log, of the run before if there was one; empty: there is none, or nobody may read it."""
        for previous in (True, False):
            try:
                found = await self.log(namespace, pod, container, lines=lines, previous=previous)
            except Refused:
                continue
            except ApiUnavailable:
                break
            # A kubelet that has removed a container already says so in the place of its log, with status 200.
            if not found.startswith(_LOG_REMOVED):
                return found
        return ""

    async def _allowed(self, where: Coordinates, api_version: str = "") -> Resource:
        """As `resource`, where the account may touch this object. Raises Refused, ApiFailure.

        What names no namespace goes to the server's own; a namespace is in itself.
        """
        self.account.check(where.kind, where.name if where.kind.name == "namespace" else where.namespace)
        resource = await self.resource(where.kind, api_version)
        if resource.is_namespaced and not where.namespace:
            self.account.check(where.kind, self._server.namespace)
        return resource

    async def _send(
        self, method: str, manifest: JsonObject, query: Mapping[str, str], *, media: str = "application/json"
    ) -> JsonObject:
        where = manifests.coordinates(manifest)
        resource = await self._allowed(where, foreign.text_at(manifest, "apiVersion"))
        namespace = where.namespace or self._server.namespace
        path = resource.path(namespace, "" if method == "POST" else where.name)
        try:
            answer = await self._server.request(method, path, query=query, body=encode(manifest), media=media)
        except ApiRefusal as refusal:
            self._refuse(refusal, where.full_name)
        return _object(answer)

    def _path(self, resource: Resource, where: Coordinates, subresource: str = "") -> str:
        return resource.path(where.namespace or self._server.namespace, where.name, subresource)

    def _refuse(self, refusal: ApiRefusal, what: str) -> NoReturn:
        raise Refused(_problem(refusal, what, self.account.name), status=refusal.status or 400) from refusal


def _groups(kind: Kind) -> tuple[str, ...]:
    """In which a kind is looked for."""
    if kind.group or kinds.is_known(kind):
        return (kind.group or _GROUPS_OF.get(kind.name, ""),)
    return ("", *_OTHER_GROUPS)


def _strictly(*, is_dry: bool) -> dict[str, str]:
    """The query with which whole manifests are sent: what isn't a field is refused, not left out."""
    query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
    return {**query, "dryRun": "All"} if is_dry else query


def is_conflict(refused: Refused) -> bool:
    """Whether somebody else owns a field, has changed the object meanwhile, or has made one of its name."""
    return refused.status == _CONFLICT


def _problem(refusal: ApiRefusal, what: str, account: str) -> Problem:
    is_confidential = what.startswith(_SECRET) and refusal.status not in _WITHOUT_VALUES
    shown = confidential.told if is_confidential else _shortened
    told: list[JsonObject] = [{**one, "message": shown(foreign.text_at(one, "message"))} for one in refusal.causes]
    causes = [f"{foreign.text_at(one, 'field') or 'object'}: {foreign.text_at(one, 'message')}" for one in told]
    said = shown(str(refusal))
    listed = f" ({'; '.join(causes)})" if causes and refusal.status != _INVALID else ""
    return Problem(
        code=_CODES.get(refusal.status, "kubernetes.refused"),
        message=f"{account} refused {what}: {said}{listed}",
        remedy=_CHANGED if _CHANGED_SAID in said else _REMEDIES.get(refusal.status, ""),
        details={"status": refusal.status, "reason": refusal.reason, "causes": [*told]},
    )


def _shortened(said: str) -> str:
    """Of a patch that can't be, the API server repeats the whole object."""
    return _VALUE.sub(
        lambda found: found[0] if len(found[0]) <= _LONGEST_VALUE else f'{found[0][:_LONGEST_VALUE]}…"', said
    )


def _object(body: bytes) -> JsonObject:
    return foreign.mapping(decode_json(body))


_CODES = {
    _NOT_FOUND: "kubernetes.not_found",
    _CONFLICT: "kubernetes.conflict",
    _INVALID: "kubernetes.invalid",
    _FORBIDDEN: "kubernetes.forbidden",
    _MEDIA: "kubernetes.patch_kind",
}
_SECRET = "secret "  # noqa: S105 - a kind
_WITHOUT_VALUES = frozenset({_NOT_FOUND, _CONFLICT, _FORBIDDEN, _MEDIA})
"""What is refused by these isn't refused for its content."""
_VALUE = re.compile(r'Invalid value: "(?:[^"\\]|\\.)*"')
_LONGEST_VALUE = 300
_CHANGED_SAID = "the object has been modified"
_CHANGED = "Take `metadata.resourceVersion` out of the manifest, if it is there, and deploy again."
_REMEDIES = {
    _CONFLICT: "Take these fields out of the manifest, or set strategy.spinnaker.io/server-side-apply to force-conflicts.",
    _FORBIDDEN: "Give the account's user the right to do this (RBAC), or ask whoever runs the cluster.",
    _MEDIA: "Custom resources know no strategic merge: set the stage's options.mergeStrategy to merge or json.",
}
