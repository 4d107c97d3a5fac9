"""Answers of the image registry: what is sent back, and how (OCI distribution specification)."""

from collections.abc import AsyncIterator, Iterable
from urllib.parse import quote, urlencode

import msgspec
from litestar.types import Send

from gennaker.interfaces.registry import Referrer, StoredManifest
from gennaker.model import codec
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem

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


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent back. `length` counts for streams and for HEAD, where there is no body."""

    status: int
    headers: dict[str, str] = {}
    body: bytes = b""
    stream: AsyncIterator[bytes] | None = None
    length: int | None = None


async def send(send: Send, answer: Answer, *, is_head: bool) -> None:
    """Sends it, without its body where the request was HEAD."""
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


def as_json(value: JsonObject, **headers: str) -> Answer:
    """A document."""
    return Answer(status=200, headers={"content-type": "application/json", **headers}, body=codec.encode(value))


def page(listed: JsonObject, found: tuple[str, ...], limit: int, *, path: str) -> Answer:
    """A list, with the address of its next part where `found` has more than the limit."""
    if len(found) <= limit or limit == 0:
        return as_json(listed)
    query = urlencode({"last": found[limit - 1], "n": limit})
    return as_json(listed, link=f'<{path}?{query}>; rel="next"')


def errors(problems: Iterable[Problem], status: int) -> Answer:
    """What is wrong, by the codes of the specification."""
    body: JsonObject = {"errors": [_error(problem) for problem in problems]}
    return Answer(status=status, headers={"content-type": "application/json"}, body=codec.encode(body))


def _error(problem: Problem) -> JsonObject:
    code = problem.code.removeprefix("registry.").upper()
    detail: JsonObject | None = problem.details or None
    return {"code": code if code in _CODES else "UNKNOWN", "message": str(problem), "detail": detail}


def created_blob(repository: str, digest: str) -> Answer:
    """A blob is there now."""
    headers = {"location": f"/v2/{repository}/blobs/{digest}", "docker-content-digest": digest}
    return Answer(status=201, headers=headers)


def created_manifest(repository: str, reference: str, stored: StoredManifest) -> Answer:
    """A manifest is there now."""
    location = f"/v2/{repository}/manifests/{quote(reference, safe=':')}"
    headers = {"location": location, "docker-content-digest": stored.digest}
    if stored.subject:
        headers["oci-subject"] = stored.subject
    return Answer(status=201, headers=headers)


def upload_state(repository: str, upload: str, size: int, *, status: int) -> Answer:
    """How far an upload has come."""
    headers = {
        "location": f"/v2/{repository}/blobs/uploads/{upload}",
        "range": f"0-{max(size - 1, 0)}",  # an empty upload is written 0-0 too, as Docker's registry does
        "docker-upload-uuid": upload,
    }
    return Answer(status=status, headers=headers)


def descriptor(entry: Referrer) -> JsonObject:
    """Of a manifest that refers to another."""
    annotations: JsonObject = {"annotations": dict(entry.annotations)} if entry.annotations else {}
    return {
        "mediaType": entry.media_type,
        "digest": entry.digest,
        "size": entry.size_bytes,
        "artifactType": entry.artifact_type,
        **annotations,
    }
