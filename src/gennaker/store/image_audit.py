"""Audit records of the image registry: what each change of an image or a tag is told as (docs/decisions/0009)."""

from datetime import datetime

import msgspec

from gennaker.interfaces.registry import StoredManifest
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject
from gennaker.model.principal import Principal


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Who changes a repository, and when."""

    by: Principal
    at: datetime
    repository: str

    def pushed(self, stored: StoredManifest) -> AuditEntry:
        """A manifest that the repository didn't have."""
        details: JsonObject = {"mediaType": stored.media_type}
        return self._entry("image.pushed", self._image(stored.digest), details)

    def tagged(self, tag: str, digest: str, before: str | None) -> AuditEntry:
        """A tag that names an image now, and the one that it named until now."""
        details: JsonObject = {"digest": digest, "before": before}
        return self._entry("image.tagged", f"image:{self.repository}:{tag}", details)

    def deleted(self, digest: str, tags: tuple[str, ...]) -> AuditEntry:
        """A manifest, and the tags that went with it."""
        return self._entry("image.deleted", self._image(digest), {"tags": list(tags)})

    def untagged(self, tag: str, digest: str) -> AuditEntry:
        """A tag that is gone, and the image that stays."""
        return self._entry("image.untagged", f"image:{self.repository}:{tag}", {"digest": digest})

    def blob_deleted(self, digest: str) -> AuditEntry:
        """A blob that this repository doesn't show any more."""
        return self._entry("blob.deleted", f"blob:{self.repository}@{digest}", {})

    def _image(self, digest: str) -> str:
        return f"image:{self.repository}@{digest}"

    def _entry(self, action: str, subject: str, details: JsonObject) -> AuditEntry:
        details = {"via": self.by.via, **details}
        return AuditEntry(at=self.at, actor=self.by.name, action=action, subject=subject, details=details)
