"""The terminal: everything that the command line writes goes through here."""

import json
import sys
from enum import StrEnum

import yaml
from rich.console import Console
from rich.table import Table

from gennaker.model.problems import Problem


class Form(StrEnum):
    """How something is printed: for people, or for programs."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str = "") -> None:
    """A line to standard output."""
    out.print(text, markup=False)


def complain(*problems: Problem) -> None:
    """Problems to standard error, each with what to do."""
    for problem in problems:
        err.print(f"gennaker: {problem}", markup=False, style="red" if err.is_terminal else None)


def show_json(value: object) -> None:
    """JSON to standard output, for programs."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def show(value: object, form: Form) -> None:
    """JSON or YAML to standard output."""
    if form is Form.YAML:
        sys.stdout.write(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
    else:
        show_json(value)


def show_table(
    title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]], *, whole: tuple[str, ...] = ()
) -> None:
    """A table to standard output; what stands in the `whole` columns is never broken: it can be copied."""
    table = Table(title=title or None, box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in whole)
    for row in rows:
        table.add_row(*row)
    out.print(table)
