"""Refusals: what was refused for security's sake, in the audit trail, without letting a flood of it fill the disk.

Theory of operation. The first refusal of a kind (action, reason, who asked and from where, what for) is a record at once. It
opens a window of a minute in which the same one is only counted; when the window ends, one more record has the number (`more`),
and the next minute is counted. Different ones are bounded, too: each record costs its sender a part of what he has to spend, and
a part of what all strangers, or all who have signed in, have together; both are filled up again steadily. What finds nothing left
is counted for its sender, or, where even these are many, for all, and recorded as a number. A number that nothing is left for
goes on to grow. So nothing is left out: the records and the numbers in them together are all the refusals there were, up to some
minutes ago. What a killed server had counted and not recorded yet is lost; the first of each kind was recorded before.

A sender is somebody who has signed in, else an address; of IPv6 the network of 64 bits that one customer has.
"""

import asyncio
import ipaddress
from datetime import datetime, timedelta

import msgspec

from gennaker.interfaces.audit import AuditTrail
from gennaker.interfaces.clock import Clock
from gennaker.interfaces.services import Services
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import Json, JsonObject, encode
from gennaker.model.principal import ANONYMOUS, Principal

WINDOW = timedelta(minutes=1)
_OF_A_SENDER = 20
"""Records that one sender may cause at once."""
_OF_A_SENDER_A_MINUTE = 5
_OF_ALL = 1_000
"""The same for all strangers, and once more for all who have signed in: strangers leave them theirs."""
_OF_ALL_A_MINUTE = 20
"""With those that only count: 65,000 records a day, some 30 MB, are the most that strangers from everywhere leave."""
_MOST_SENDERS = 10_000
_MOST_WINDOWS = 5_000
_MOST_COUNTED_APART = 20
"""Senders who have nothing left to spend, and are still counted each for itself."""
_MOST_WAITING = 5_000
"""Records that wait for a store that takes none; beyond them is only counted."""
_LONGEST = 300
"""Bytes of JSON of each text in a record: what is refused may quote whatever a request had, in characters that JSON makes longer."""
_MOST_LISTED = 10
_LONGEST_ESCAPE = 6
"""Bytes that JSON makes of one character."""
_PERSON = "person:"
_SIX = 6
SEVERAL = "several"
"""Who is named where many senders are counted together; nobody is called so."""


class _Key(msgspec.Struct, frozen=True, kw_only=True):
    sender: str
    action: str
    code: str
    actor: str
    subject: str


class _Window(msgspec.Struct, kw_only=True):
    """What has come since its last record."""

    entry: AuditEntry
    since: datetime
    until: datetime
    more: int
    last: datetime


class _Budget(msgspec.Struct, kw_only=True):
    left: float
    at: datetime


