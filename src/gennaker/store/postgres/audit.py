"""Verifying the audit chain in PostgreSQL from outside, as the command line does."""

from pathlib import Path

import psycopg

from gennaker.store import audit_head
from gennaker.store.audit import Verdict, read_head, walk
from gennaker.store.audit_heads import Exported
from gennaker.store.failures import of_reading
from gennaker.store.postgres import failures
from gennaker.store.postgres.database import connect
from gennaker.store.transactions import PostgresDirect


def verify(url: str, folder: Path, exported: Exported | None = None) -> Verdict:
    """Walks the whole chain of a database against the head in a data folder. Blocks. Raises StoreUnusable."""
    try:
        with connect(url) as connection:
            head = read_head(folder)
            return walk(PostgresDirect(connection), head, exported)
    except psycopg.Error as error:
        raise failures.translated(error, failures.place_of(url)) from error
    except OSError as error:
        raise of_reading(error, folder / audit_head.NAME) from error
