"""Visits of the web application over a running core, in virtual time or in the machine's."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.fakes.website import Website
from tests.harness import Harness


def visit(
    work: Callable[[Website], Awaitable[None]],
    *,
    harness: Harness | None = None,
    page: Path = Path("/nonexistent/page"),
) -> None:
    """Does the work while the core runs."""
    installed = harness or Harness()

    async def main() -> None:
        async with installed.process() as core:
            await work(Website(installed, core, page=page))

    installed.time.run(main())
