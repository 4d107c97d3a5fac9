"""Idempotency-Key: what starts something starts it once for each key, however often the request is sent.

The engine remembers the key with the execution, in the same transaction; here is kept for which request it stood, so that
the same key with another one is refused. Both outlive the server.
"""

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated, Any

from litestar import Request
from litestar.params import HeaderParameter

from gennaker.interfaces.documents import Document, VersionMismatch
from gennaker.model.codec import JsonObject
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web.ports import WebPorts

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key", description="The same key and request start nothing a second time", max_length=255
    ),
]
"""The parameter of a handler that starts something."""
_NAMESPACE = "web.idempotency"
_INTENT = "intent"
_SWEEPS = "00"
"""One key in 256 looks for those that are too old: it reads all of them."""
_KEPT = timedelta(days=1)
"""So long the same key with another request is refused."""


async def submission_key(
    ports: WebPorts, principal: Principal, request: "Request[Any, Any, Any]", given: str | None
) -> str:
    """What the engine tells submissions apart by; empty: no key was given. Raises Refused (422) where it stood for another request."""
    if not given:
        return ""
    kept = ports.services.documents(_NAMESPACE)
    whose = _digest(principal.name, given)
    asked = _digest(request.method, request.url.path, (await request.body()).decode(errors="replace"))
    now = ports.services.clock.now()
    found = await kept.get(whose)
    if found is None or _is_old(found, now):
        try:
            await kept.put(whose, {"request": asked, "at": now.isoformat()}, if_version=found.version if found else 0)
        except VersionMismatch:
            found = await kept.get(whose)  # the same key came twice at once
    if found is not None and not _is_old(found, now) and found.body["request"] != asked:
        raise Refused(_of_another(given), status=422)
    if whose.startswith(_SWEEPS):
        await _sweep(ports, now)
    return f"idempotency:{whose}:{asked}"


async def answered(ports: WebPorts, principal: Principal, given: str | None) -> JsonObject | None:
    """What the first request with this key was answered, where that was kept. Of use after `submission_key`."""
    found = await ports.services.documents(_NAMESPACE).get(_digest(principal.name, given)) if given else None
    answer = found.body.get("answer") if found and not _is_old(found, ports.services.clock.now()) else None
    return answer if isinstance(answer, dict) else None


async def intent(
    ports: WebPorts, principal: Principal, given: str | None, make: Callable[[], Awaitable[JsonObject]]
) -> JsonObject | None:
    """What the first request with this key has set out to do: the same for all that come with it, at once or after a crash.

    Of use after `submission_key`; None: no key was given.
    """
    if not given:
        return None
    kept, whose = ports.services.documents(_NAMESPACE), _digest(principal.name, given)
    while True:
        found = await kept.get(whose)
        known = found.body.get(_INTENT) if found else None
        if isinstance(known, dict):
            return known
        made = await make()
        try:
            await kept.put(
                whose, {**(found.body if found else {}), _INTENT: made}, if_version=found.version if found else 0
            )
        except VersionMismatch:
            continue
        return made


async def give_up(ports: WebPorts, principal: Principal, given: str | None) -> None:
    """The intent can't be carried out: the next request with this key makes another one."""
    kept = ports.services.documents(_NAMESPACE)
    found = await kept.get(_digest(principal.name, given)) if given else None
    if found is not None:
        body = {name: value for name, value in found.body.items() if name != _INTENT}
        with suppress(VersionMismatch):
            await kept.put(found.key, body, if_version=found.version)


async def keep(ports: WebPorts, principal: Principal, given: str | None, answer: JsonObject) -> None:
    """For handlers that do more than to start something: a repeated request must not do the rest again."""
    kept = ports.services.documents(_NAMESPACE)
    found = await kept.get(_digest(principal.name, given)) if given else None
    if found is not None:
        await kept.put(found.key, {**found.body, "answer": answer})


async def _sweep(ports: WebPorts, now: datetime) -> None:
    kept = ports.services.documents(_NAMESPACE)
    for one in await kept.list():
        if _is_old(one, now):
            await kept.delete(one.key)


def _is_old(kept: Document, now: datetime) -> bool:
    return datetime.fromisoformat(str(kept.body["at"])) + _KEPT < now


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _of_another(key: str) -> Problem:
    return Problem(
        code="request.idempotency_key",
        message=f"The Idempotency-Key {key!r} was sent with another request before. Nothing was started.",
        remedy="Use a new key for each thing that is to be started, and the same one only to repeat a request as it was.",
    )
