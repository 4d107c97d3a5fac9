"""Documents: versioned JSON that a plugin must remember, in a namespace of its own."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One stored document."""

    key: str
    body: JsonObject
    version: int
    """1 when first written, raised by each write."""


class VersionMismatch(Exception):
    """The document is no longer at the version that the writer has seen."""

    def __init__(self, key: str, *, expected: int, found: int) -> None:
        """`found` is 0 where there is no such document."""
        super().__init__(f"document {key!r} is at version {found}, not {expected}")
        self.expected = expected
        self.found = found


class Documents(Protocol):
    """Documents of one namespace. Each write is one durable transaction."""

    async def get(self, key: str) -> Document | None:
        """The document as last written."""
        ...

    async def put(
        self, key: str, body: JsonObject, *, if_version: int | None = None, audit: Sequence[AuditEntry] = ()
    ) -> Document:
        """Writes, with what the audit trail says of it; `if_version=0` only if it is new, `None` whatever there is.

        Raises VersionMismatch, and then nothing was written, nor recorded.
        """
        ...

    async def delete(self, key: str, *, if_version: int | None = None, audit: Sequence[AuditEntry] = ()) -> None:
        """Removes, with its audit records; removing what isn't there is no error unless `if_version` says it should be."""
        ...

    async def list(self, prefix: str = "") -> tuple[Document, ...]:
        """All documents whose keys begin so, by key."""
        ...
