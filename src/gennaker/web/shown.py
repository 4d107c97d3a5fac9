"""Shown: executions as JSON, kept as long as they are what they were.

A list is asked for again and again, by every page that is open, and most of what is in it was over long ago. Its rows say
cheaply which version of each execution there is (`Listed`); only what has changed since is read and encoded. Whoever asks
is asked about before: what is kept knows nobody.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Final

import msgspec

from gennaker.interfaces.executions import Executions, Listed
from gennaker.model.codec import Json, encode
from gennaker.model.execution import Execution

Form = Callable[[Execution], Json]
"""How an execution is shown; a function of a module, by which what it made is found again."""
_KEPT_BYTES: Final = 16_000_000
_LARGEST_BYTES: Final = 64_000
"""Larger ones are made each time."""
_ENTRY_BYTES: Final = 300
"""Of memory for each beside its JSON."""


class Shown:
    """Used on the loop only."""

    def __init__(self, kept_bytes: int = _KEPT_BYTES) -> None:
        """Nothing was shown yet."""
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._bytes = 0
        self._most = kept_bytes

    async def executions(self, executions: Executions, listed: Sequence[Listed], form: Form) -> list[msgspec.Raw]:
        """Each in this form, in this order; what was deleted meanwhile is left out."""
        found = {one.id: kept for one in listed if (kept := self._found(_key(form, one))) is not None}
        missing = [one.id for one in listed if one.id not in found]
        for one in await executions.several(missing) if missing else ():
            found[one.head.id] = encode(form(one))
            self._keep(_key(form, _listed(one)), found[one.head.id])
        return [msgspec.Raw(found[one.id]) for one in listed if one.id in found]

    async def of_all(
        self,
        executions: Executions,
        listed: Sequence[Listed],
        name: Hashable,
        make: Callable[[Sequence[Execution]], Json],
    ) -> msgspec.Raw:
        """What is made of several together; `name` says how."""
        key = (name, *listed)
        kept = self._found(key)
        if kept is None:
            found = await executions.several([one.id for one in listed])
            kept = encode(make(found))
            if [_listed(one) for one in found] == [*listed]:  # otherwise it is of a later moment than the key
                self._keep(key, kept, largest=self._most // 16)
        return msgspec.Raw(kept)

    def _found(self, key: Hashable) -> bytes | None:
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def _keep(self, key: Hashable, made: bytes, *, largest: int = _LARGEST_BYTES) -> None:
        if key in self._kept or len(made) > largest:
            return
        self._kept[key] = made
        self._bytes += len(made) + _ENTRY_BYTES
        while self._bytes > self._most:
            self._bytes -= len(self._kept.popitem(last=False)[1]) + _ENTRY_BYTES


def _key(form: Form, one: Listed) -> Hashable:
    return form, one


def _listed(one: Execution) -> Listed:
    head = one.head
    return Listed(id=head.id, application=head.application.lower(), version=head.version, build_time=head.build_time)
