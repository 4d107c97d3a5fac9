"""An API server of Kubernetes in memory, as far as Gennaker uses one: an HTTP transport that behaves as the real one does.

Discovery, reading with label selectors and pages, creating, replacing with versions, merge, JSON and strategic patches,
server-side apply with field managers and conflicts, deleting with owners, watches with versions that get too old.
There are no controllers: a test says what becomes of an object (`set_status`), or gives `behaviour` for each change.
"""

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs

import httpx2
from tests.fakes.kubernetes_fields import flat, merge_key, nested, owned, written
from tests.fakes.kubernetes_kinds import KINDS

Object = dict[str, Any]
Key = tuple[str, str, str]
"""Plural, namespace, name."""

_PATH = re.compile(
    r"/(?:api|apis)/(?P<version>v1|[^/]+/[^/]+)(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[a-z]+)"
    r"(?:/(?P<name>[^/]+))?(?:/(?P<sub>[a-z]+))?"
)
_NATIVE = ("v1", "apps/v1", "batch/v1", "discovery.k8s.io/v1")


class Refusal(Exception):
    """An answer that is no."""

    def __init__(self, code: int, reason: str, message: str, causes: list[Object] | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.causes = code, reason, causes or []

    @property
    def body(self) -> Object:
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
            "code": self.code,
            "details": {"causes": self.causes},
        }


