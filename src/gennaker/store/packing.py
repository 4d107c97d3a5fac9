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
        known: list[int] = []
        if self._large_keys and not self._large_keys.keys().isdisjoint(keys := packing.keys()):
            # What is written once beside a large record mostly holds the same values.
            known = [place for place, key in enumerate(keys) if not key or key in self._large_keys]
        large = packing.encode(known)
        if not large:
            return packing
        if large == known:
            with suppress(TooMuch):
                packing.pack(large, self._large, _QUICK)
                return packing
        await asyncio.to_thread(packing.pack, large, self._large)
        return packing

    def remember(self, packing: "Packing") -> None:
        """Which records are large now; what they hold is durable."""
        if not packing.looked_into:
            return
        keys = packing.keys()
        looked_into = [(keys[place], packing.records[place], packing.apart[place]) for place in packing.looked_into]
        self._large.remember((record, packed) for _, record, packed in looked_into)
        for key, _, packed in looked_into:
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
        self.bodies: list[str] = []
        """JSON of each record."""
        self.references: list[str | None] = []
        """Of each record to its large values (values.py)."""
        self.looked_into: list[int] = []
        """Places of the records that are large, or were when last written."""
        self.apart: dict[int, Packed] = {}
        """These records by their places."""
        self._commit = commit
        for change in commit.executions:
            self.records.append(outlines.moving(change.head))
            if change.head_before is None or not outlines.is_same(change.head_before, change.head):
                self.records.append(outlines.outline(change.head))
                self.outlined.add(change.head.id)
            self.records.extend(change.stages)
            for recorded in change.events:
                self.records.append(recorded.event)
        for pending in commit.effects:
            self.records.append(pending.effect)
        for pending in commit.handed_over:
            self.records.append(pending.effect)

    def blobs(self) -> list[tuple[str, bytes]]:
        """Large values by their digests."""
        return [item for place in self.looked_into for item in self.apart[place].blobs.items()] if self.apart else []

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

    def encode(self, known: list[int]) -> list[int]:
        """The fast way, for all but those that are known to be large; returns the places of all that are, in order."""
        records: list[msgspec.Struct | None] = [*self.records]
        for place in known:
            records[place] = None
        lines = codec.encode_lines(records)
        large = known
        if len(lines) > LARGE_BYTES:
            split = lines.split(b"\n")
            large = sorted({*known, *(place for place, line in enumerate(split) if len(line) > LARGE_BYTES)})
            for place in large:
                split[place] = b""  # not decoded: it may be one of many megabytes
            lines = b"\n".join(split)
        self.bodies = lines.decode().split("\n")
        self.bodies.pop()  # what follows the last line's end
        self.references = [None] * len(self.bodies)
        return large

    def pack(self, places: list[int], large: Large, budget: float = math.inf) -> None:
        """The thorough way, for these: in a thread, or with a budget for each record. Raises TooMuch."""
        beside: dict[int, tuple[object, str]] = {}
        for place in places:
            packed = self.apart[place] = large.pack(self.records[place], budget, beside)
            self.bodies[place], self.references[place] = packed.body, packed.references
        self.looked_into = places
