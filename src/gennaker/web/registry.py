"""The image registry's HTTP API: the OCI distribution specification over the port ImageStore.

An ASGI application of its own, on its own listener (it owns `/v2`). Written without the web framework, because repository
names hold slashes and bodies are streams of gigabytes that must be neither buffered nor parsed.

Reference: github.com/opencontainers/distribution-spec, spec.md (end-1 … end-13). Signing in is `registry_door`'s business.
It is meant for loopback, and requests that a web page could make a browser send (another host's name, an Origin) are refused.
"""

from collections.abc import Awaitable, Callable, Mapping

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from gennaker.access.refusals import Refusals, sender_of
from gennaker.interfaces.clock import Clock
from gennaker.interfaces.registry import ImageStore, StoredBlob
from gennaker.model import codec
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.transport import blobs
from gennaker.transport.images import manifests
from gennaker.web import host_names, registry_answers, registry_audit, registry_requests
from gennaker.web.registry_answers import Answer
from gennaker.web.registry_requests import ClientGone, Request, refusal

log = structlog.get_logger()

_Handler = Callable[[Request], Awaitable[Answer]]


def create(images: ImageStore, *, refusals: Refusals, clock: Clock) -> ASGIApp:
    """The registry as an ASGI application.

    The store records what is changed; `refusals` gets what is refused (docs/decisions/0009).
    """
    return _Registry(images, refusals=refusals, clock=clock)


class _Registry:
    """Routes, checks names and turns refusals into answers; `_Handlers` does the rest."""

    def __init__(self, images: ImageStore, *, refusals: Refusals, clock: Clock) -> None:
        self._refusals = refusals
        self._clock = clock
        self._handlers = _Handlers(images).table()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            return
        try:
            answer = await self._answer(scope, receive)
        except ClientGone:
            log.info("registry.client_gone", method=scope["method"], path=scope["path"])
            return
        await registry_answers.send(send, answer, is_head=scope["method"] == "HEAD")

    async def _answer(self, scope: HTTPScope, receive: Receive) -> Answer:
        try:
            return await self._answer_to(registry_requests.read(scope, receive))
        except Refused as refused:
            return registry_answers.errors(refused.problems, refused.status)
        except ClientGone:
            raise
        except Exception as error:
            log.exception("registry.failed", method=scope["method"], path=scope["path"])
            message = f"The registry failed: {str(error) or type(error).__name__}."
            problem = Problem(code="registry.unknown", message=message, remedy="The server's log has the details.")
            return registry_answers.errors((problem,), 500)

    async def _answer_to(self, request: Request) -> Answer:
        try:
            self._check_sender(request)
            return await self._handler(request)(request)
        except Refused as refused:
            await self._record(request, refused)
            raise

    async def _record(self, request: Request, refused: Refused) -> None:
        entry = registry_audit.refusal(request, refused, self._clock.now())
        if entry is not None:
            await self._refusals.tell(entry, sender=sender_of(request.principal, request.address))

    def _handler(self, request: Request) -> _Handler:
        method = "GET" if request.method == "HEAD" else request.method
        handler = self._handlers.get((request.kind, method))
        if handler is None:
            raise refusal("unsupported", f"{request.method} is not supported here.", status=405)
        return handler

    def _check_sender(self, request: Request) -> None:
        host = request.headers.get("host", "")
        if not host_names.is_this_machine(host):
            raise refusal("denied", f"This registry isn't known as {host[:100]!r}.", status=403)
        if "origin" in request.headers:
            raise refusal("denied", "Web pages may not use the registry.", status=403)
        if request.repository and not manifests.is_repository(request.repository):
            raise refusal("name_invalid", f"{request.repository[:100]!r} is no repository name.", status=400)


