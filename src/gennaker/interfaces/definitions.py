"""Definitions: pipelines, applications, canary configs … with every revision kept."""

from datetime import datetime
from typing import Protocol

import msgspec

from gennaker.model.codec import JsonObject


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """One stored definition at one revision."""

    kind: str
    """`pipeline`, `application`, `canary-config`, `project`, `template`, `notifications` (of an application)"""
    id: str
    body: JsonObject
    revision: int
    """1, 2, 3 …"""
    author: str
    at: datetime
    is_deleted: bool = False


class Definitions(Protocol):
    """Stores definitions; nothing is ever lost."""

    async def save(
        self, kind: str, definition_id: str, body: JsonObject, *, author: str, if_revision: int | None = None
    ) -> Definition:
        """Writes a new revision; `if_revision` must be the present one (0: new). Raises Refused(409) otherwise."""
        ...

    async def delete(self, kind: str, definition_id: str, *, author: str) -> None:
        """Marks as deleted; its revisions stay."""
        ...

    async def get(self, kind: str, definition_id: str) -> Definition | None:
        """The newest revision, unless it is deleted."""
        ...

    async def list(self, kind: str, application: str | None = None) -> tuple[Definition, ...]:
        """The newest revisions of all that aren't deleted, by id; of one application where given, however it is spelled."""
        ...

    async def applications(self, kind: str) -> tuple[str, ...]:
        """The applications, in lower case and in order, that those which aren't deleted belong to."""
        ...

    async def history(self, kind: str, definition_id: str, limit: int = 20) -> tuple[Definition, ...]:
        """Revisions, newest first."""
        ...
