-- The first schema: blobs, executions with stages, events and outbox, queues, documents, definitions, audit, evidence, logs.

CREATE TABLE blobs (
    digest TEXT NOT NULL PRIMARY KEY,
    content BLOB NOT NULL
);

CREATE TABLE executions (
    id TEXT NOT NULL PRIMARY KEY,
    submission_key TEXT UNIQUE,
    version INTEGER NOT NULL,
    kind TEXT NOT NULL,
    application TEXT NOT NULL,
    name TEXT NOT NULL,
    config_id TEXT,
    status TEXT NOT NULL,
    correlation_id TEXT,
    build_time INTEGER NOT NULL,
    head TEXT NOT NULL,
    blobs TEXT
);
CREATE INDEX executions_by_time ON executions (build_time, id);
CREATE INDEX executions_by_application ON executions (application, build_time, id);
CREATE INDEX executions_by_config ON executions (config_id, build_time, id);
CREATE INDEX executions_by_status ON executions (status, build_time, id);
CREATE INDEX executions_by_correlation ON executions (correlation_id);

CREATE TABLE stages (
    execution_id TEXT NOT NULL REFERENCES executions (id),
    stage_id TEXT NOT NULL,
    body TEXT NOT NULL,
    blobs TEXT,
    PRIMARY KEY (execution_id, stage_id)
);

CREATE TABLE events (
    execution_id TEXT NOT NULL REFERENCES executions (id),
    number INTEGER NOT NULL,
    engine_version TEXT NOT NULL,
    ignored TEXT NOT NULL,
    event TEXT NOT NULL,
    blobs TEXT,
    PRIMARY KEY (execution_id, number)
);

CREATE TABLE outbox (
    number INTEGER NOT NULL PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    execution_id TEXT NOT NULL,
    due INTEGER,
    tries INTEGER NOT NULL,
    effect TEXT NOT NULL,
    blobs TEXT
);

CREATE TABLE queues (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body TEXT NOT NULL
);

CREATE TABLE documents (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (namespace, key)
);

CREATE TABLE definitions (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    is_newest INTEGER NOT NULL,
    is_deleted INTEGER NOT NULL,
    application TEXT,
    author TEXT NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, id, revision)
);
CREATE UNIQUE INDEX definitions_newest ON definitions (kind, id) WHERE is_newest = 1;

CREATE TABLE audit (
    number INTEGER NOT NULL PRIMARY KEY,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL,
    entry TEXT NOT NULL
);

CREATE TABLE evidence (
    number INTEGER NOT NULL PRIMARY KEY,
    execution_id TEXT NOT NULL,
    stage_id TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    at INTEGER NOT NULL,
    item TEXT NOT NULL,
    UNIQUE (execution_id, stage_id, name, digest)
);
CREATE INDEX evidence_by_digest ON evidence (digest);

CREATE TABLE logs (
    number INTEGER NOT NULL PRIMARY KEY,
    execution_id TEXT NOT NULL,
    stage_id TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (execution_id, path)
);
