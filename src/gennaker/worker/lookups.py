"""Answers to what functions of expressions ask: texts at URLs through the guarded client, the rest from the definitions.

Addresses inside the machine and its network, localhost and addresses written as numbers are refused unless the setting
`webhook-hosts` names them, after name resolution and redirects too.
"""

import asyncio
import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from gennaker import addresses
from gennaker.expressions.functions import LookupFailed
from gennaker.interfaces.definitions import Definitions
from gennaker.interfaces.lookups import About, Answer, Question
from gennaker.model.codec import Json, JsonObject
from gennaker.transport.http import GuardedClient, HttpFailure, HttpLimits

_LIMITS = HttpLimits(connect_seconds=5, read_seconds=10, total_seconds=15, answer_bytes=1_000_000, redirects=3)
_BAD_STATUS = 400


class LocalOutside:
    """Asks the network and the definitions."""

    def __init__(self, definitions: Definitions, *, allowed: tuple[str, ...] = ()) -> None:
        """`allowed`: `host:port` that may be read although they are inside."""
        self._definitions = definitions
        self._allowed = allowed

    async def answers(self, questions: Sequence[Question]) -> list[Answer]:
        """One for each question."""
        return list(await asyncio.gather(*map(self._tried, questions)))

    async def _tried(self, question: Question) -> Answer:
        try:
            return await self._answer(question)
        except LookupFailed as failed:
            return failed

    async def _answer(self, question: Question) -> Json:
        match question.about:
            case About.URL:
                return await self._read(question.name)
            case About.PIPELINE:
                return await self._id("pipeline", question)
            case About.CANARY_CONFIG:
                return await self._id("canary-config", question)
            case About.APPLICATION:
                found = await self._definitions.get("application", question.name.lower())
                return None if found is None else {"name": question.name, **found.body}
            case About.REFERENCE:
                raise LookupFailed("there is no artifact store here")

    async def _id(self, kind: str, question: Question) -> str | None:
        is_pipeline = kind == "pipeline"
        listed = await self._definitions.list(kind, question.application if is_pipeline else None)
        for one in listed:
            if one.body.get("name") == question.name and (is_pipeline or _is_of(one.body, question.application)):
                return one.id
        return None

    async def _read(self, url: str) -> str:
        self._check(url)
        client = GuardedClient(allowed=self._allowed, limits=_LIMITS)
        try:
            answer = await client.request("GET", url)
        except HttpFailure as failure:
            raise LookupFailed(str(failure)) from failure
        finally:
            await client.close()
        if answer.status >= _BAD_STATUS:
            raise LookupFailed(f"{url} answered {answer.status}")
        return answer.body.decode("utf-8", "replace")

    def _check(self, url: str) -> None:
        """Names only, as in Spinnaker: who writes an address means something inside."""
        try:
            host, place = urlsplit(url).hostname or "", addresses.of_url(url)
        except ValueError as cause:
            raise LookupFailed(f"{url[:80]!r} isn't a URL") from cause
        if place in map(addresses.written, self._allowed):
            return
        if host == "localhost" or host.endswith(".localhost") or _is_address(host):
            raise LookupFailed(f"{url[:80]} names an address or localhost; the setting webhook-hosts can allow {place}")


def _is_of(body: JsonObject, application: str) -> bool:
    applications = body.get("applications")
    return isinstance(applications, list) and application in applications


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.replace(".", "").isdigit() or host.startswith("0x")
    return True