class KubernetesApi(httpx2.AsyncBaseTransport):
    """The server."""

    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.managers: dict[Key, dict[str, set[Any]]] = {}
        self.logs: dict[tuple[str, str], str] = {}
        """By pod and container."""
        self.asked: list[str] = []
        self.refusals: list[httpx2.Response] = []
        """Answers that are given instead of the next ones."""
        self.is_down = False
        self.unanswered = ""
        """Name of an object: a change of it (or of its part: `web/scale`), other than a dry run, waits for ever."""
        self.answers_before = False
        """It is made before it waits: only the answer doesn't come."""
        self.instead: dict[str, httpx2.Response | httpx2.TransportError] = {}
        """By an object's name: what comes instead of the answer to a change of it, which is made."""
        self.waits_at = False
        """Such a change has come."""
        self.is_behind = False
        """Watches don't show what has changed, until somebody changes more once it is no longer so."""
        self.held: set[str] = set()
        """Names of objects that finalizers hold."""
        self.invalid: dict[str, str] = {}
        """What is wrong with objects of these names."""
        self.absent: set[str] = set()
        """Namespaces that aren't there until somebody makes them."""
        self.forbidden: dict[str, str] = {}
        """What is answered with 403, by method and plural."""
        self.behaviour: Callable[[KubernetesApi, str, Object], None] | None = None
        """Called after each change with the type of the event and the object: a test's controllers."""
        self.events: list[tuple[int, str, Key, Object]] = []
        self.oldest = 0
        self._version = itertools.count(101)
        self._uid = itertools.count(1)
        self._second = itertools.count(1)
        self._changed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._latest = 100

    # ------------------------------------------------------------------ what tests do

    def object(self, plural: str, name: str, namespace: str = "shop") -> Object:
        return self.objects[plural, namespace, name]

    def names(self, plural: str, namespace: str = "shop") -> list[str]:
        return [name for (kind, space, name) in self.objects if (kind, space) == (plural, namespace)]

    def put(self, manifest: Object, namespace: str = "shop", *, manager: str = "kubectl") -> Object:
        """Somebody else makes an object, or changes it."""
        plural = self._plural(manifest)
        own = {**manifest, "metadata": {"namespace": namespace, **manifest["metadata"]}}
        key = (plural, namespace, own["metadata"]["name"])
        if key in self.objects:
            return self._store(key, {**own, "metadata": {**self.objects[key]["metadata"], **own["metadata"]}}, manager)
        return self._create(key, own, manager)

    def set_status(self, plural: str, name: str, status: Object, namespace: str = "shop") -> None:
        key = (plural, namespace, name)
        found = self.objects[key]
        observed = found["metadata"]["generation"]
        self._emit("MODIFIED", key, {**found, "status": {"observedGeneration": observed, **status}})

    def remove(self, plural: str, name: str, namespace: str = "shop") -> None:
        self._delete((plural, namespace, name))

    def forget_history(self) -> None:
        """Watches from older versions get 410 from now on, and those that run are cut."""
        self.oldest = self._latest + 1
        self._latest = next(self._version)
        self._wake()

    # ------------------------------------------------------------------ HTTP

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        query = {key: values[0] for key, values in parse_qs(request.url.query.decode()).items()}
        self.asked.append(f"{request.method} {path}")
        if (
            self._loop is not asyncio.get_running_loop()
        ):  # a test may run its server several times, each in a loop of its own
            self._loop, self._changed = asyncio.get_running_loop(), asyncio.Event()
        if self.is_down:
            raise httpx2.ConnectError("connection refused")
        if self.refusals:
            return self.refusals.pop(0)
        body = await request.aread()
        if (
            self.unanswered
            and request.method in ("PATCH", "DELETE")
            and "dryRun" not in query
            and path.endswith(f"/{self.unanswered}")
        ):
            if self.answers_before:
                self._answered(request, path, query, body)
            self.waits_at = True
            await asyncio.Event().wait()
        try:
            answer = self._answered(request, path, query, body)
        except Refusal as refusal:
            return httpx2.Response(refusal.code, json=refusal.body)
        is_change = request.method != "GET" and "dryRun" not in query
        instead = self.instead.get(path.rpartition("/")[2], answer) if is_change else answer
        if isinstance(instead, Exception):
            raise instead
        return instead

    def _answered(self, request: httpx2.Request, path: str, query: dict[str, str], body: bytes) -> httpx2.Response:
        found = _PATH.fullmatch(path)
        if found is None:
            return self._discovered(path)
        version, plural = found["version"], found["plural"]
        if not any((one[0], one[2]) == (version, plural) for one in KINDS):
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        if said := self.forbidden.get(f"{request.method} {plural}"):
            raise Refusal(403, "Forbidden", said)
        namespace, name = found["namespace"] or "", found["name"] or ""
        if query.get("watch") == "true":
            return self._watched(version, plural, namespace, query)
        if found["sub"] == "log":
            return self._log(name, query)
        if not name and request.method == "GET":
            return httpx2.Response(200, json=self._page(version, plural, namespace, query))
        if plural == "namespaces" and request.method != "GET" and "dryRun" not in query:
            self.absent.discard(name)
        if namespace in self.absent and request.method != "GET":
            raise Refusal(404, "NotFound", f'namespaces "{namespace}" not found')
        media = request.headers.get("content-type", "")
        answer = self._changed_by(request.method, (plural, namespace, name), query, json.loads(body or b"null"), media)
        return httpx2.Response(201 if request.method == "POST" else 200, json=answer)

    def _discovered(self, path: str) -> httpx2.Response:
        version = path.removeprefix("/apis/").removeprefix("/api/")
        kinds = [one for one in KINDS if one[0] == version]
        verbs = ["get", "list", "watch", "create", "patch", "delete"]
        if kinds:
            listed = [{"name": p, "kind": k, "namespaced": n, "verbs": verbs} for _, k, p, n in kinds]
            return httpx2.Response(200, json={"kind": "APIResourceList", "resources": listed})
        versions = list(dict.fromkeys(one[0] for one in KINDS if one[0].startswith(f"{version}/")))
        if not versions:
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        groups = [{"groupVersion": one} for one in versions]
        return httpx2.Response(200, json={"kind": "APIGroup", "versions": groups, "preferredVersion": groups[0]})

    def _changed_by(self, method: str, key: Key, query: dict[str, str], body: Any, media: str) -> Object:
        manager, is_dry = query.get("fieldManager", "unknown"), "dryRun" in query
        if method == "POST":
            metadata = body.setdefault("metadata", {})
            name = metadata.get("name") or f"{metadata['generateName']}{next(self._uid):05d}"
            key = (key[0], key[1], name)
            self._validate((key[0], key[1], metadata.get("name") or metadata["generateName"]))
            self._allocate(key, body)
            if key in self.objects:
                raise Refusal(409, "AlreadyExists", f'{key[0]} "{name}" already exists')
            return body if is_dry else self._create(key, {**body, "metadata": {**metadata, "name": name}}, manager)
        if method == "PATCH" and media.startswith("application/apply-patch"):
            return self._applied(key, body, manager, query)
        there = self.objects.get(key)
        if there is None:
            raise Refusal(404, "NotFound", f'{key[0]} "{key[2]}" not found')
        match method:
            case "GET":
                return there
            case "PUT":
                if body["metadata"].get("resourceVersion") not in (None, there["metadata"]["resourceVersion"]):
                    raise Refusal(409, "Conflict", "the object has been modified")
                self._validate(key)
                replaced = {**body, "metadata": {**there["metadata"], **body["metadata"]}}
                return replaced if is_dry else self._store(key, replaced, manager)
            case "DELETE":
                return self._deleted(key, body or {})
            case _:
                patched = _patched(there, body, media)
                return patched if is_dry else self._store(key, patched, manager)

    def _deleted(self, key: Key, options: Object) -> Object:
        there = self.objects[key]
        uid = there["metadata"]["uid"]
        if options.get("preconditions", {}).get("uid", uid) != uid:
            raise Refusal(409, "Conflict", f"Precondition failed: UID in object meta: {uid}")
        if key[2] in self.held:
            leaving = {**there["metadata"], "deletionTimestamp": "2026-01-01T01:00:00Z"}
            return self._emit("MODIFIED", key, {**there, "metadata": leaving})
        self._delete(key, orphans=options.get("propagationPolicy") == "Orphan")
        return {"kind": "Status", "status": "Success"}

    # ------------------------------------------------------------------ objects

    def _create(self, key: Key, body: Object, manager: str) -> Object:
        uid = f"uid-{next(self._uid)}"
        minute, second = divmod(next(self._second), 60)
        created = f"2026-01-01T00:{minute:02d}:{second:02d}Z"
        metadata = {**body["metadata"], "uid": uid, "creationTimestamp": created, "generation": 1}
        if key[1]:
            metadata["namespace"] = key[1]
        self.managers[key] = {manager: set(flat(owned(body)))}
        return self._emit("ADDED", key, {**body, "metadata": metadata})

    def _store(self, key: Key, body: Object, manager: str) -> Object:
        there = self.objects[key]
        before, after = flat(owned(there)), flat(owned(body))
        changed = {path for path in after if before.get(path) != after[path]}
        if not changed and before.keys() == after.keys() and there.get("status") == body.get("status"):
            return there
        managers = self.managers[key]
        for paths in managers.values():
            paths.difference_update(changed, before.keys() - after.keys())
        managers.setdefault(manager, set()).update(changed)
        generation = there["metadata"]["generation"] + (there.get("spec") != body.get("spec"))
        return self._emit("MODIFIED", key, {**body, "metadata": {**body["metadata"], "generation": generation}})

    def _validate(self, key: Key) -> None:
        if said := self.invalid.get(key[2]):
            causes = [{"reason": "FieldValueInvalid", "message": said, "field": "spec"}]
            raise Refusal(422, "Invalid", f"{key[2]} is invalid: {said}", causes)

    def _allocate(self, key: Key, body: Object) -> None:
        """Ports and addresses of Services, also in dry runs, and before names are compared: as the real one."""
        if key[0] != "services":
            return
        spec: Object = body.get("spec", {})
        taken: list[Object] = [
            one.get("spec", {}) for (plural, _, _), one in self.objects.items() if plural == "services"
        ]
        ports = {port.get("nodePort") for one in taken for port in one.get("ports", [])}
        for place, one in enumerate(spec.get("ports", [])):
            if (port := one.get("nodePort")) and port in ports:
                said = f"spec.ports[{place}].nodePort: Invalid value: {port}: provided port is already allocated"
                raise Refusal(422, "Invalid", f'Service "{key[2]}" is invalid: {said}')
        address = spec.get("clusterIP")
        if address not in (None, "None") and any(one.get("clusterIP") == address for one in taken):
            said = f'spec.clusterIPs: Invalid value: ["{address}"]: failed to allocate IP {address}: provided IP is already allocated'
            raise Refusal(422, "Invalid", f'Service "{key[2]}" is invalid: {said}')
        health = spec.get("healthCheckNodePort")
        if health and any(one.get("healthCheckNodePort") == health for one in taken):
            said = f"failed to allocate requested HealthCheck NodePort {health}: provided port is already allocated"
            raise Refusal(500, "InternalError", f"Internal error occurred: {said}")

    def _applied(self, key: Key, body: Object, manager: str, query: dict[str, str]) -> Object:
        self._validate(key)
        if body["metadata"].get("managedFields") is not None:
            raise Refusal(400, "BadRequest", "metadata.managedFields must be nil")
        wanted = flat(owned(body))
        there = self.objects.get(key)
        if there is None:
            return body if query.get("dryRun") else self._create(key, body, manager)
        live, managers = flat(owned(there)), self.managers[key]
        conflicts = [
            (other, path)
            for other, paths in managers.items()
            for path in sorted(paths & wanted.keys(), key=str)
            if other != manager and live.get(path) != wanted[path]
        ]
        if conflicts and query.get("force") != "true":
            causes = [
                {"reason": "FieldManagerConflict", "message": f'conflict with "{other}"', "field": written(path)}
                for other, path in conflicts
            ]
            raise Refusal(409, "Conflict", f"Apply failed with {len(causes)} conflicts", causes)
        elsewhere: set[Any] = set().union(*(paths for other, paths in managers.items() if other != manager))
        dropped = managers.get(manager, set()) - wanted.keys() - elsewhere
        made = {path: value for path, value in live.items() if path not in dropped} | wanted
        merged = nested(made)
        kept = {name: value for name, value in there["metadata"].items() if name not in ("labels", "annotations")}
        merged = {**merged, "metadata": {**kept, **merged.get("metadata", {})}}
        if "status" in there:
            merged["status"] = there["status"]
        if query.get("dryRun"):
            return merged
        for _, path in conflicts:
            for paths in managers.values():
                paths.discard(path)
        managers[manager] = set(wanted)
        generation = there["metadata"]["generation"] + (there.get("spec") != merged.get("spec"))
        merged["metadata"]["generation"] = generation
        if merged == there:
            return there
        return self._emit("MODIFIED", key, merged)

    def _delete(self, key: Key, *, orphans: bool = False) -> None:
        gone = self.objects.pop(key)
        self.managers.pop(key, None)
        self._emit("DELETED", key, gone)
        uid = gone["metadata"]["uid"]
        owned = [
            other
            for other, one in self.objects.items()
            if any(owner.get("uid") == uid for owner in one["metadata"].get("ownerReferences", []))
        ]
        for other in owned:
            if not orphans and other in self.objects:
                self._delete(other)

    def _emit(self, what: str, key: Key, body: Object) -> Object:
        self._latest = next(self._version)
        body = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self._latest)}}
        if what != "DELETED":
            self.objects[key] = body
        self.events.append((self._latest, what, key, body))
        self._wake()
        if self.behaviour is not None:
            self.behaviour(self, what, body)
        return self.objects.get(key, body)

    def _wake(self) -> None:
        woken, self._changed = self._changed, asyncio.Event()
        woken.set()

    def _page(self, version: str, plural: str, namespace: str, query: dict[str, str]) -> Object:
        kind = next(one[1] for one in KINDS if (one[0], one[2]) == (version, plural))
        found = [
            one
            for (other, space, _), one in self.objects.items()
            if other == plural and (not namespace or space == namespace) and _fits(one, query.get("labelSelector", ""))
        ]
        start, limit = int(query.get("continue", "0")), int(query.get("limit", "1000000"))
        following = str(start + limit) if start + limit < len(found) else ""
        untyped = [{k: v for k, v in one.items() if k not in ("apiVersion", "kind")} for one in found]
        return {
            "apiVersion": version,
            "kind": f"{kind}List",
            "metadata": {"resourceVersion": str(self._latest), "continue": following},
            "items": untyped[start : start + limit],
        }

    def _log(self, pod: str, query: dict[str, str]) -> httpx2.Response:
        text = self.logs.get((pod, query.get("container", "")))
        if text is None:
            raise Refusal(404, "NotFound", f'pods "{pod}" not found')
        lines = int(query.get("tailLines", "1000000"))
        return httpx2.Response(200, content="\n".join(text.split("\n")[-lines:]).encode())

    def _watched(self, version: str, plural: str, namespace: str, query: dict[str, str]) -> httpx2.Response:
        since = int(query.get("resourceVersion") or self._latest)
        if since < self.oldest:
            raise Refusal(410, "Expired", "too old resource version")

        async def events() -> AsyncIterator[bytes]:
            last = since
            try:
                async with asyncio.timeout(float(query.get("timeoutSeconds", "60"))):
                    while not self.is_down and last >= self.oldest:
                        waiting = self._changed
                        for number, what, (other, space, _), body in [] if self.is_behind else list(self.events):
                            if number > last and other == plural and (not namespace or space == namespace):
                                yield json.dumps({"type": what, "object": body}).encode() + b"\n"
                        last = last if self.is_behind else max(last, self._latest)
                        await waiting.wait()
            except TimeoutError:
                return

        return httpx2.Response(200, content=events())

    def _plural(self, manifest: Object) -> str:
        return next(one[2] for one in KINDS if one[1] == manifest["kind"])


