"""Failures of PostgreSQL, in sentences; store/failures.py says what the store raises and why.

A lost connection is StoreUnusable like a full disk: whether the commit on its way was made is known after the next start.
"""

from urllib.parse import urlsplit, urlunsplit

import psycopg
import sqlalchemy
from psycopg import errors

from gennaker.interfaces.storage import StoreUnusable
from gennaker.model.problems import Problem, Refused

_NOT_TEXT = "PostgreSQL text fields cannot contain NUL"


def place_of(url: str) -> str:
    """The database's address without password and options, for messages."""
    parts = urlsplit(url)
    address = parts.netloc.rpartition("@")[2]
    user = parts.username
    return urlunsplit((parts.scheme, f"{user}@{address}" if user else address, parts.path, "", ""))


def translated(error: BaseException, place: str) -> BaseException:
    """StoreUnusable for what the server or the connection did; every other error as it is (our own bugs)."""
    if isinstance(error, sqlalchemy.exc.DBAPIError) and error.orig is not None:
        error = error.orig
    if isinstance(error, psycopg.DataError) and _NOT_TEXT in str(error):
        return Refused(_nul())
    if isinstance(error, errors.DiskFull | errors.OutOfMemory | errors.ConfigurationLimitExceeded):
        return _unusable("store.full", f"PostgreSQL at {place} has no space left: {_said(error)}.", _FREE)
    if isinstance(error, errors.InsufficientPrivilege | errors.ReadOnlySqlTransaction):
        return _unusable("store.read_only", f"Gennaker may not write to {place}: {_said(error)}.", _GRANT)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return _unusable("store.unreachable", f"PostgreSQL at {place} can't be reached: {_said(error)}.", _REACH)
    return error


def foreign(place: str) -> StoreUnusable:
    """A schema that holds somebody else's tables."""
    message = f"The database {place} holds tables, but not Gennaker's."
    return _unusable(
        "store.foreign",
        message,
        "Nothing was changed. Name another database, or a schema by ?options=-csearch_path%3D…",
    )


def too_new(place: str, *, found: int, known: int) -> StoreUnusable:
    """Written by a newer Gennaker."""
    message = (
        f"The database {place} was written by a newer Gennaker (schema {found}; this one knows schemas up to {known})."
    )
    remedy = "Nothing was changed. Start the newer Gennaker again, or restore the backup made before the update."
    return _unusable("store.too_new", message, remedy)


def not_utf8(place: str, encoding: str) -> StoreUnusable:
    """A database that can't hold every text."""
    message = f"The database {place} has the encoding {encoding}, which can't hold every text."
    return _unusable("store.encoding", message, "Create it with ENCODING 'UTF8'.")


def lease_lost(place: str) -> StoreUnusable:
    """Others have taken over."""
    message = (
        f"This server's lease in {place} has ended: it didn't extend it in time, and others have taken its executions."
    )
    remedy = (
        "Nothing is lost. Start it again; if it happens often, raise store.lease-seconds or look at the machine's load."
    )
    return _unusable("store.lease_lost", message, remedy)


_FREE = "Free some space on its disk. If Gennaker has ended, start it again: it goes on where it was."
_GRANT = "Give the user in store.url the right to create and write tables there."
_REACH = "See that it runs and that store.url is right, then start Gennaker again: it goes on where it was."


def _unusable(code: str, message: str, remedy: str) -> StoreUnusable:
    return StoreUnusable(Problem(code=code, message=message, remedy=remedy))


def _said(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _nul() -> Problem:
    return Problem(
        code="store.nul",
        message="A name or key holds the character NUL, which PostgreSQL can't store.",
        remedy="Leave it out.",
    )
