"""Tables of the image registry: which blobs, manifests and tags each repository has, and what was pushed when.

Blobs themselves are files (`transport/blobs.py`). Instants are integer microseconds since 1970 in UTC.
"""

from sqlalchemy import Column, Index, LargeBinary, MetaData, PrimaryKeyConstraint, Table, Text

from gennaker.store.tables import LONG

metadata = MetaData()

blobs = Table(
    "image_blobs",
    metadata,
    Column("repository", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("size_bytes", LONG, nullable=False),
    Column("at", LONG, nullable=False),
    PrimaryKeyConstraint("repository", "digest"),
    Index("image_blobs_by_digest", "digest"),
)

manifests = Table(
    "image_manifests",
    metadata,
    Column("repository", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("subject", Text, nullable=False),  # digest, or empty
    Column("body", LargeBinary, nullable=False),
    Column("at", LONG, nullable=False),
    PrimaryKeyConstraint("repository", "digest"),
    Index("image_manifests_by_subject", "repository", "subject"),
)

tags = Table(
    "image_tags",
    metadata,
    Column("repository", Text, nullable=False),
    Column("tag", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("at", LONG, nullable=False),
    PrimaryKeyConstraint("repository", "tag"),
    Index("image_tags_by_digest", "repository", "digest"),
)

tag_events = Table(
    "image_tag_events",
    metadata,
    Column("sequence", LONG, primary_key=True, autoincrement=True),
    Column("repository", Text, nullable=False),
    Column("tag", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("at", LONG, nullable=False),
    Index("image_tag_events_by_tag", "repository", "tag", "sequence"),
    # A number is never given twice, also when the last rows are gone: a poller's cursor depends on it.
    sqlite_autoincrement=True,
)
