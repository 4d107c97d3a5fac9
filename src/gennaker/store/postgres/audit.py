"""Verifying the audit chain in PostgreSQL from outside, as the command line does."""

from pathlib import Path

import psycopg

from gennaker.store.audit import Verdict, chain_rows, judge, read_head
from gennaker.store.postgres import failures
from gennaker.store.postgres.database import connect
from gennaker.store.transactions import PostgresDirect


def verify(url: str, folder: Path) -> Verdict:
    """Walks the whole chain of a database against the head in a data folder. Blocks. Raises StoreUnusable."""
    try:
        with connect(url) as connection:
            head = read_head(folder)
            return judge(chain_rows(PostgresDirect(connection)), head)
    except (psycopg.Error, OSError) as error:
        raise failures.translated(error, failures.place_of(url)) from error
