"""Telling the demo's story on a terminal: what is going on now, what has happened, what didn't."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status
from rich.table import Table


class Teller:
    """Says each step when it is done, with how long it took; on a terminal also what is under way."""

    def __init__(self, console: Console | None = None) -> None:
        """Standard output by default."""
        self.console = console or Console(highlight=False, soft_wrap=True)
        self._began = time.monotonic()
        self._status: Status | None = None
        self.failures: list[str] = []

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """A step; it is said when it has ended well, and when it hasn't."""
        began = time.monotonic()
        with self.console.status(f"{what} …") as status:
            self._status = status
            try:
                yield
            finally:
                self._status = None
        self._line("[green]✓[/green]", what, time.monotonic() - began)

    def now(self, what: str) -> None:
        """What is under way within a step; only a terminal shows it."""
        if self._status is not None:
            self._status.update(what)

    def title(self, text: str) -> None:
        """A heading."""
        self.console.print(f"\n[bold]{text}[/bold]")

    def note(self, text: str) -> None:
        """Something worth knowing."""
        self.console.print(f"    {text}", style="dim", markup=False)

    def check(self, what: str, *, holds: bool, found: object = "") -> None:
        """Something that must be so; what isn't is said at once and fails the demo at its end."""
        if holds:
            self._line("[green]✓[/green]", what, None)
            return
        self.failures.append(f"{what} (found: {found})")
        self.console.print(f"  [red]✗ {what}[/red]  found: {found}")

    def table(self, title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        """A table."""
        table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*row)
        self.console.print()
        self.console.print(table)

    @property
    def seconds(self) -> float:
        """Since the story began."""
        return time.monotonic() - self._began

    def _line(self, mark: str, what: str, seconds: float | None) -> None:
        took = f"  [dim]{seconds:.1f} s[/dim]" if seconds is not None else ""
        self.console.print(f"  {mark} {what}{took}")
