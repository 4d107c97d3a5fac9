"""The store of secrets: values under AES-256-GCM in documents, their keys in a file outside the database (decision 26).

Reached by references to the engine `store`, and by administrators through the native API. It gives values to those who
resolve references, and nobody else.
"""

import asyncio
import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec
import structlog

from gennaker.access.keyring import Keyring
from gennaker.access.masking import SHORTEST
from gennaker.interfaces.audit import AuditTrail
from gennaker.interfaces.clock import Clock
from gennaker.interfaces.documents import Document, Documents, VersionMismatch
from gennaker.interfaces.secrets import SecretUse
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject, encode_sorted, to_json
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.transport import sealing

log = structlog.get_logger()

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_LONGEST = 65_536


class SecretRules(msgspec.Struct, frozen=True, kw_only=True):
    """For what a secret may be used."""

    applications: tuple[str, ...] = ()
    """Whose pipelines may use it; none: only the settings may."""
    hosts: tuple[str, ...] = ()
    """Where webhooks may carry it; empty: anywhere."""


class StoredSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A secret as the database has it."""

    name: str
    rules: SecretRules
    key_id: str
    """Of the key that it is sealed with."""
    sealed: str
    """Base64."""
    changed_by: str
    changed_at: datetime


Check = Callable[[StoredSecret | None], None]
"""Told what there is before it is changed; raises Refused where it isn't what was meant."""


class StoredSecrets:
    """All of them. Offers the port SecretEngine."""

    name = "store"

    def __init__(
        self,
        *,
        documents: Documents,
        keyring: Keyring,
        audit: AuditTrail,
        clock: Clock,
        new_secret: Callable[[], str],
        know: Callable[[str], None],
    ) -> None:
        """`know` is told each value that is opened or kept."""
        self._documents = documents
        self._keyring = keyring
        self._audit = audit
        self._clock = clock
        self._new_secret = new_secret
        self._know = know

    async def read(self, parameters: Mapping[str, str], use: SecretUse) -> str:
        """The value, for whom its rules allow it."""
        found = await self._found(parameters.get("n", "").lower())
        if found is None:
            raise Refused(_unknown(parameters.get("n", "")))
        refusal = _refusal(found, use)
        if refusal is not None:
            raise Refused(refusal, status=403)
        return await self._opened(found)

    async def know_all(self) -> None:
        """Has all values masked from now on; of those that can't be opened there is nothing to be masked, and the log says so."""
        for one in await self.list():
            try:
                await self._opened(one)
            except Refused as refused:
                log.warning("secret.unopened", secret=one.name, problem=str(refused))

    async def list(self) -> tuple[StoredSecret, ...]:
        """By name."""
        return tuple(_read(one) for one in await self._documents.list())

    async def find(self, name: str) -> StoredSecret:
        """One of them, its value sealed. Raises Refused (404)."""
        found = await self._found(name.lower())
        if found is None:
            raise Refused(_unknown(name), status=404)
        return found

    async def set(
        self, name: str, value: str, rules: SecretRules, *, by: Principal, check: Check = lambda _: None
    ) -> StoredSecret:
        """Keeps a new value under a new or a known name. Raises Refused, also what `check` finds in what there is."""
        name = name.lower()
        problems = _wrong(name, value)
        if problems:
            raise Refused(*problems, status=422)
        document = await self._documents.get(name)
        before = None if document is None else _read(document)
        check(before)
        key_id, key = await asyncio.to_thread(self._keyring.newest)
        rules = SecretRules(
            applications=tuple(sorted({one.lower() for one in rules.applications})),
            hosts=tuple(sorted({one.lower() for one in rules.hosts})),
        )
        made = self._sealed(name, value, rules, key_id=key_id, key=key, by=by.name)
        details: JsonObject = {"after": to_json(rules)} | ({"before": to_json(before.rules)} if before else {})
        entry = self._entry("secret.changed" if before else "secret.added", f"secret:{name}", by, details)
        expected = 0 if document is None else document.version
        try:
            await self._documents.put(name, _body(made), if_version=expected, audit=(entry,))
        except VersionMismatch as mismatch:
            raise Refused(_changed_just_now(name), status=409) from mismatch
        self._know(value)
        return made

    async def remove(self, name: str, *, by: Principal, check: Check = lambda _: None) -> None:
        """Forgets it; what refers to it fails from now on. Raises Refused (404), also what `check` finds in what there is."""
        document = await self._documents.get(name.lower()) if _NAME.fullmatch(name.lower()) else None
        if document is None:
            raise Refused(_unknown(name), status=404)
        check(_read(document))
        entry = self._entry("secret.removed", f"secret:{name.lower()}", by, {})
        try:
            await self._documents.delete(name.lower(), if_version=document.version, audit=(entry,))
        except VersionMismatch as mismatch:
            raise Refused(_changed_just_now(name), status=409) from mismatch

    async def rotate(self, *, by: Principal) -> int:
        """Seals everything with a new key and drops the older ones; returns how many secrets. Raises Refused.

        Stopped halfway, older keys are still there: it is done again.
        """
        await asyncio.to_thread(self._keyring.added)
        count = 0
        for document in await self._documents.list():
            count += await self._resealed(document.key)
        late = [one.name for one in await self.list() if one.key_id != (await self._newest_id())]
        if late:
            raise Refused(_changed_meanwhile(late), status=409)
        await asyncio.to_thread(self._keyring.keep_newest)
        await self._audit.record(self._entry("secret.rotated", "secrets", by, {"secrets": count}))
        return count

    async def _newest_id(self) -> str:
        key_id, _ = await asyncio.to_thread(self._keyring.newest)
        return key_id

    async def _resealed(self, name: str) -> bool:
        """Whether there was such a secret; one that is changed meanwhile is sealed with the new key anyway."""
        key_id, key = await asyncio.to_thread(self._keyring.newest)
        document = await self._documents.get(name)
        if document is None:
            return False
        old = _read(document)
        value = await self._opened(old)
        fresh = self._sealed(old.name, value, old.rules, key_id=key_id, key=key, by=old.changed_by, at=old.changed_at)
        try:
            await self._documents.put(name, _body(fresh), if_version=document.version)
        except VersionMismatch:
            return True
        return True

    async def _found(self, name: str) -> StoredSecret | None:
        document = await self._documents.get(name) if _NAME.fullmatch(name) else None
        return None if document is None else _read(document)

    async def _opened(self, one: StoredSecret) -> str:
        key = (await asyncio.to_thread(self._keyring.keys)).get(one.key_id)
        if key is None:
            raise Refused(_unopened(one.name, "its key is not in the key file"))
        try:
            sealed = base64.b64decode(one.sealed)
            value = sealing.opened(sealed, key=key, beside=_beside(one.name, one.rules)).decode()
        except sealing.BrokenSeal as error:
            raise Refused(_unopened(one.name, "it was changed in the database")) from error
        self._know(value)
        return value

    def _sealed(  # noqa: PLR0913 - given by name, in one place
        self, name: str, value: str, rules: SecretRules, *, key_id: str, key: bytes, by: str, at: datetime | None = None
    ) -> StoredSecret:
        nonce = hashlib.sha256(self._new_secret().encode()).digest()[: sealing.NONCE_BYTES]
        sealed = sealing.seal(value.encode(), key=key, nonce=nonce, beside=_beside(name, rules))
        return StoredSecret(
            name=name,
            rules=rules,
            key_id=key_id,
            sealed=base64.b64encode(sealed).decode(),
            changed_by=by,
            changed_at=at or self._clock.now(),
        )

    def _entry(self, action: str, subject: str, by: Principal, details: JsonObject) -> AuditEntry:
        return AuditEntry(at=self._clock.now(), actor=by.name, action=action, subject=subject, details=details)


