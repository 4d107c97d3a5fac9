"""Owners: the mark of an installation on its containers, since several may share an engine. Kept in the data folder."""

import os
from collections.abc import Callable
from pathlib import Path


def read(data: Path) -> str:
    """The mark; empty where nothing was ever started."""
    try:
        return _path(data).read_text().strip()
    except FileNotFoundError:
        return ""


def kept(data: Path, new: Callable[[], str]) -> str:
    """The mark; of several servers that make it at the same time the first wins."""
    path = _path(data)
    found = read(data)
    if found:
        return found
    path.parent.mkdir(parents=True, exist_ok=True)
    mark = new()
    fresh = path.with_name(f"owner.{mark}")
    fresh.write_text(mark)
    try:
        os.link(fresh, path)
    except FileExistsError:
        mark = read(data)
    finally:
        fresh.unlink()
    return mark


def _path(data: Path) -> Path:
    return data / "docker" / "owner"
