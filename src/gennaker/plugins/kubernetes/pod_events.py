"""Events of pods, by which pods that aren't made ready say why; where an account may not list them nobody asks all the time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.kubernetes.kinds import Kind
from gennaker.plugins.kubernetes.objects import Objects

_EVENT = Kind("event")
_REFUSED_FOR = timedelta(minutes=1)
"""So long a refusal counts: rights are seldom given, and who looks at server groups does so every second."""


class PodEvents:
    """As the shared watches have them."""

    def __init__(self, now: Callable[[], datetime], refused: Json = None) -> None:
        """`refused`: what another has `remembered`."""
        self._now = now
        self._refused_until: dict[tuple[str, str], datetime] = {}
        for account, namespaces in foreign.mapping(refused).items():
            for namespace, until in foreign.mapping(namespaces).items():
                self._refused_until[account, namespace] = datetime.fromisoformat(foreign.text(until))

    @property
    def remembered(self) -> JsonObject:
        """Where they were refused until when, for a task that looks again later."""
        found: dict[str, JsonObject] = {}
        for (account, namespace), until in self._refused_until.items():
            found.setdefault(account, {})[namespace] = until.isoformat()
        return {**found}

    async def of(self, objects: Objects, namespaces: Iterable[str]) -> Mapping[str, Sequence[JsonObject]]:
        """By uid of what they are about; none where the account may not see them. Raises ApiFailure."""
        listed = [event for one in sorted(namespaces) for event in await self._in(objects, one)]
        return by_uid(listed)

    async def _in(self, objects: Objects, namespace: str) -> Iterable[JsonObject]:
        key, now = (objects.account.name, namespace), self._now()
        self._refused_until = {one: until for one, until in self._refused_until.items() if now < until}
        if key in self._refused_until:
            return ()
        try:
            return (await objects.all_seen(_EVENT, namespace)).values()
        except Refused:
            self._refused_until[key] = now + _REFUSED_FOR
            return ()


def by_uid(events: Iterable[JsonObject]) -> dict[str, list[JsonObject]]:
    """Sorts events by what they are about."""
    found: dict[str, list[JsonObject]] = {}
    for one in events:
        found.setdefault(foreign.text_at(foreign.mapping(one.get("involvedObject")), "uid"), []).append(one)
    return found
