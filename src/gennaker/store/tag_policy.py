"""Tag policy: which tags of the served registry name one image for ever."""

import fnmatch
import re
from collections.abc import Iterable

import msgspec


class TagPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A tag that matches `immutable` in full can't be given other content."""

    immutable: str
    """Regular expression."""

    @classmethod
    def all_but(cls, mutable: Iterable[str]) -> "TagPolicy":
        """Everything is immutable but tags that match one of the patterns (`*` stands for any text)."""
        alternatives = "|".join(fnmatch.translate(pattern) for pattern in mutable)
        return cls(immutable=rf"(?!(?:{alternatives})).*" if alternatives else ".*")

    def is_immutable(self, tag: str) -> bool:
        """Whether the tag names one image for ever."""
        return re.fullmatch(self.immutable, tag) is not None
