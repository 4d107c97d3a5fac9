"""Documents in memory."""

from collections.abc import Sequence

from gennaker.interfaces.audit import AuditTrail
from gennaker.interfaces.documents import Document, VersionMismatch
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject, decode_json, encode


class MemoryDocuments:
    """One namespace. Bodies are copied through JSON, as a store would."""

    def __init__(self, trail: AuditTrail | None = None) -> None:
        self._trail = trail
        self._documents: dict[str, Document] = {}

    async def get(self, key: str) -> Document | None:
        return self._documents.get(key)

    async def put(
        self, key: str, body: JsonObject, *, if_version: int | None = None, audit: Sequence[AuditEntry] = ()
    ) -> Document:
        found = self._check(key, if_version)
        copied = decode_json(encode(body))
        assert isinstance(copied, dict)
        written = self._documents[key] = Document(key=key, body=copied, version=found + 1)
        await self._record(audit)
        return written

    async def delete(self, key: str, *, if_version: int | None = None, audit: Sequence[AuditEntry] = ()) -> None:
        self._check(key, if_version)
        self._documents.pop(key, None)
        await self._record(audit)

    async def list(self, prefix: str = "") -> tuple[Document, ...]:
        return tuple(document for key, document in sorted(self._documents.items()) if key.startswith(prefix))

    async def _record(self, audit: Sequence[AuditEntry]) -> None:
        if audit and self._trail is not None:
            await self._trail.record(*audit)

    def _check(self, key: str, if_version: int | None) -> int:
        found = self._documents[key].version if key in self._documents else 0
        if if_version is not None and if_version != found:
            raise VersionMismatch(key, expected=if_version, found=found)
        return found


class MemoryStore:
    """Namespaces of documents, as `Services.documents` hands them out."""

    def __init__(self, trail: AuditTrail | None = None) -> None:
        """`trail` gets what is said of the writes; None: nobody looks at it."""
        self._trail = trail
        self._namespaces: dict[str, MemoryDocuments] = {}

    def __call__(self, namespace: str) -> MemoryDocuments:
        return self._namespaces.setdefault(namespace, MemoryDocuments(self._trail))
