"""Patience: what follows an execution goes on when the server is away for a while, as the execution does."""

import time
from collections.abc import Callable
from typing import TypeVar

from gennaker.model.problems import Problem, Refused
from gennaker.transport.client import Client

WAITS_SECONDS = 300.0
"""The longest that a server may be away."""
_LOOKS_EVERY_SECONDS = 1.0
_AWAY = ("server.not_running", "server.unreachable", "http.502", "http.503", "http.504")
"""The server, or a proxy before it."""

Answer = TypeVar("Answer")
Tell = Callable[[str], None]


def ask(client: Client, execution_id: str, question: Callable[[], Answer], *, tell: Tell) -> Answer:
    """Asks until the server answers, and says once that it is away and once that it is back. Raises Refused after five minutes."""
    try:
        return question()
    except Refused as refused:
        if not _is_away(refused):
            raise
        tell(
            f"The server doesn't answer. Nothing is lost: this waits for it, {WAITS_SECONDS / 60:.0f} minutes at most."
        )
    until = time.monotonic() + WAITS_SECONDS
    while True:
        time.sleep(_LOOKS_EVERY_SECONDS)
        try:
            client.find_again()
            answer = question()
        except Refused as refused:
            if not _is_away(refused):
                raise
            if time.monotonic() >= until:
                raise Refused(_given_up(execution_id, refused.problems[0]), status=refused.status) from refused
        else:
            tell("The server answers again.")
            return answer


def _is_away(refused: Refused) -> bool:
    return refused.problems[0].code in _AWAY


def _given_up(execution_id: str, last: Problem) -> Problem:
    return Problem(
        code=last.code,
        message=f"{last.message.rstrip('.')}; it was away for {WAITS_SECONDS / 60:.0f} minutes.",
        remedy=f"{last.remedy} The execution goes on with it: gennaker watch {execution_id}".strip(),
    )
