"""Signed heads of the audit chain, kept where whoever may write the database and the data folder can't change them.

Theory of operation. Every so many records or seconds the newest record's number and hash are signed (Ed25519, with the key in
the data folder's `audit-key`) and added to a file outside, posted to a webhook, or pushed to an OCI registry. The chain that
has such a record under this number was not written anew before it; a chain that ends before it was cut off. The place outside
must keep what it has got: a share that only takes, another machine's log. The signature keeps others from writing heads there
that accuse us wrongly; it does not bind whoever has the key.
"""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import structlog

from gennaker.interfaces.audit import HeadPlace
from gennaker.interfaces.clock import Clock
from gennaker.model import codec, ed25519
from gennaker.model.problems import Problem, Refused
from gennaker.settings import AuditSettings
from gennaker.store.audit_head import Head
from gennaker.transport import signing
from gennaker.transport.http import GuardedClient, HttpFailure
from gennaker.transport.permissions import open_private

log = structlog.get_logger()

KEY_NAME = "audit-key"
_LOOKS_SECONDS = 5.0
_OK = range(200, 300)
HashOf = Callable[[int], Awaitable[str | None]]
Newest = Callable[[], Awaitable[Head | None]]


class SignedHead(msgspec.Struct, frozen=True, kw_only=True):
    """A head as it is kept outside."""

    number: int
    hash: str
    at: datetime
    key: str
    """The public key in hex."""
    signature: str
    """In hex, over the other fields' lines."""

    def is_signed_by(self, public: bytes) -> bool:
        """Whether it is from the owner of this key."""
        try:
            signature = bytes.fromhex(self.signature)
        except ValueError:
            return False
        return ed25519.is_signed(public, _message(self.number, self.hash, self.at), signature)


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """Heads that were kept outside, to hold a chain against."""

    place: str
    public: bytes
    heads: dict[int, SignedHead]

    @property
    def newest(self) -> SignedHead | None:
        """None: none was kept yet."""
        return self.heads[max(self.heads)] if self.heads else None


def file_of(settings: AuditSettings) -> Path:
    """Where heads are added."""
    return Path(settings.file).expanduser()


def sign(head: Head, *, at: datetime, seed: bytes) -> SignedHead:
    """Signs a head."""
    signature = signing.sign(seed, _message(head.number, head.hash, at))
    public = signing.public_key(seed).hex()
    return SignedHead(number=head.number, hash=head.hash, at=at, key=public, signature=signature.hex())


def read(file: Path, public: bytes) -> Exported:
    """The heads in a file, a line each. Raises Refused."""
    heads: dict[int, SignedHead] = {}
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise Refused(
            Problem(
                code="audit.heads_unreadable",
                message=f"The exported audit heads {file} can't be read: {error.strerror}.",
                remedy="Name the file with --heads, or set audit.file.",
            )
        ) from error
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"}"):  # empty, or cut off while it was written
            continue
        try:
            head = codec.decode(line, SignedHead)
        except msgspec.MsgspecError as error:
            raise Refused(_unreadable(file, number, error)) from error
        before = heads.setdefault(head.number, head)
        if before.hash != head.hash and not before.is_signed_by(public):
            heads[head.number] = head
    return Exported(place=str(file), public=public, heads=heads)


async def in_place(place: HeadPlace, public: bytes) -> Exported:
    """The newest head of a place. Raises Refused."""
    body = await place.newest()
    if body is None:
        return Exported(place=place.name, public=public, heads={})
    try:
        head = codec.decode(body, SignedHead)
    except msgspec.MsgspecError as error:
        message = f"What {place.name} has as the newest audit head is none: {error}."
        raise Refused(
            Problem(code="audit.heads_unreadable", message=message, remedy="See who has pushed there.")
        ) from error
    return Exported(place=place.name, public=public, heads={head.number: head})


def both(first: Exported, second: Exported) -> Exported:
    """The heads of two places; of one number the second's, where they differ."""
    places = f"{first.place} and {second.place}"
    return Exported(place=places, public=first.public, heads={**first.heads, **second.heads})


def seed(folder: Path, new: str) -> bytes:
    """The signing key of a data folder; made of a new secret text where there is none. Raises Refused."""
    file = folder / KEY_NAME
    try:
        return _secret(file)
    except FileNotFoundError:
        made = hashlib.sha256(new.encode()).digest()
        with open(file, "x", opener=open_private) as opened:
            opened.write(made.hex() + "\n")
        return made


def public_key(given: str, folder: Path) -> bytes:
    """The key that was given in hex, else that of the data folder. Raises Refused."""
    if not given:
        try:
            return signing.public_key(_secret(folder / KEY_NAME))
        except FileNotFoundError as error:
            raise Refused(_no_key(folder / KEY_NAME)) from error
    try:
        found = bytes.fromhex(given)
    except ValueError:
        found = b""
    if len(found) != signing.SEED_BYTES:
        message = "The key is no public key: 64 digits of 0 to 9 and a to f."
        raise Refused(Problem(code="audit.key", message=message, remedy="`gennaker audit key` prints the right one."))
    return found


