"""Requests to the image registry: what of them is read before their body comes, and what of it is none (OCI distribution specification)."""

import re
from collections.abc import AsyncIterator, Callable
from urllib.parse import parse_qsl

import msgspec
from litestar.types import HTTPScope, Receive

from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.transport import blobs
from gennaker.transport.images import manifests

_PAGE = 1000
"""Most tags or repositories in one answer."""
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


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request, its body still to come."""

    method: str
    path: str
    kind: str
    names: dict[str, str]
    """The variable parts of the path."""
    query: dict[str, str]
    headers: dict[str, str]
    body: Callable[[], AsyncIterator[bytes]]
    principal: Principal
    address: str

    @property
    def repository(self) -> str:
        """Empty where the path names none."""
        return self.names.get("name", "")


class ClientGone(Exception):
    """The client has closed the connection in the middle of its request."""


def read(scope: HTTPScope, receive: Receive) -> Request:
    """The request of a scope. Raises Refused (404) where the path is no part of the API."""
    client = scope.get("client")
    for pattern, kind in _ROUTES:
        found = pattern.match(scope["path"])
        if found is not None:
            return Request(
                method=scope["method"],
                path=scope["path"],
                kind=kind,
                names={key: value or "" for key, value in found.groupdict().items()},
                query=dict(parse_qsl(scope["query_string"].decode("latin-1"))),
                headers={key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]},
                body=lambda: _chunks(receive),
                principal=scope.get("state", {}).get("principal", _ANYBODY),
                address=client[0] if client else "",
            )
    raise refusal("unsupported", f"{scope['path'][:200]} is not part of the registry's API.", status=404)


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    has_more = True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        if message["type"] != "http.request":
            continue
        has_more = message.get("more_body", False)
        if chunk := message.get("body", b""):
            yield chunk


async def whole(chunks: AsyncIterator[bytes], limit_bytes: int) -> bytes:
    """A body that has a limit. Raises Refused (413)."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit_bytes:
            raise refusal("manifest_invalid", f"A manifest has at most {limit_bytes} bytes.", status=413)
    return bytes(body)


def limit_of(request: Request) -> int:
    """How many entries are wanted. Raises Refused."""
    text = request.query.get("n", str(_PAGE))
    if not text.isdecimal() or len(text) > 9:
        raise refusal("unsupported", f"n={text[:50]} is no number of entries.", status=400)
    return min(int(text), _PAGE)


def range_of(header: str, size: int) -> tuple[int, int] | None:
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
        raise refusal("size_invalid", message, status=416)
    return start, end


def offset_of(header: str) -> int | None:
    """Where the body begins in its upload, of a Content-Range header; None: nothing is said. Raises Refused (416)."""
    if not header:
        return None
    parsed = _CONTENT_RANGE.match(header.strip())
    if parsed is None:
        raise refusal("blob_upload_invalid", f"The Content-Range {header[:100]!r} can't be read.", status=416)
    return _bytes(parsed.group(1))


def _bytes(digits: str) -> int:
    """A number of bytes; a longer one than Python reads (`sys.int_info`) is as good as any beyond all files."""
    significant = digits.lstrip("0")
    return 10**_DIGITS if len(significant) > _DIGITS else int(significant or "0")


def reference_of(request: Request) -> str:
    """The tag or digest of the path. Raises Refused."""
    reference = request.names["reference"]
    if not blobs.is_digest(reference) and not manifests.is_tag(reference):
        code = "digest_invalid" if ":" in reference else "manifest_invalid"
        raise refusal(code, f"{reference[:100]!r} is neither a tag nor a SHA-256 digest.", status=400)
    return reference


def digest_of(request: Request) -> str:
    """The digest of the path. Raises Refused."""
    digest = request.names["digest"]
    if not blobs.is_digest(digest):
        raise refusal("digest_invalid", f"{digest[:100]!r} is no SHA-256 digest.", status=400)
    return digest


def upload_of(request: Request) -> str:
    """The name of the upload in the path. Raises Refused (404)."""
    upload = request.names["upload"]
    if not re.fullmatch(r"[A-Za-z0-9-]{1,50}", upload):
        raise no_upload(request)
    return upload


def no_blob(request: Request) -> Refused:
    """Of a digest that names none in the repository."""
    message = f"There is no blob {request.names['digest']} in {request.repository}."
    return refusal("blob_unknown", message, status=404)


def no_upload(request: Request) -> Refused:
    """Of a name that is no upload's."""
    message = f"There is no upload {request.names['upload'][:60]} in {request.repository}."
    return refusal("blob_upload_unknown", message, status=404)


def refusal(code: str, message: str, *, status: int) -> Refused:
    """As the API says it: `code` is the specification's, in lower case."""
    return Refused(Problem(code=f"registry.{code}", message=message), status=status)
