"""Packing a commit: its records as JSON, large values apart (values.py), before the writer's turn comes."""

import asyncio
import math
from collections import OrderedDict
from contextlib import suppress

import msgspec

from gennaker.interfaces.journal import Commit
from gennaker.model import codec
from gennaker.store import outlines
from gennaker.store.values import LARGE_BYTES, Large, Packed, TooMuch

_QUICK = 1000
"""How much of a record is looked at on the loop: less than a millisecond."""
_LARGE_KEPT = 1000
"""Records that were large when last written: they are looked into at once."""


class Packer:
    """Packs commits and remembers which records and values are large."""

    def __init__(self) -> None:
        """Knows no record yet."""
        self._large = Large()
        self._large_keys: OrderedDict[str, None] = OrderedDict()

    async def packed(self, commit: Commit) -> "Packing":
        """Quickly where the records are small, or large by values that are stored already; else in a thread."""
        packing = Packing(commit)
        if self._large_keys and not self._large_keys.keys().isdisjoint(packing.keys()):
            with suppress(TooMuch):
                packing.pack_all(self._large, _QUICK)
                return packing
        else:
            packing.encode_all()
            if not packing.is_large:
                return packing
        await asyncio.to_thread(packing.pack_all, self._large)
        return packing

    def remember(self, packing: "Packing") -> None:
        """Which records are large now; what they hold is durable."""
        if not packing.was_packed:
            return
        self._large.remember(packing.records, packing.packed)
        for key, packed in zip(packing.keys(), packing.packed, strict=True):
            if key and (packed.references or len(packed.body) > LARGE_BYTES):
                self._large_keys[key] = None
                self._large_keys.move_to_end(key)
            else:
                self._large_keys.pop(key, None)
        while len(self._large_keys) > _LARGE_KEPT:
            self._large_keys.popitem(last=False)


class Packing:
    """The records of a commit and what their rows hold."""

    def __init__(self, commit: Commit) -> None:
        self.records: list[msgspec.Struct] = []
        self.outlined: set[str] = set()
        """Executions whose outline is written, too; its record comes behind the head's."""
        self.packed: list[Packed] = []
        self.is_large = False
        self.was_packed = False
        self._commit = commit
        for change in commit.executions:
            self.records.append(outlines.moving(change.head))
            if change.head_before is None or not outlines.is_same(change.head_before, change.head):
                self.records.append(outlines.outline(change.head))
                self.outlined.add(change.head.id)
            self.records.extend(change.stages)
            self.records.extend([recorded.event for recorded in change.events])
        self.records.extend([pending.effect for pending in commit.effects])
        self.records.extend([pending.effect for pending in commit.handed_over])

    def keys(self) -> list[str]:
        """For each record what tells it when it is written again; empty: it is written once."""
        keys: list[str] = []
        for change in self._commit.executions:
            keys.append(change.head.id)
            if change.head.id in self.outlined:
                keys.append(f"{change.head.id}/")
            keys.extend(f"{change.head.id}/{stage.id}" for stage in change.stages)
            keys.extend("" for _ in change.events)
        keys.extend("" for _ in self._commit.effects)
        keys.extend("" for _ in self._commit.handed_over)
        return keys

    def encode_all(self) -> None:
        """The fast way; gives up at the first large record."""
        packed = self.packed
        for record in self.records:
            body = codec.encode(record)
            if len(body) > LARGE_BYTES:
                self.is_large = True
                return
            packed.append(Packed(body=body.decode()))

    def pack_all(self, large: Large, budget: float = math.inf) -> None:
        """The thorough way: for a thread, or with a budget for each record. Raises TooMuch."""
        beside: dict[int, tuple[object, str]] = {}
        self.packed = [large.pack(record, budget, beside) for record in self.records]
        self.was_packed = True