class HeadExporter:
    """Signs heads and sends them away, as long as the server runs."""

    def __init__(  # noqa: PLR0913 - given by name, in one place
        self,
        settings: AuditSettings,
        *,
        seed: bytes,
        newest: Newest,
        hash_of: HashOf,
        clock: Clock,
        client: GuardedClient,
        place: HeadPlace | None = None,
    ) -> None:
        """Of the chain that the two functions look into."""
        self._settings = settings
        self._seed = seed
        self._newest = newest
        self._hash_of = hash_of
        self._clock = clock
        self._client = client
        self._place = place
        self._last: Head | None = None
        self._at: datetime | None = None

    async def run(self) -> None:
        """Until cancelled. Raises Refused where the place can't be written to: it is tried again."""
        await self._begin()
        pause = timedelta(seconds=min(self._settings.every_seconds, _LOOKS_SECONDS))
        while True:
            await self.look()
            await self._clock.sleep_until(self._clock.now() + pause)

    async def look(self) -> SignedHead | None:
        """Exports the newest head if it is time; returns it."""
        head = await self._newest()
        now = self._clock.now()
        if head is None or not self._is_due(head, now):
            return None
        signed = sign(head, at=now, seed=self._seed)
        if self._settings.file:
            await asyncio.to_thread(_append, file_of(self._settings), signed)
        if self._settings.webhook:
            await self._post(signed)
        if self._place is not None:
            await self._place.keep(signed.number, codec.encode(signed))
        self._last, self._at = head, now
        return signed

    def _is_due(self, head: Head, now: datetime) -> bool:
        if self._last is None or self._at is None:
            return True
        records = head.number - self._last.number
        waited = (now - self._at).total_seconds()
        return records >= self._settings.every_records or (records > 0 and waited >= self._settings.every_seconds)

    async def _begin(self) -> None:
        """A chain that contradicts what was exported is not signed: that would bless whoever wrote it anew."""
        public = signing.public_key(self._seed)
        places: list[tuple[str, SignedHead | None]] = []
        if self._settings.file:
            file = file_of(self._settings)
            places.append((str(file), await asyncio.to_thread(_newest, file, public)))
        if self._place is not None:
            kept = await in_place(self._place, public)
            places.append((kept.place, _own(kept)))
        for place, head in places:
            if head is None:
                continue
            if await self._hash_of(head.number) != head.hash:
                raise Refused(_contradicted(head.number, place))
            if self._last is None or head.number > self._last.number:
                self._last, self._at = Head(number=head.number, hash=head.hash), head.at

    async def _post(self, head: SignedHead) -> None:
        try:
            answer = await self._client.request(
                "POST",
                self._settings.webhook,
                headers={"content-type": "application/json"},
                body=codec.encode(head),
            )
        except HttpFailure as error:
            raise Refused(_not_taken(str(error))) from error
        if answer.status not in _OK:
            raise Refused(_not_taken(f"{self._settings.webhook} answered {answer.status}."))


def _secret(file: Path) -> bytes:
    """What a key's file holds. Raises FileNotFoundError and Refused."""
    try:
        found = bytes.fromhex(file.read_text().strip())
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise Refused(_no_key(file)) from error
    if len(found) != signing.SEED_BYTES:
        raise Refused(_no_key(file))
    return found


def _message(number: int, its_hash: str, at: datetime) -> bytes:
    return f"gennaker audit head 1\n{number}\n{its_hash}\n{at.isoformat()}\n".encode()


def _newest(file: Path, public: bytes) -> SignedHead | None:
    """The newest that was signed with this key; None: there is none, or no file yet."""
    if not file.exists():
        return None
    return _own(read(file, public))


def _own(kept: Exported) -> SignedHead | None:
    newest = kept.newest
    return newest if newest is not None and newest.is_signed_by(kept.public) else None


def _contradicted(number: int, place: str) -> Problem:
    message = f"The audit chain isn't the one whose head {number} is in {place}: no head is signed any more."
    return Problem(code="audit.contradicted", message=message, remedy="Run `gennaker audit verify`.")


def _append(file: Path, head: SignedHead) -> None:
    try:
        with open(file, "ab", opener=open_private) as opened:
            # On a line of its own, also after one that was cut off by a crash; an empty line says nothing.
            opened.write(b"\n" + codec.encode(head) + b"\n")
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        raise Refused(_not_taken(f"{file} can't be written: {error.strerror}.")) from error


def _not_taken(why: str) -> Problem:
    return Problem(
        code="audit.not_exported",
        message=f"The audit chain's head could not be kept outside: {why}",
        remedy="Correct audit.file, audit.webhook or audit.registry, or make room there.",
    )


def _unreadable(file: Path, number: int, error: Exception) -> Problem:
    message = f"Line {number} of {file} is no audit head: {error}."
    return Problem(code="audit.heads_unreadable", message=message, remedy="Put the file back as it was exported.")


def _no_key(file: Path) -> Problem:
    return Problem(
        code="audit.key",
        message=f"{file} holds no signing key that can be read.",
        remedy="Give the public key with --key; or put the file back from a backup.",
    )