def _patched(there: Object, patch: Any, media: str) -> Object:
    if media.startswith("application/json-patch"):
        return _json_patched(there, patch)
    if media.startswith("application/strategic-merge-patch"):
        if there["apiVersion"] not in _NATIVE:
            raise Refusal(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
        merged: Object = _strategic(there, patch)
        return merged
    patched: Object = _merged(there, patch)
    return patched


def _merged(there: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    made = dict(there) if isinstance(there, dict) else {}
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = _merged(made.get(key), value)
    return made


def _strategic(there: Any, patch: Any) -> Any:
    if isinstance(patch, list) and isinstance(there, list) and (merge := merge_key([*patch, *there])):
        made = {one[merge]: one for one in there}
        for one in patch:
            made[one[merge]] = _strategic(made.get(one[merge]), one)
        return list(made.values())
    if not isinstance(patch, dict):
        return patch
    result = dict(there) if isinstance(there, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _strategic(result.get(key), value)
    return result


def _json_patched(there: Object, operations: list[Object]) -> Object:
    made: Object = json.loads(json.dumps(there))
    for one in operations:
        parts = [part.replace("~1", "/").replace("~0", "~") for part in one["path"].split("/")[1:]]
        holder: Any = made
        for part in parts[:-1]:
            holder = holder[int(part)] if isinstance(holder, list) else holder.get(part)
            if holder is None:
                raise Refusal(422, "Invalid", f"the server rejected our request: missing path {one['path']}")
        if one["op"] in ("remove", "replace") and parts[-1] not in holder:
            raise Refusal(422, "Invalid", f"the server rejected our request: missing path {one['path']}")
        if parts[-1] == "-":
            holder.append(one["value"])
        elif one["op"] == "remove":
            del holder[parts[-1]]
        else:
            holder[parts[-1]] = one["value"]
    return made


def _fits(one: Object, selector: str) -> bool:
    labels = one["metadata"].get("labels") or {}
    for part in filter(None, (piece.strip() for piece in re.split(r",(?![^(]*\))", selector))):
        if found := re.fullmatch(r"(\S+?)\s*(!=|==|=)\s*(\S+)", part):
            is_fit = (labels.get(found[1]) == found[3]) == (found[2] != "!=")
        elif found := re.fullmatch(r"(\S+) (in|notin) \((.*)\)", part):
            values = [value.strip() for value in found[3].split(",")]
            is_fit = (labels.get(found[1]) in values) == (found[2] == "in")
        else:
            is_fit = (part.lstrip("!") in labels) == (not part.startswith("!"))
        if not is_fit:
            return False
    return True
