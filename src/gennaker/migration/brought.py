"""Brought: what the last import has stored of each definition, so that what was changed here since is left alone."""

import hashlib
from collections.abc import Callable

from gennaker.interfaces.documents import Documents
from gennaker.migration import bundle as bundles
from gennaker.model.codec import JsonObject, encode_sorted

_NAMESPACE = "migration.brought"


class Brought:
    """Fingerprints by kind and id."""

    def __init__(self, documents: Callable[[str], Documents]) -> None:
        """`documents` by namespace."""
        self._documents = documents(_NAMESPACE)

    async def is_untouched(self, kind: str, definition_id: str, stored: JsonObject) -> bool | None:
        """Whether what is stored is what was brought; None: no import has brought it."""
        found = await self._documents.get(f"{kind}:{definition_id}")
        return None if found is None else found.body.get("fingerprint") == _fingerprint(stored)

    async def note(self, kind: str, definition_id: str, stored: JsonObject) -> None:
        """It was brought just now."""
        await self._documents.put(f"{kind}:{definition_id}", {"fingerprint": _fingerprint(stored)})


def _fingerprint(stored: JsonObject) -> str:
    return hashlib.sha256(encode_sorted(bundles.content(stored))).hexdigest()