def _beside(name: str, rules: SecretRules) -> bytes:
    """What can't be changed without breaking the seal."""
    return encode_sorted({"name": name, "applications": rules.applications, "hosts": rules.hosts})


def _body(one: StoredSecret) -> JsonObject:
    body = to_json(one)
    assert isinstance(body, dict)
    return body


def _read(document: Document) -> StoredSecret:
    return msgspec.convert(document.body, StoredSecret)


def _refusal(one: StoredSecret, use: SecretUse) -> Problem | None:
    if use.application is None:
        return None
    if use.application.lower() not in one.rules.applications:
        return Problem(
            code="secret.not_for_application",
            message=f"The secret {one.name} isn't for pipelines of {use.application}.",
            remedy=f"An administrator can allow it: gennaker secret set {one.name} --application {use.application}",
        )
    if use.host and one.rules.hosts and use.host.lower() not in one.rules.hosts:
        return Problem(
            code="secret.not_for_host",
            message=f"The secret {one.name} may not be sent to {use.host}.",
            remedy=f"An administrator can allow it: gennaker secret set {one.name} --host {use.host}",
        )
    return None


def _wrong(name: str, value: str) -> list[Problem]:
    problems = []
    if not _NAME.fullmatch(name):
        message = f"{name[:100]!r} can't be the name of a secret."
        remedy = "Use up to 100 letters, digits, `.`, `_` and `-`."
        problems.append(Problem(code="secret.name", message=message, remedy=remedy))
    if not SHORTEST <= len(value) <= _LONGEST:
        message = f"The value has {len(value)} characters; between {SHORTEST} and {_LONGEST} are possible."
        remedy = "Shorter ones can be guessed, and can't be masked without spoiling other texts."
        problems.append(Problem(code="secret.length", message=message, remedy=remedy, pointer="/value"))
    return problems


def _unknown(name: str) -> Problem:
    return Problem(
        code="secret.unknown",
        message=f"There is no secret {name[:100]!r}.",
        remedy="`gennaker secret list` shows those that there are; references read `encrypted:store!n:NAME`.",
    )


def _unopened(name: str, why: str) -> Problem:
    return Problem(
        code="secret.unopened",
        message=f"The secret {name} can't be opened: {why}.",
        remedy="Put the key file (store.secret-key-file) back, or set the secret anew.",
    )


def _changed_just_now(name: str) -> Problem:
    return Problem(
        code="secret.changed",
        message=f"Somebody has changed the secret {name} meanwhile; nothing was done.",
        remedy="Look at it again, and repeat the change.",
    )


def _changed_meanwhile(names: list[str]) -> Problem:
    return Problem(
        code="secret.changed_meanwhile",
        message=f"Meanwhile somebody has changed {', '.join(names)} with the older key, which was kept therefore.",
        remedy="Rotate again.",
    )
