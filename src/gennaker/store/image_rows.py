"""Rows of the image registry: the queries and changes of images.py, each within its caller's transaction."""

from datetime import datetime

from sqlalchemy import Connection, delete, exists, select

from gennaker.interfaces.registry import Referrer, StoredBlob, StoredManifest, TagEvent
from gennaker.model import codec
from gennaker.model.problems import Problem, Refused
from gennaker.store import tables_images as tables
from gennaker.store.tag_policy import TagPolicy
from gennaker.store.transactions import inserting
from gennaker.transport import blobs
from gennaker.transport.images import manifests
from gennaker.transport.images.manifests import Descriptor, Manifest


def find_blob(connection: Connection, repository: str, digest: str) -> StoredBlob | None:
    """None: not in this repository."""
    found = connection.execute(
        select(tables.blobs.c.size_bytes).where(
            tables.blobs.c.repository == repository, tables.blobs.c.digest == digest
        )
    ).scalar()
    return None if found is None else StoredBlob(digest=digest, size_bytes=found)


def add_blob(connection: Connection, repository: str, blob: StoredBlob, at: int) -> None:
    """Makes a blob visible in a repository."""
    row = {"repository": repository, "digest": blob.digest, "size_bytes": blob.size_bytes, "at": at}
    connection.execute(inserting(connection, tables.blobs).values(row).on_conflict_do_nothing())


def delete_blob(connection: Connection, repository: str, digest: str) -> bool:
    """Refuses while a manifest of the repository names the blob."""
    query = select(tables.manifests.c.body, tables.manifests.c.media_type).where(
        tables.manifests.c.repository == repository
    )
    for body, media_type in connection.execute(query):
        if any(blob.digest == digest for blob in manifests.read_manifest(body, media_type).blobs):
            raise Refused(
                Problem(
                    code="registry.denied",
                    message=f"The blob {digest} is part of an image of {repository}.",
                    remedy="Delete the image's manifest before its blobs.",
                ),
                status=409,
            )
    mine = (tables.blobs.c.repository == repository, tables.blobs.c.digest == digest)
    return connection.execute(delete(tables.blobs).where(*mine)).rowcount > 0


def is_blob_used(connection: Connection, digest: str) -> bool:
    """Whether any repository has the blob."""
    return bool(connection.execute(select(exists().where(tables.blobs.c.digest == digest))).scalar())


def find_manifest(connection: Connection, repository: str, reference: str) -> StoredManifest | None:
    """By tag or digest."""
    columns = tables.manifests.c
    digest: str | None = reference
    if not blobs.is_digest(reference):
        digest = tagged(connection, repository, reference)
    row = connection.execute(
        select(columns.digest, columns.media_type, columns.body, columns.subject).where(
            columns.repository == repository, columns.digest == digest
        )
    ).first()
    if row is None:
        return None
    return StoredManifest(digest=row.digest, media_type=row.media_type, body=row.body, subject=row.subject)


def tagged(connection: Connection, repository: str, tag: str) -> str | None:
    """The digest that a tag names."""
    query = select(tables.tags.c.digest).where(tables.tags.c.repository == repository, tables.tags.c.tag == tag)
    found: str | None = connection.execute(query).scalar()
    return found


def put_manifest(connection: Connection, repository: str, stored: StoredManifest, at: int) -> bool:
    """Stores a manifest; False: it is there.

    Raises Refused unless all that it names is there (MANIFEST_BLOB_UNKNOWN) in the size that it says (MANIFEST_INVALID).
    """
    _check_named(connection, repository, manifests.read_manifest(stored.body, stored.media_type))
    row = {
        "repository": repository,
        "digest": stored.digest,
        "media_type": stored.media_type,
        "subject": stored.subject,
        "body": stored.body,
        "at": at,
    }
    adding = inserting(connection, tables.manifests).values(row).on_conflict_do_nothing()
    return connection.execute(adding.returning(tables.manifests.c.digest)).first() is not None


def put_tag(
    connection: Connection, policy: TagPolicy, *, repository: str, tag: str, digest: str, at: datetime
) -> TagEvent | None:
    """Sets a tag; returns the event if the tag is new or names another image now.

    Raises Refused where it is immutable, or was until it was deleted (docs/decisions/0013).
    """
    before = tagged(connection, repository, tag)
    if before == digest:
        return None
    last = before or _last_reported(connection, repository, tag)
    if last not in {None, digest} and policy.is_immutable(tag):
        raise Refused(_immutable(repository, tag, last, digest, is_deleted=before is None), status=409)
    moment = codec.microseconds(at)
    row = {"repository": repository, "tag": tag, "digest": digest, "at": moment}
    changed = {"digest": digest, "at": moment}
    connection.execute(
        inserting(connection, tables.tags)
        .values(row)
        .on_conflict_do_update(index_elements=["repository", "tag"], set_=changed)
    )
    if last == digest:
        return None  # deleted meanwhile and pushed again: nothing that anybody hasn't seen
    sequence = connection.execute(
        tables.tag_events.insert().values(row).returning(tables.tag_events.c.sequence)
    ).scalar_one()
    return TagEvent(sequence=sequence, repository=repository, tag=tag, digest=digest, at=at)


