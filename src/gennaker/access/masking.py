"""Masking: finds the secrets that a process knows in whatever leaves it, in the spellings that programs give them."""

import base64
import json
import re
from typing import TypeVar
from urllib.parse import quote, quote_plus

import msgspec

from gennaker.interfaces.secrets import MASK
from gennaker.model.codec import Json, encode

SHORTEST = 8
"""Shorter ones are found in everything."""
Record = TypeVar("Record")


class Masker:
    """Knows secrets, in memory only."""

    def __init__(self) -> None:
        """None are known yet."""
        self._spellings: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._needles: tuple[bytes, ...] = ()
        """The spellings as they stand in files."""

    def know(self, secret: str) -> None:
        """Masks it from now on. A secret of several lines is masked line by line, too."""
        fresh = {spelling for part in (secret, *secret.splitlines()) for spelling in spellings(part)}
        if fresh <= self._spellings:
            return
        self._spellings |= fresh
        longest_first = sorted(self._spellings, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        self._needles = tuple(spelling.encode(errors="surrogateescape") for spelling in longest_first)

    def masked_text(self, text: str) -> str:
        """Without secrets."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def masked_bytes(self, content: bytes) -> bytes:
        """Without secrets; what isn't UTF-8 stays as it is. Of what has none, quickly: files may be large."""
        if self._pattern is None or not any(needle in content for needle in self._needles):
            return content
        text = content.decode(errors="surrogateescape")
        return self._pattern.sub(MASK, text).encode(errors="surrogateescape")

    def masked(self, record: Record) -> Record:
        """A record without secrets in its texts and keys; the same one where it has none."""
        if self._pattern is None or self._pattern.search(encode(record).decode()) is None:
            return record
        clean = self._without(msgspec.json.decode(encode(record)))
        return msgspec.convert(clean, type(record)) if isinstance(record, msgspec.Struct) else clean  # type: ignore[return-value]  # JSON stays JSON

    def _without(self, value: Json) -> Json:
        match value:
            case str():
                return self.masked_text(value)
            case list():
                return [self._without(item) for item in value]
            case dict():
                return {self.masked_text(key): self._without(item) for key, item in value.items()}
            case _:
                return value


def spellings(secret: str) -> set[str]:
    """Itself and as it stands in JSON, URLs, Base64 and Basic credentials; those long enough."""
    raw = secret.encode()
    padded = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
    found = {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        *padded,
        *(one.rstrip("=") for one in padded),
    }
    return {one for one in found if len(secret) >= SHORTEST}
