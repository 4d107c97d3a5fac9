-- The image registry: which blobs, manifests and tags each repository has, and what was pushed when.

CREATE TABLE image_blobs (
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (repository, digest)
);
CREATE INDEX image_blobs_by_digest ON image_blobs (digest);

CREATE TABLE image_manifests (
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    subject TEXT NOT NULL,
    body BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (repository, digest)
);
CREATE INDEX image_manifests_by_subject ON image_manifests (repository, subject);

CREATE TABLE image_tags (
    repository TEXT NOT NULL,
    tag TEXT NOT NULL,
    digest TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (repository, tag)
);
CREATE INDEX image_tags_by_digest ON image_tags (repository, digest);

-- A number is never given twice, also when the last rows are gone: a poller's cursor depends on it.
CREATE TABLE image_tag_events (
    sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    repository TEXT NOT NULL,
    tag TEXT NOT NULL,
    digest TEXT NOT NULL,
    at INTEGER NOT NULL
);
CREATE INDEX image_tag_events_by_tag ON image_tag_events (repository, tag, sequence);