class Refusals:
    """Of one server process."""

    def __init__(self, audit: AuditTrail, clock: Clock) -> None:
        """Nothing was refused yet."""
        self._audit = audit
        self._clock = clock
        self._windows: dict[_Key, _Window] = {}
        self._together: dict[_Key, _Window] = {}
        """Of senders who have nothing left to spend."""
        self._budgets: dict[str, _Budget] = {}
        self._of_strangers = _Budget(left=_OF_ALL, at=clock.now())
        self._of_people = _Budget(left=_OF_ALL, at=clock.now())
        self._waiting: list[AuditEntry] = []
        self._news = asyncio.Event()

    async def tell(self, entry: AuditEntry, *, sender: str) -> None:
        """Durable when it returns, or counted. `details.code` tells one reason from another."""
        self.note(entry, sender=sender)
        await self._write()

    def note(self, entry: AuditEntry, *, sender: str) -> None:
        """The same for callers that can't wait: durable within a minute."""
        now = entry.at
        self._news.set()
        entry = _short(entry)
        key = _key(entry, sender)
        window = self._windows.get(key)
        if window is None and len(self._windows) < _MOST_WINDOWS and self._may_spend(sender, now):
            self._windows[key] = _Window(entry=entry, since=now, until=now + WINDOW, more=0, last=now)
            self._waiting.append(entry)
            return
        window = window or self._counting(entry, sender, now)
        window.more += 1
        window.last = now

    async def run(self, _: Services) -> None:
        """A service: records what was counted, a minute after each first."""
        while True:
            if not (self._windows or self._together or self._waiting):
                self._news.clear()
                await self._news.wait()
            await self._clock.sleep_until(self._clock.now() + WINDOW)
            await self.settle(self._clock.now())

    async def settle(self, now: datetime | None = None) -> None:
        """Records what was counted in windows that have ended; without a time in all, as when the server stops."""
        for windows in (self._windows, self._together):
            for key in [key for key, window in windows.items() if now is None or window.until <= now]:
                window = windows.pop(key)  # what goes on being counted comes last the next time
                if not window.more:
                    continue
                if now is None or self._may_number(key, now, is_one_for_many=windows is self._together):
                    self._waiting.append(_numbered(window))
                    window = msgspec.structs.replace(window, since=window.last, more=0)
                if now is not None:
                    windows[key] = msgspec.structs.replace(window, until=now + WINDOW)
        await self._write()

    def _counting(self, entry: AuditEntry, sender: str, now: datetime) -> _Window:
        """The window of a sender who has nothing left to spend, or of all such senders together."""
        key = _Key(sender=sender, action=entry.action, code="", actor=SEVERAL, subject=SEVERAL)
        if key not in self._together and len(self._together) >= _MOST_COUNTED_APART:
            key = msgspec.structs.replace(key, sender=SEVERAL)
        window = self._together.get(key)
        if window is None:
            details: JsonObject = {"why": "Too many different refusals to record each.", "sender": key.sender}
            counted = msgspec.structs.replace(entry, actor=key.actor, subject=key.subject, details=details)
            window = self._together[key] = _Window(entry=counted, since=now, until=now + WINDOW, more=0, last=now)
        return window

    def _may_number(self, key: _Key, now: datetime, *, is_one_for_many: bool) -> bool:
        return len(self._waiting) < _MOST_WAITING if is_one_for_many else self._may_spend(key.sender, now)

    def _may_spend(self, sender: str, now: datetime) -> bool:
        own = self._budgets.setdefault(sender, _Budget(left=_OF_A_SENDER, at=now))
        if len(self._budgets) > _MOST_SENDERS:
            self._budgets.pop(next(iter(self._budgets)))
        shared = self._of_people if sender.startswith(_PERSON) else self._of_strangers
        _fill(own, _OF_A_SENDER_A_MINUTE, _OF_A_SENDER, now)
        _fill(shared, _OF_ALL_A_MINUTE, _OF_ALL, now)
        if own.left < 1 or shared.left < 1 or len(self._waiting) >= _MOST_WAITING:
            return False
        own.left -= 1
        shared.left -= 1
        return True

    async def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            await self._audit.record(*waiting)
        except BaseException:  # a client that has gone, too: what was refused is recorded once more rather than never
            self._waiting = [*waiting, *self._waiting]
            raise


def sender_of(principal: Principal, address: str) -> str:
    """Who is behind a request, as far as it is known."""
    if principal.name != ANONYMOUS.name:
        return f"{_PERSON}{principal.name}"
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return f"address:{address[:100]}"
    found = getattr(found, "ipv4_mapped", None) or found
    return f"address:{ipaddress.IPv6Network((found, 64), strict=False) if found.version == _SIX else found}"


def _key(entry: AuditEntry, sender: str) -> _Key:
    code = str(entry.details.get("code", ""))
    return _Key(sender=sender, action=entry.action, code=code, actor=entry.actor, subject=entry.subject)


def _short(entry: AuditEntry) -> AuditEntry:
    details = {name: _cut(value) for name, value in entry.details.items()}
    actor, subject = _cut_text(entry.actor), _cut_text(entry.subject)
    return msgspec.structs.replace(entry, actor=actor, subject=subject, details=details)


def _cut(value: Json) -> Json:
    if isinstance(value, str):
        return _cut_text(value)
    if isinstance(value, list):
        return [_cut(one) for one in value[:_MOST_LISTED]]
    if isinstance(value, dict):
        return {_cut_text(name): _cut(one) for name, one in list(value.items())[:_MOST_LISTED]}
    return value


def _cut_text(text: str) -> str:
    """What of it fits; halves of characters, which no store takes, are written out."""
    text = text[:_LONGEST].encode(errors="backslashreplace").decode()
    while (over := len(encode(text)) - len('""') - _LONGEST) > 0:
        text = text[: -max(1, over // _LONGEST_ESCAPE)]
    return text


def _numbered(window: _Window) -> AuditEntry:
    details: JsonObject = {**window.entry.details, "more": window.more, "since": window.since.isoformat()}
    return msgspec.structs.replace(window.entry, at=window.last, details=details)


def _fill(budget: _Budget, per_minute: int, most: int, now: datetime) -> None:
    budget.left = min(most, budget.left + max(timedelta(), now - budget.at) / WINDOW * per_minute)
    budget.at = now
