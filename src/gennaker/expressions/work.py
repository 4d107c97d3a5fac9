"""What the evaluation of one text may spend on going through values: comparing, hashing and printing them.

One such call looks at many values, and where it is deep down nobody there has the session; so the count is kept beside
the evaluation, for each thread and task its own.
"""

from contextvars import ContextVar, Token

from gennaker.expressions.failures import ExpressionError, Kind

MAX_WORK = 1_500_000
"""Values looked at for one text; a second or two."""


class Work:
    """What is left of it for one text."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        """All of it is left."""
        self.left = MAX_WORK


_CURRENT: ContextVar[Work | None] = ContextVar("work", default=None)


def begin(work: Work) -> "Token[Work | None]":
    """From here on what is looked at counts as this work; `end` takes what comes back."""
    return _CURRENT.set(work)


def end(token: "Token[Work | None]") -> None:
    """What counted before `begin` counts again."""
    _CURRENT.reset(token)


def spend(values: int) -> None:
    """Counts values that were looked at. Raises LIMIT."""
    work = _CURRENT.get()
    if work is None:
        return
    work.left -= values
    if work.left < 0:
        raise ExpressionError(Kind.LIMIT, f"The expression looks at more than {MAX_WORK:,} values.")
