"""Choosing: which stage of an execution a command means. Where that isn't clear nothing is done, and what could be meant is listed."""

from collections.abc import Callable

import msgspec

from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.foreign import mapping, mappings_at, text_at
from gennaker.model.problems import Problem, Refused

_ACTIVE = ("RUNNING", "PAUSED")
_WINDOW = "restrictExecutionDuringTimeWindow"
_WAITS = ("wait", "waitForCondition", _WINDOW)
_FAILED = ("TERMINAL", "STOPPED")
_NOT_ENDED = ("NOT_STARTED", "SUSPENDED", "BUFFERED", *_ACTIVE)
_LISTED = 20


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """Which stages a command is for."""

    can: str
    """What can be done with them, in words: `be skipped`."""
    none: str
    """Which stages it would be, where there is none."""
    fits: Callable[[JsonObject], bool]
    is_clear: Callable[[JsonObject], bool]
    """If just one stage that fits is like that, it is meant."""


def stage_id(execution: JsonObject, wanted: str, what: str) -> str:
    """The id of the stage that is meant by id, refId or name, or by nothing at all. Raises Refused."""
    stages = mappings_at(execution, "stages")
    execution_id = text_at(execution, "id")
    if wanted:
        named = [one for one in stages if wanted in (text_at(one, "id"), text_at(one, "refId"), text_at(one, "name"))]
        if len(named) != 1:
            raise Refused(_not_one(execution_id, wanted, named, stages))
        window = _window(named[0], stages) if what == "skip" else None
        return text_at(window or named[0], "id")
    kind = _KINDS[what]
    fitting = [one for one in stages if kind.fits(one) and not (what == "skip" and _window(one, stages))]
    clear = [one for one in fitting if kind.is_clear(one)]
    if len(clear) != 1:
        raise Refused(_unclear(execution_id, what, kind, clear or fitting))
    return text_at(clear[0], "id")


def _window(stage: JsonObject, stages: list[JsonObject]) -> JsonObject | None:
    """The execution window for which the stage waits: skipping the stage means that, not what it does afterwards."""
    below = (one for one in stages if one.get("parentId") == stage.get("id") and text_at(one, "type") == _WINDOW)
    return next((one for one in below if text_at(one, "status") in _ACTIVE), None)


def _can_be_skipped(stage: JsonObject) -> bool:
    if text_at(stage, "status") not in _ACTIVE:
        return False
    context = mapping(stage.get("context"))
    kind = text_at(context, "alias") or text_at(stage, "type")
    return kind in _WAITS or foreign.flag(context.get("skippable"))


def _can_be_restarted(stage: JsonObject) -> bool:
    return not stage.get("parentId") and text_at(stage, "status") not in _NOT_ENDED


def _has_failed(stage: JsonObject) -> bool:
    return not stage.get("parentId") and text_at(stage, "status") in _FAILED


_KINDS = {
    "skip": Kind(
        can="be skipped",
        none="Waits and execution windows can be, and running stages that say `skippable: true`",
        fits=_can_be_skipped,
        is_clear=lambda _: True,
    ),
    "restart": Kind(
        can="be restarted", none="Those that have ended can be", fits=_can_be_restarted, is_clear=_has_failed
    ),
    "ignore-failure": Kind(
        can="be let pass", none="Those that have failed can be", fits=_has_failed, is_clear=lambda _: True
    ),
}


def _unclear(execution_id: str, what: str, kind: Kind, found: list[JsonObject]) -> Problem:
    if not found:
        return Problem(
            code="stage.none",
            message=f"No stage of {execution_id} can {kind.can} now.",
            remedy=f"{kind.none}. `gennaker why {execution_id}` says how it stands.",
        )
    count = "One stage" if len(found) == 1 else f"{len(found)} stages"
    return Problem(
        code="stage.unclear",
        message=f"Nothing was done: which stage? {count} of {execution_id} can {kind.can}:\n{_list(found)}\n",
        remedy=f"Name one: gennaker {what} {execution_id} --stage {_quoted(text_at(found[0], 'refId'))}",
    )


def _not_one(execution_id: str, wanted: str, named: list[JsonObject], stages: list[JsonObject]) -> Problem:
    if named:
        return Problem(
            code="stage.ambiguous",
            message=f"{len(named)} stages of {execution_id} are called {wanted!r}:\n{_list(named)}\n",
            remedy="Give the refId.",
        )
    own = [one for one in stages if not one.get("parentId")]
    return Problem(
        code="stage.unknown",
        message=f"{execution_id} has no stage {wanted!r}.",
        remedy=f"It has these:\n{_list(own)}" if own else "",
    )


def _list(stages: list[JsonObject]) -> str:
    """A line for each: refId, status, name, what it waits for."""
    widest = max(len(text_at(one, "refId")) for one in stages[:_LISTED])
    lines = [
        f"  {text_at(one, 'refId'):<{widest}}  {text_at(one, 'status'):<15}  {text_at(one, 'name')}"
        + (f"  waits for {text_at(one, 'waitingFor')}" if text_at(one, "waitingFor") else "")
        for one in stages[:_LISTED]
    ]
    more = [f"  and {len(stages) - _LISTED} more"] if len(stages) > _LISTED else []
    return "\n".join([*lines, *more])


def _quoted(text: str) -> str:
    return text if text.isalnum() else "'" + text.replace("'", "'\\''") + "'"
