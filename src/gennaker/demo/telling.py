"""Telling the demo's story on a terminal: what is going on now, what has happened, what didn't."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

from gennaker.model.problems import Refused

_WIDE = 1000
"""Characters: more than any row has."""


class Step:
    """A step that is being told."""

    def __init__(self) -> None:
        self.seconds: float | None = None
        """How long it took, where that isn't how long was waited for it."""


class Teller:
    """Says each step when it is done, with how long it took; on a terminal also what is under way."""

    def __init__(self, console: Console | None = None, *, seconds: Callable[[], float] = time.monotonic) -> None:
        """Standard output by default. `seconds`: a clock that only goes forward."""
        self._clock = seconds
        self.console = console or Console(highlight=False, soft_wrap=True)
        self._began = seconds()
        self._status: Status | None = None
        self.failures: list[str] = []

    @contextmanager
    def step(self, what: str) -> Iterator[Step]:
        """A step; it is said when it has ended well, and when it hasn't."""
        began, step = self._clock(), Step()
        with self.console.status(f"{escape(what)} …") as status:
            self._status = status
            try:
                yield step
            finally:
                self._status = None
        self._line("[green]✓[/green]", what, self._clock() - began if step.seconds is None else step.seconds)

    def now(self, what: str) -> None:
        """What is under way within a step; only a terminal shows it."""
        if self._status is not None:
            self._status.update(escape(what))

    def say(self, text: str) -> None:
        """Something, as it is."""
        self.console.print(text, markup=False)

    def title(self, text: str) -> None:
        """A heading."""
        self.console.print(f"\n[bold]{escape(text)}[/bold]")

    def note(self, text: str) -> None:
        """Something worth knowing."""
        self.console.print(f"    {text}", style="dim", markup=False)

    def check(self, what: str, *, holds: bool, found: object = "") -> None:
        """Something that must be so; what isn't is said at once and fails the demo at its end."""
        if holds:
            self._line("[green]✓[/green]", what, None)
            return
        self.failures.append(f"{what} (found: {found})")
        self.console.print(f"  [red]✗ {escape(what)}[/red]  found: {escape(str(found))}")

    def refused(self, refused: Refused) -> None:
        """What kept the story from going on."""
        for problem in refused.problems:
            self.failures.append(str(problem))
            self._line("[red]✗[/red]", str(problem), None)

    def table(self, title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        """A table; where nobody sees how wide it may be, each row is one line."""
        is_seen = self.console.is_terminal
        table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold", no_wrap=not is_seen)
        for row in rows:
            table.add_row(*map(escape, row))
        self.console.print()
        (self.console if is_seen else Console(file=self.console.file, width=_WIDE, soft_wrap=True)).print(table)

    def verdict(self, folder: Path) -> None:
        """What didn't go as it must, and where to look."""
        self.title(f"Not everything went as it must ({len(self.failures)}):")
        for failure in self.failures:
            self._line("[red]✗[/red]", failure, None)
        self.say(f"  The server's log and data are in {folder}.")

    @property
    def seconds(self) -> float:
        """Since the story began."""
        return self._clock() - self._began

    def _line(self, mark: str, what: str, seconds: float | None) -> None:
        took = f"  [dim]{seconds:.1f} s[/dim]" if seconds is not None else ""
        self.console.print(f"  {mark} {escape(what)}{took}")
