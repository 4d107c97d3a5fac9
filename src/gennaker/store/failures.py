"""Failures of the store: what went wrong with the database or its disk, and what to do about it.

    StoreUnusable       the database can't be opened, or can't be written or read any more; `problem` says what to do

The class itself is in interfaces/storage.py, because those who use the store through its ports must know it. Everything
that SQLite and the operating system say comes through here, so that a person never has to read an error code.
"""

import errno
import sqlite3
from pathlib import Path

import sqlalchemy

from gennaker.interfaces.storage import StoreUnusable
from gennaker.model.problems import Problem

__all__ = ["StoreUnusable", "translated"]

_NO_PERMISSION = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_NOT_PERMITTED = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH})
"""SQLite's primary codes for the same."""


def translated(error: BaseException, path: Path) -> BaseException:
    """StoreUnusable for what the disk or the database file did; every other error as it is (our own bugs)."""
    if isinstance(error, sqlalchemy.exc.DBAPIError) and error.orig is not None:
        error = error.orig
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error, path)
    if isinstance(error, OSError):
        return _of_system(error, path)
    return error


def of_reading(error: BaseException, path: Path) -> BaseException:
    """As `translated`, for those who only read: what they lack is the permission to read."""
    code = getattr(error, "sqlite_errorcode", None)
    is_kept_out = isinstance(error, OSError) and error.errno in _NO_PERMISSION
    if is_kept_out or (code is not None and code & 0xFF in _NOT_PERMITTED):
        return _unreadable(path, (error.strerror if isinstance(error, OSError) else "") or str(error))
    return translated(error, path)


def corrupt(path: Path, finding: str) -> StoreUnusable:
    """The file is damaged or no database at all."""
    return StoreUnusable(
        Problem(
            code="store.corrupt",
            message=f"The database {path} is damaged: {finding}.",
            remedy=(
                "Nothing was changed. Keep a copy of the whole data folder, then restore it from a backup or start "
                f"with an empty one; `sqlite3 {path} .recover` reads what can still be read."
            ),
        )
    )


def damaged_file(path: Path) -> StoreUnusable:
    """A kept file is no longer what was kept."""
    return StoreUnusable(
        Problem(
            code="store.file_damaged",
            message=f"The file {path} was changed since it was kept: its content no longer has the digest in its name.",
            remedy="Restore it from a backup of the data folder.",
        )
    )


def busy(path: Path) -> StoreUnusable:
    """Somebody else has it."""
    return StoreUnusable(
        Problem(
            code="store.busy",
            message=f"Another program holds the database {path} and doesn't let go of it.",
            remedy="Close whatever else has the file open (a shell, a backup) and start Gennaker again.",
        )
    )


def missing(path: Path) -> StoreUnusable:
    """Nothing was ever stored there."""
    return StoreUnusable(
        Problem(
            code="store.missing",
            message=f"There is no database {path}.",
            remedy="Name the data folder of a Gennaker that has run with --data or GENNAKER_DATA.",
        )
    )


def foreign(path: Path) -> StoreUnusable:
    """A SQLite file that Gennaker has not made."""
    return StoreUnusable(
        Problem(
            code="store.foreign",
            message=f"The file {path} is a SQLite database, but not Gennaker's.",
            remedy="Nothing was changed. Move it away, or name another folder with --data.",
        )
    )


def too_new(path: Path, *, found: int, known: int) -> StoreUnusable:
    """Written by a newer Gennaker."""
    return StoreUnusable(
        Problem(
            code="store.too_new",
            message=(
                f"The database {path} was written by a newer Gennaker (schema {found}; this one knows schemas up to "
                f"{known})."
            ),
            remedy="Nothing was changed. Start the newer Gennaker again, or restore the backup made before the update.",
        )
    )


def _full(path: Path) -> StoreUnusable:
    return StoreUnusable(
        Problem(
            code="store.full",
            message=f"There is no space left for {path}; what was being written was not kept, all before it was.",
            remedy=(
                "Free some space on that disk (or raise the quota). If Gennaker has ended, start it again: it goes on "
                "where it was."
            ),
        )
    )


def _not_writable(path: Path, reason: str) -> StoreUnusable:
    return StoreUnusable(
        Problem(
            code="store.read_only",
            message=f"Gennaker may not write {path}: {reason}.",
            remedy=f"Give the user that runs Gennaker write permission on {path.parent} and all that is in it.",
        )
    )


def _unreadable(path: Path, reason: str) -> StoreUnusable:
    return StoreUnusable(
        Problem(
            code="store.unreadable",
            message=f"The file {path} can't be read: {reason}.",
            remedy=f"Run the command as a user who may read {path.parent} and all that is in it, or on a copy of it.",
        )
    )


def _of_sqlite(error: sqlite3.Error, path: Path) -> BaseException:
    # Not every sqlite3.Error comes from the library: misuse of the Python module has no code, and is our own bug.
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return error
    match code & 0xFF:  # the primary code; the rest is detail (sqlite.org/rescode.html)
        case sqlite3.SQLITE_FULL:
            return _full(path)
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return corrupt(path, str(error))
        case code if code in _NOT_PERMITTED:
            return _not_writable(path, str(error))
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return busy(path)
        case sqlite3.SQLITE_IOERR:
            return StoreUnusable(
                Problem(
                    code="store.disk",
                    message=f"The disk failed while {path} was read or written: {error} ({error.sqlite_errorname}).",
                    remedy="Look at the system's log for faults of the disk and at its free space; then start again.",
                )
            )
        case _:
            return error


def _of_system(error: OSError, path: Path) -> BaseException:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full(path)
    if error.errno in _NO_PERMISSION:
        return _not_writable(path, error.strerror or str(error))
    return StoreUnusable(
        Problem(
            code="store.disk",
            message=f"{path} can't be read or written: {error.strerror or error}.",
            remedy="Look at the disk and the folder, then start Gennaker again.",
        )
    )
