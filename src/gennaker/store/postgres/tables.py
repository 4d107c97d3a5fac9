"""Tables and columns that only PostgreSQL has: whose is what, when several servers share the database."""

from sqlalchemy import Column, MetaData, Table, Text

from gennaker.store.tables import LONG

metadata = MetaData()

servers = Table(
    "servers",
    metadata,
    Column("fence", LONG, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("expires", LONG, nullable=False),  # by the database's clock
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("fence", LONG, nullable=False),
)

changes = Table(  # of what servers keep in memory; triggers count
    "changes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("number", LONG, nullable=False),
)

FENCED = ("executions", "outbox")
"""Tables of store/tables.py that have a column `fence` here, as their last."""
