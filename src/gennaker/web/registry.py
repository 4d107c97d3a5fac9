"""The image registry's HTTP API: the OCI distribution specification over the port ImageStore.

An ASGI application of its own, on its own listener (it owns `/v2`). Written without the web framework, because repository
names hold slashes and bodies are streams of gigabytes that must be neither buffered nor parsed.

Reference: github.com/opencontainers/distribution-spec, spec.md (end-1 … end-13). Signing in is `registry_door`'s business.
It is meant for loopback, and requests that a web page could make a browser send (another host's name, an Origin) are refused.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from gennaker.interfaces.audit import AuditTrail
from gennaker.interfaces.clock import Clock
from gennaker.interfaces.registry import ImageStore, Referrer, StoredBlob, StoredManifest
from gennaker.model import codec
from gennaker.model.codec import Json, JsonObject
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.transport import blobs
from gennaker.transport.images import manifests
from gennaker.web import host_names, registry_audit

log = structlog.get_logger()

_PAGE = 1000
"""Most tags or repositories in one answer."""
_CODES = frozenset(
    {
        "BLOB_UNKNOWN",
        "BLOB_UPLOAD_INVALID",
        "BLOB_UPLOAD_UNKNOWN",
        "DENIED",
        "DIGEST_INVALID",
        "MANIFEST_BLOB_UNKNOWN",
        "MANIFEST_INVALID",
        "MANIFEST_UNKNOWN",
        "NAME_INVALID",
        "NAME_UNKNOWN",
        "SIZE_INVALID",
        "UNAUTHORIZED",
        "UNSUPPORTED",
    }
)
_NAME = r"/v2/(?P<name>.+)"
_ROUTES = tuple(
    (re.compile(pattern + r"\Z"), kind)
    for pattern, kind in (
        (r"/v2/?", "check"),
        (r"/v2/_catalog", "catalog"),
        (_NAME + r"/tags/list", "tags"),
        (_NAME + r"/manifests/(?P<reference>[^/]+)", "manifest"),
        (_NAME + r"/blobs/uploads/?", "uploads"),
        (_NAME + r"/blobs/uploads/(?P<upload>[^/]+)", "upload"),
        (_NAME + r"/blobs/(?P<digest>[^/]+)", "blob"),
        (_NAME + r"/referrers/(?P<digest>[^/]+)", "referrers"),
    )
)
_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")
_CONTENT_RANGE = re.compile(r"(?:bytes[ =])?(\d+)-(\d+)(?:/.*)?\Z")
_ANYBODY = Principal(name="anonymous", via="registry")
_DIGITS = 18
"""A number of bytes with more digits than these lies beyond every file."""


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request, its body still to come."""

    method: str
    kind: str
    names: dict[str, str]
    """The variable parts of the path."""
    query: dict[str, str]
    headers: dict[str, str]
    body: Callable[[], AsyncIterator[bytes]]
    principal: Principal

    @property
    def repository(self) -> str:
        return self.names.get("name", "")


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent back. `length` counts for streams and for HEAD, where there is no body."""

    status: int
    headers: dict[str, str] = {}
    body: bytes = b""
    stream: AsyncIterator[bytes] | None = None
    length: int | None = None


class _ClientGone(Exception):
    """The client has closed the connection in the middle of its request."""


_Handler = Callable[[_Request], Awaitable[_Answer]]


def create(images: ImageStore, *, audit: AuditTrail, clock: Clock) -> ASGIApp:
    """The registry as an ASGI application.

    The store records what is changed; the trail gets the changes that are refused (docs/decisions/0009).
    """
    return _Registry(images, audit=audit, clock=clock)


class _Registry:
    """Routes, checks names and turns refusals into answers; `_Handlers` does the rest."""

    def __init__(self, images: ImageStore, *, audit: AuditTrail, clock: Clock) -> None:
        self._audit = audit
        self._clock = clock
        self._handlers = _Handlers(images).table()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            return
        try:
            answer = await self._answer(scope, receive)
        except _ClientGone:
            log.info("registry.client_gone", method=scope["method"], path=scope["path"])
            return
        await _send(send, answer, is_head=scope["method"] == "HEAD")

    async def _answer(self, scope: HTTPScope, receive: Receive) -> _Answer:
        try:
            return await self._answer_to(_read(scope, receive))
        except Refused as refused:
            return _errors(refused.problems, refused.status)
        except _ClientGone:
            raise
        except Exception as error:
            log.exception("registry.failed", method=scope["method"], path=scope["path"])
            message = f"The registry failed: {str(error) or type(error).__name__}."
            problem = Problem(code="registry.unknown", message=message, remedy="The server's log has the details.")
            return _errors((problem,), 500)

    async def _answer_to(self, request: _Request) -> _Answer:
        try:
            self._check_sender(request)
            return await self._handler(request)(request)
        except Refused as refused:
            await self._record(request, refused)
            raise

    async def _record(self, request: _Request, refused: Refused) -> None:
        by, at = request.principal, self._clock.now()
        entry = registry_audit.refusal(request.kind, request.method, request.names, by=by, refused=refused, at=at)
        if entry is not None:
            await self._audit.record(entry)

    def _handler(self, request: _Request) -> _Handler:
        method = "GET" if request.method == "HEAD" else request.method
        handler = self._handlers.get((request.kind, method))
        if handler is None:
            raise _refusal("unsupported", f"{request.method} is not supported here.", status=405)
        return handler

    def _check_sender(self, request: _Request) -> None:
        host = request.headers.get("host", "")
        if not host_names.is_this_machine(host):
            raise _refusal("denied", f"This registry isn't known as {host!r}.", status=403)
        if "origin" in request.headers:
            raise _refusal("denied", "Web pages may not use the registry.", status=403)
        if request.repository and not manifests.is_repository(request.repository):
            raise _refusal("name_invalid", f"{request.repository[:100]!r} is no repository name.", status=400)


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

    async def _check(self, request: _Request) -> _Answer:
        return _json({})

    async def _catalog(self, request: _Request) -> _Answer:
        limit = _limit(request)
        found = await self._images.repositories(after=request.query.get("last", ""), limit=limit + 1)
        return _page({"repositories": list(found[:limit])}, found, limit, path="/v2/_catalog")

    async def _tags(self, request: _Request) -> _Answer:
        limit = _limit(request)
        found = await self._images.tags(request.repository, after=request.query.get("last", ""), limit=limit + 1)
        if found is None:
            raise _refusal("name_unknown", f"There is no repository {request.repository}.", status=404)
        listed: JsonObject = {"name": request.repository, "tags": list(found[:limit])}
        return _page(listed, found, limit, path=f"/v2/{request.repository}/tags/list")

    async def _get_manifest(self, request: _Request) -> _Answer:
        reference = _reference(request)
        found = await self._images.manifest(request.repository, reference)
        if found is None:
            raise _refusal("manifest_unknown", f"There is no image {request.repository}:{reference}.", status=404)
        headers = {"content-type": found.media_type, "docker-content-digest": found.digest, "etag": f'"{found.digest}"'}
        return _Answer(status=200, headers=headers, body=found.body)

    async def _put_manifest(self, request: _Request) -> _Answer:
        reference = _reference(request)
        body = await _whole(request.body(), manifests.LIMIT_BYTES)
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
        return _created_manifest(request.repository, reference, stored)

    async def _delete_manifest(self, request: _Request) -> _Answer:
        reference = _reference(request)
        if not await self._images.delete_manifest(request.repository, reference, by=request.principal):
            raise _refusal("manifest_unknown", f"There is no image {request.repository}:{reference}.", status=404)
        return _Answer(status=202)

    async def _get_blob(self, request: _Request) -> _Answer:
        blob = await self._images.blob(request.repository, _digest(request))
        if blob is None:
            raise _no_blob(request)
        headers = {
            "content-type": "application/octet-stream",
            "docker-content-digest": blob.digest,
            "accept-ranges": "bytes",
            "etag": f'"{blob.digest}"',
        }
        wanted = _range(request.headers.get("range", ""), blob.size_bytes)
        start, end = wanted or (0, blob.size_bytes)
        if wanted is not None:
            headers["content-range"] = f"bytes {start}-{end - 1}/{blob.size_bytes}"
        stream = None if request.method == "HEAD" else self._images.read_blob(blob.digest, start=start, end=end)
        return _Answer(status=206 if wanted else 200, headers=headers, stream=stream, length=end - start)

    async def _delete_blob(self, request: _Request) -> _Answer:
        if not await self._images.delete_blob(request.repository, _digest(request), by=request.principal):
            raise _no_blob(request)
        return _Answer(status=202)

    async def _begin_upload(self, request: _Request) -> _Answer:
        mount, source = request.query.get("mount", ""), request.query.get("from", "")
        is_mountable = blobs.is_digest(mount) and manifests.is_repository(source)
        if is_mountable and await self._images.mount_blob(mount, repository=request.repository, source=source):
            return _created_blob(request.repository, mount)
        upload = await self._images.begin_upload(request.repository)
        digest = request.query.get("digest", "")
        if not digest:
            return _upload_state(request.repository, upload, 0, status=202)
        try:
            return await self._receive_rest(request, upload, digest)
        except BaseException:
            # Nobody knows the upload's name but this request.
            await self._images.cancel_upload(request.repository, upload)
            raise

    async def _upload_state(self, request: _Request) -> _Answer:
        size = await self._images.upload_size(request.repository, _upload(request))
        if size is None:
            raise _no_upload(request)
        return _upload_state(request.repository, _upload(request), size, status=204)

    async def _append(self, request: _Request) -> _Answer:
        offset = _offset(request.headers.get("content-range", ""))
        size = await self._images.append(request.repository, _upload(request), request.body(), offset=offset)
        return _upload_state(request.repository, _upload(request), size, status=202)

    async def _finish_upload(self, request: _Request) -> _Answer:
        return await self._receive_rest(request, _upload(request), request.query.get("digest", ""))

    async def _receive_rest(self, request: _Request, upload: str, digest: str) -> _Answer:
        offset = _offset(request.headers.get("content-range", ""))
        await self._images.append(request.repository, upload, request.body(), offset=offset)
        blob: StoredBlob = await self._images.finish_upload(request.repository, upload, digest)
        return _created_blob(request.repository, blob.digest)

    async def _cancel_upload(self, request: _Request) -> _Answer:
        if not await self._images.cancel_upload(request.repository, _upload(request)):
            raise _no_upload(request)
        return _Answer(status=204)

    async def _referrers(self, request: _Request) -> _Answer:
        found = await self._images.referrers(request.repository, _digest(request))
        wanted = request.query.get("artifactType", "")
        listed: list[Json] = [_descriptor(entry) for entry in found if wanted in ("", entry.artifact_type)]
        index: JsonObject = {"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": listed}
        headers = {"content-type": manifests.OCI_INDEX}
        if wanted:
            headers["oci-filters-applied"] = "artifactType"
        return _Answer(status=200, headers=headers, body=codec.encode(index))


def _read(scope: HTTPScope, receive: Receive) -> _Request:
    for pattern, kind in _ROUTES:
        found = pattern.match(scope["path"])
        if found is not None:
            return _Request(
                method=scope["method"],
                kind=kind,
                names={key: value or "" for key, value in found.groupdict().items()},
                query=dict(parse_qsl(scope["query_string"].decode("latin-1"))),
                headers={key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]},
                body=lambda: _chunks(receive),
                principal=scope.get("state", {}).get("principal", _ANYBODY),
            )
    raise _refusal("unsupported", f"{scope['path'][:200]} is not part of the registry's API.", status=404)


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    has_more = True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGone
        if message["type"] != "http.request":
            continue
        has_more = message.get("more_body", False)
        if chunk := message.get("body", b""):
            yield chunk


async def _whole(chunks: AsyncIterator[bytes], limit_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit_bytes:
            raise _refusal("manifest_invalid", f"A manifest has at most {limit_bytes} bytes.", status=413)
    return bytes(body)


async def _send(send: Send, answer: _Answer, *, is_head: bool) -> None:
    length = len(answer.body) if answer.length is None else answer.length
    headers = {"docker-distribution-api-version": "registry/2.0", "content-length": str(length), **answer.headers}
    if answer.status == 204:
        del headers["content-length"]  # RFC 9110, 8.6
    raw = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    if answer.stream is not None and not is_head:
        async for chunk in answer.stream:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    body = b"" if is_head else answer.body
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _json(value: JsonObject, **headers: str) -> _Answer:
    return _Answer(status=200, headers={"content-type": "application/json", **headers}, body=codec.encode(value))


def _page(listed: JsonObject, found: tuple[str, ...], limit: int, *, path: str) -> _Answer:
    if len(found) <= limit or limit == 0:
        return _json(listed)
    query = urlencode({"last": found[limit - 1], "n": limit})
    return _json(listed, link=f'<{path}?{query}>; rel="next"')


def _errors(problems: Iterable[Problem], status: int) -> _Answer:
    body: JsonObject = {"errors": [_error(problem) for problem in problems]}
    return _Answer(status=status, headers={"content-type": "application/json"}, body=codec.encode(body))


def _error(problem: Problem) -> JsonObject:
    code = problem.code.removeprefix("registry.").upper()
    detail: JsonObject | None = problem.details or None
    return {"code": code if code in _CODES else "UNKNOWN", "message": str(problem), "detail": detail}


def _created_blob(repository: str, digest: str) -> _Answer:
    headers = {"location": f"/v2/{repository}/blobs/{digest}", "docker-content-digest": digest}
    return _Answer(status=201, headers=headers)


def _created_manifest(repository: str, reference: str, stored: StoredManifest) -> _Answer:
    location = f"/v2/{repository}/manifests/{quote(reference, safe=':')}"
    headers = {"location": location, "docker-content-digest": stored.digest}
    if stored.subject:
        headers["oci-subject"] = stored.subject
    return _Answer(status=201, headers=headers)


def _upload_state(repository: str, upload: str, size: int, *, status: int) -> _Answer:
    headers = {
        "location": f"/v2/{repository}/blobs/uploads/{upload}",
        "range": f"0-{max(size - 1, 0)}",  # an empty upload is written 0-0 too, as Docker's registry does
        "docker-upload-uuid": upload,
    }
    return _Answer(status=status, headers=headers)


def _descriptor(entry: Referrer) -> JsonObject:
    annotations: JsonObject = {"annotations": dict(entry.annotations)} if entry.annotations else {}
    return {
        "mediaType": entry.media_type,
        "digest": entry.digest,
        "size": entry.size_bytes,
        "artifactType": entry.artifact_type,
        **annotations,
    }


def _limit(request: _Request) -> int:
    text = request.query.get("n", str(_PAGE))
    if not text.isdecimal() or len(text) > 9:
        raise _refusal("unsupported", f"n={text[:50]} is no number of entries.", status=400)
    return min(int(text), _PAGE)


def _range(header: str, size: int) -> tuple[int, int] | None:
    """Start and end (exclusive) of a Range header; None: everything is wanted."""
    if not header:
        return None
    parsed = _RANGE.match(header.strip())
    if parsed is None or parsed.groups() == ("", ""):
        return None  # RFC 9110, 14.2: what isn't understood is ignored
    first, last = parsed.groups()
    start = _bytes(first) if first else max(size - _bytes(last), 0)
    end = min(_bytes(last) + 1, size) if first and last else size
    if start >= end:
        message = f"The range {header[:100]} lies outside the {size} bytes of the blob."
        raise _refusal("size_invalid", message, status=416)
    return start, end


def _offset(header: str) -> int | None:
    if not header:
        return None
    parsed = _CONTENT_RANGE.match(header.strip())
    if parsed is None:
        raise _refusal("blob_upload_invalid", f"The Content-Range {header[:100]!r} can't be read.", status=416)
    return _bytes(parsed.group(1))


def _bytes(digits: str) -> int:
    """A number of bytes; a longer one than Python reads (`sys.int_info`) is as good as any beyond all files."""
    significant = digits.lstrip("0")
    return 10**_DIGITS if len(significant) > _DIGITS else int(significant or "0")


def _reference(request: _Request) -> str:
    reference = request.names["reference"]
    if not blobs.is_digest(reference) and not manifests.is_tag(reference):
        code = "digest_invalid" if ":" in reference else "manifest_invalid"
        raise _refusal(code, f"{reference[:100]!r} is neither a tag nor a SHA-256 digest.", status=400)
    return reference


def _digest(request: _Request) -> str:
    digest = request.names["digest"]
    if not blobs.is_digest(digest):
        raise _refusal("digest_invalid", f"{digest[:100]!r} is no SHA-256 digest.", status=400)
    return digest


def _upload(request: _Request) -> str:
    upload = request.names["upload"]
    if not re.fullmatch(r"[A-Za-z0-9-]{1,50}", upload):
        raise _no_upload(request)
    return upload


def _no_blob(request: _Request) -> Refused:
    message = f"There is no blob {request.names['digest']} in {request.repository}."
    return _refusal("blob_unknown", message, status=404)


def _no_upload(request: _Request) -> Refused:
    message = f"There is no upload {request.names['upload'][:60]} in {request.repository}."
    return _refusal("blob_upload_unknown", message, status=404)


def _refusal(code: str, message: str, *, status: int) -> Refused:
    return Refused(Problem(code=f"registry.{code}", message=message), status=status)
