"""`gennaker canary judge`: the results as the judge gives them, or a line for each case."""

import json
import sys

from gennaker.cli import terminal
from gennaker.cli.terminal import Form
from gennaker.model.codec import Json
from gennaker.model.foreign import mapping, text_at


def show(results: str, form: Form) -> None:
    """Prints what the judge said: JSON byte for byte, as scripts compare it."""
    if form is Form.JSON:
        sys.stdout.write(results + "\n")
        return
    found: Json = json.loads(results)
    if form is Form.YAML:
        terminal.show(found, form)
        return
    cases = found if isinstance(found, list) else [found]
    terminal.show_table(
        "", ("case", "verdict", "score", "why"), [_row(number, one) for number, one in enumerate(cases, start=1)]
    )


def _row(number: int, result: Json) -> tuple[str, ...]:
    score = mapping(mapping(result).get("score"))
    verdict = text_at(score, "classification") or "none"
    why = text_at(mapping(result), "problem") or text_at(score, "classificationReason")
    return str(number), verdict, str(score.get("score", "")), why