class _Handlers:
    """What each method of each resource does."""

    def __init__(self, images: ImageStore) -> None:
        self._images = images

    def table(self) -> Mapping[tuple[str, str], _Handler]:
        return {
            ("check", "GET"): self._check,
            ("catalog", "GET"): self._catalog,
            ("tags", "GET"): self._tags,
            ("manifest", "GET"): self._get_manifest,
            ("manifest", "PUT"): self._put_manifest,
            ("manifest", "DELETE"): self._delete_manifest,
            ("blob", "GET"): self._get_blob,
            ("blob", "DELETE"): self._delete_blob,
            ("uploads", "POST"): self._begin_upload,
            ("upload", "GET"): self._upload_state,
            ("upload", "PATCH"): self._append,
            ("upload", "PUT"): self._finish_upload,
            ("upload", "DELETE"): self._cancel_upload,
            ("referrers", "GET"): self._referrers,
        }

    async def _check(self, request: Request) -> Answer:
        return registry_answers.as_json({})

    async def _catalog(self, request: Request) -> Answer:
        limit = registry_requests.limit_of(request)
        found = await self._images.repositories(after=request.query.get("last", ""), limit=limit + 1)
        return registry_answers.page({"repositories": list(found[:limit])}, found, limit, path="/v2/_catalog")

    async def _tags(self, request: Request) -> Answer:
        limit = registry_requests.limit_of(request)
        found = await self._images.tags(request.repository, after=request.query.get("last", ""), limit=limit + 1)
        if found is None:
            raise refusal("name_unknown", f"There is no repository {request.repository}.", status=404)
        listed: JsonObject = {"name": request.repository, "tags": list(found[:limit])}
        return registry_answers.page(listed, found, limit, path=f"/v2/{request.repository}/tags/list")

    async def _get_manifest(self, request: Request) -> Answer:
        reference = registry_requests.reference_of(request)
        found = await self._images.manifest(request.repository, reference)
        if found is None:
            raise refusal("manifest_unknown", f"There is no image {request.repository}:{reference}.", status=404)
        headers = {"content-type": found.media_type, "docker-content-digest": found.digest, "etag": f'"{found.digest}"'}
        return Answer(status=200, headers=headers, body=found.body)

    async def _put_manifest(self, request: Request) -> Answer:
        reference = registry_requests.reference_of(request)
        body = await registry_requests.whole(request.body(), manifests.LIMIT_BYTES)
        media_type = request.headers.get("content-type", "").partition(";")[0].strip()
        stored = await self._images.put_manifest(
            request.repository, reference, media_type=media_type, body=body, by=request.principal
        )
        log.info(
            "registry.pushed",
            repository=request.repository,
            reference=reference,
            digest=stored.digest,
            by=request.principal.name,
        )
        return registry_answers.created_manifest(request.repository, reference, stored)

    async def _delete_manifest(self, request: Request) -> Answer:
        reference = registry_requests.reference_of(request)
        if not await self._images.delete_manifest(request.repository, reference, by=request.principal):
            raise refusal("manifest_unknown", f"There is no image {request.repository}:{reference}.", status=404)
        return Answer(status=202)

    async def _get_blob(self, request: Request) -> Answer:
        blob = await self._images.blob(request.repository, registry_requests.digest_of(request))
        if blob is None:
            raise registry_requests.no_blob(request)
        headers = {
            "content-type": "application/octet-stream",
            "docker-content-digest": blob.digest,
            "accept-ranges": "bytes",
            "etag": f'"{blob.digest}"',
        }
        wanted = registry_requests.range_of(request.headers.get("range", ""), blob.size_bytes)
        start, end = wanted or (0, blob.size_bytes)
        if wanted is not None:
            headers["content-range"] = f"bytes {start}-{end - 1}/{blob.size_bytes}"
        stream = None if request.method == "HEAD" else self._images.read_blob(blob.digest, start=start, end=end)
        return Answer(status=206 if wanted else 200, headers=headers, stream=stream, length=end - start)

    async def _delete_blob(self, request: Request) -> Answer:
        if not await self._images.delete_blob(
            request.repository, registry_requests.digest_of(request), by=request.principal
        ):
            raise registry_requests.no_blob(request)
        return Answer(status=202)

    async def _begin_upload(self, request: Request) -> Answer:
        mount, source = request.query.get("mount", ""), request.query.get("from", "")
        is_mountable = blobs.is_digest(mount) and manifests.is_repository(source)
        if is_mountable and await self._images.mount_blob(mount, repository=request.repository, source=source):
            return registry_answers.created_blob(request.repository, mount)
        upload = await self._images.begin_upload(request.repository)
        digest = request.query.get("digest", "")
        if not digest:
            return registry_answers.upload_state(request.repository, upload, 0, status=202)
        try:
            return await self._receive_rest(request, upload, digest)
        except BaseException:
            # Nobody knows the upload's name but this request.
            await self._images.cancel_upload(request.repository, upload)
            raise

    async def _upload_state(self, request: Request) -> Answer:
        size = await self._images.upload_size(request.repository, registry_requests.upload_of(request))
        if size is None:
            raise registry_requests.no_upload(request)
        return registry_answers.upload_state(request.repository, registry_requests.upload_of(request), size, status=204)

    async def _append(self, request: Request) -> Answer:
        offset = registry_requests.offset_of(request.headers.get("content-range", ""))
        size = await self._images.append(
            request.repository, registry_requests.upload_of(request), request.body(), offset=offset
        )
        return registry_answers.upload_state(request.repository, registry_requests.upload_of(request), size, status=202)

    async def _finish_upload(self, request: Request) -> Answer:
        return await self._receive_rest(request, registry_requests.upload_of(request), request.query.get("digest", ""))

    async def _receive_rest(self, request: Request, upload: str, digest: str) -> Answer:
        offset = registry_requests.offset_of(request.headers.get("content-range", ""))
        await self._images.append(request.repository, upload, request.body(), offset=offset)
        blob: StoredBlob = await self._images.finish_upload(request.repository, upload, digest)
        return registry_answers.created_blob(request.repository, blob.digest)

    async def _cancel_upload(self, request: Request) -> Answer:
        if not await self._images.cancel_upload(request.repository, registry_requests.upload_of(request)):
            raise registry_requests.no_upload(request)
        return Answer(status=204)

    async def _referrers(self, request: Request) -> Answer:
        found = await self._images.referrers(request.repository, registry_requests.digest_of(request))
        wanted = request.query.get("artifactType", "")
        listed: list[Json] = [
            registry_answers.descriptor(entry) for entry in found if wanted in ("", entry.artifact_type)
        ]
        index: JsonObject = {"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": listed}
        headers = {"content-type": manifests.OCI_INDEX}
        if wanted:
            headers["oci-filters-applied"] = "artifactType"
        return Answer(status=200, headers=headers, body=codec.encode(index))
