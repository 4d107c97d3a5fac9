"""Judgments: the choices that a manual judgment offers, and whether an answer is one of them."""

from gennaker.model.codec import Json
from gennaker.model.foreign import mappings, written
from gennaker.model.problems import Problem


def choices(offered: Json) -> tuple[str, ...]:
    """The texts of `judgmentInputs`: `[{"value": "…"}]`."""
    return tuple(written(one["value"]) for one in mappings(offered) if one.get("value") is not None)


def refused(offered: Json, given: Json) -> Problem | None:
    """Why this can't be chosen; None: it can. Nothing may always be chosen, anything where nothing is offered."""
    known = choices(offered)
    if not known or given in (None, "") or written(given) in known:
        return None
    return Problem(
        code="judgment.unknown_choice",
        message=f"{written(given)!r} is no choice of this judgment.",
        remedy=f"It offers {', '.join(map(repr, known))}.",
        pointer="/judgmentInput",
    )
