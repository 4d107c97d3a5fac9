"""The terminal: everything that the command line writes goes through here."""

import json
import re
import sys
from collections.abc import Sequence
from enum import Enum, StrEnum

import yaml
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem


class Form(StrEnum):
    """How something is printed: for people, or for programs."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


_LONGEST_WORD = 40
"""A longer one is broken where there is no room for it."""
_BETWEEN_COLUMNS = 2
_LONGEST_VALUE = 60
_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
"""What colours a terminal's text, moves in it, or names its window."""
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t\r"} | {13: ""}
_ESCAPED = {code: f"\\u{code:04x}" for code in range(127, 160)}
"""The controls that JSON allows in a text as they are."""
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def shown_default(value: object) -> str | None:
    """What help says of a default; None for one that means that nothing was given."""
    if isinstance(value, Enum):
        return str(value.value)
    return None if value is False or value in (None, "", (), []) else str(value)


def plain(text: str) -> str:
    """Text of others (names, logs, messages) as it may be printed: without what a terminal would take for commands."""
    return _SEQUENCES.sub("", text).translate(_CONTROLS)


def say(text: str = "") -> None:
    """A line to standard output."""
    out.print(plain(text), markup=False)


def note(text: str) -> None:
    """A line to standard error, beside results."""
    err.print(plain(text), markup=False)


def complain(*problems: Problem) -> None:
    """Problems to standard error, each with what to do."""
    for problem in problems:
        err.print(plain(f"gennaker: {problem}"), markup=False, style="red" if err.is_terminal else None)


def show_json(value: object) -> None:
    """JSON to standard output, for programs."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False).translate(_ESCAPED) + "\n")


def show(value: object, form: Form) -> None:
    """JSON or YAML to standard output."""
    if form is Form.YAML:
        sys.stdout.write(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
    else:
        show_json(value)


def value_at(found: JsonObject, key: str) -> str:
    """A value for a table's cell, cut where it is long; `-` where there is none."""
    if key not in found:
        return "-"
    value = found[key]
    said = value if isinstance(value, str) else json.dumps(value)
    return said if len(said) <= _LONGEST_VALUE else f"{said[:_LONGEST_VALUE]}…"


def show_table(
    title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, whole: tuple[str, ...] = ()
) -> None:
    """A table to standard output.

    Words are never broken unless they are very long, and what stands in the `whole` columns never: it can be copied. Where
    that needs more than the terminal's width, the table is wider. Where standard output is no terminal nothing is broken at all.
    """
    rows = [tuple(map(plain, row)) for row in rows]
    table = Table(title=title or None, box=None, pad_edge=False, header_style="bold")
    needed = 0
    for place, column in enumerate(columns):
        cells = [column, *(row[place] for row in rows)]
        words = cells if column in whole else [word for cell in cells for word in cell.split()]
        longest = max(map(cell_len, words), default=0)
        is_whole = column in whole or not out.is_terminal
        if not out.is_terminal:
            longest = max(map(cell_len, cells), default=0)
        least = longest if is_whole else min(longest, _LONGEST_WORD)
        table.add_column(column, overflow="fold", no_wrap=is_whole, min_width=least)
        needed += least + _BETWEEN_COLUMNS
    for row in rows:
        table.add_row(*map(Text, row))  # not markup, whatever it looks like
    (out if needed <= out.width else _as_wide_as(needed)).print(table)


def _as_wide_as(width: int) -> Console:
    """Standard output once more: a console makes nothing wider than itself, whatever width it is told."""
    return Console(
        file=out.file,
        width=width,
        force_terminal=out.is_terminal,
        color_system="auto" if out.color_system else None,
        highlight=False,
        soft_wrap=True,
    )
