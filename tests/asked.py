"""Asked: which tests a run was asked for by their ids, and not only by their file or folder."""

from collections.abc import Iterable
from pathlib import Path


def by_id(test: str, arguments: Iterable[str], *, at: Path, root: Path) -> bool:
    """Whether one of the run's arguments, given in the folder `at`, is the test's id, or that of its class or all its parameters."""
    for one in arguments:
        file, separator, inner = one.partition("::")
        if separator:
            path = (at / file).resolve()
            named = f"{path.relative_to(root) if path.is_relative_to(root) else path}::{inner}"
            if test == named or test.startswith((f"{named}[", f"{named}::")):
                return True
    return False