def delete_tag(connection: Connection, repository: str, tag: str) -> str | None:
    """The digest that the tag named; the image stays. None: there was no such tag."""
    digest = tagged(connection, repository, tag)
    connection.execute(delete(tables.tags).where(tables.tags.c.repository == repository, tables.tags.c.tag == tag))
    return digest


def delete_manifest(connection: Connection, repository: str, digest: str) -> tuple[str, ...] | None:
    """The tags that are gone with it, by name. None: there was no such manifest."""
    own = (tables.manifests.c.repository == repository, tables.manifests.c.digest == digest)
    if not connection.execute(delete(tables.manifests).where(*own)).rowcount:
        return None
    its = (tables.tags.c.repository == repository, tables.tags.c.digest == digest)
    gone = connection.execute(delete(tables.tags).where(*its).returning(tables.tags.c.tag))
    return tuple(sorted(gone.scalars()))


def referrers(connection: Connection, repository: str, digest: str) -> tuple[Referrer, ...]:
    """Manifests whose subject this is."""
    columns = tables.manifests.c
    query = (
        select(columns.digest, columns.media_type, columns.body)
        .where(columns.repository == repository, columns.subject == digest)
        .order_by(columns.at, columns.digest)
    )
    return tuple(_referrer(found, media_type, body) for found, media_type, body in connection.execute(query))


def list_tags(connection: Connection, repository: str, *, after: str, limit: int) -> tuple[str, ...] | None:
    """None: no such repository."""
    if not connection.execute(select(exists().where(tables.manifests.c.repository == repository))).scalar():
        return None
    columns = tables.tags.c
    query = select(columns.tag).where(columns.repository == repository, columns.tag > after)
    return tuple(connection.execute(query.order_by(columns.tag).limit(limit)).scalars())


def list_repositories(connection: Connection, *, after: str, limit: int) -> tuple[str, ...]:
    """Those that hold a manifest."""
    column = tables.manifests.c.repository
    return tuple(
        connection.execute(select(column).where(column > after).distinct().order_by(column).limit(limit)).scalars()
    )


def list_tag_events(connection: Connection, *, after: int, limit: int) -> tuple[TagEvent, ...]:
    """In the order of their commits."""
    columns = tables.tag_events.c
    query = select(tables.tag_events).where(columns.sequence > after).order_by(columns.sequence).limit(limit)
    return tuple(
        TagEvent(
            sequence=row.sequence,
            repository=row.repository,
            tag=row.tag,
            digest=row.digest,
            at=codec.from_microseconds(row.at),
        )
        for row in connection.execute(query)
    )


def _check_named(connection: Connection, repository: str, manifest: Manifest) -> None:
    sizes = [(one, _blob_size(connection, repository, one.digest)) for one in manifest.blobs]
    sizes += [(one, _manifest_size(connection, repository, one.digest)) for one in manifest.manifests]
    missing = [_missing(repository, one) for one, size in sizes if size is None]
    if missing:
        raise Refused(*missing, status=404)
    misfits = [_misfit(one, size) for one, size in sizes if size is not None and size != one.size]
    if misfits:
        raise Refused(*misfits, status=400)


def _blob_size(connection: Connection, repository: str, digest: str) -> int | None:
    found = find_blob(connection, repository, digest)
    return None if found is None else found.size_bytes


def _manifest_size(connection: Connection, repository: str, digest: str) -> int | None:
    found = find_manifest(connection, repository, digest)
    return None if found is None else len(found.body)


def _last_reported(connection: Connection, repository: str, tag: str) -> str | None:
    columns = tables.tag_events.c
    query = select(columns.digest).where(columns.repository == repository, columns.tag == tag)
    found: str | None = connection.execute(query.order_by(columns.sequence.desc()).limit(1)).scalar()
    return found


def _referrer(digest: str, media_type: str, body: bytes) -> Referrer:
    manifest = manifests.read_manifest(body, media_type)
    kind = manifest.artifact_type or (manifest.config.media_type if manifest.config else "")
    return Referrer(
        digest=digest, media_type=media_type, size_bytes=len(body), artifact_type=kind, annotations=manifest.annotations
    )


def _missing(repository: str, named: Descriptor) -> Problem:
    return Problem(
        code="registry.manifest_blob_unknown",
        message=f"The manifest names {named.digest}, which {repository} doesn't have.",
        remedy="Push it first.",
        details={"digest": named.digest},
    )


def _misfit(named: Descriptor, size: int) -> Problem:
    return Problem(
        code="registry.manifest_invalid",
        message=f"The manifest says that {named.digest} has {named.size} bytes, but it has {size}.",
        remedy="Push the image again with a current client.",
        details={"digest": named.digest, "said": named.size, "stored": size},
    )


def _immutable(repository: str, tag: str, last: str, digest: str, *, is_deleted: bool) -> Problem:
    said = f"named {last} until it was deleted" if is_deleted else f"names {last} for good"
    return Problem(
        code="registry.denied",
        message=f"The tag {repository}:{tag} {said} and can't be given {digest}.",
        remedy="Push under a new tag, or add the tag to the setting registry.mutable-tags.",
        details={"tag": tag, "present": None if is_deleted else last, "last": last, "refused": digest},
    )
