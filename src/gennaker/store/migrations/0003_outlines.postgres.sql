-- What of an execution's head hardly ever changes, apart from what changes with every step.

CREATE TABLE outlines (
    execution_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    body TEXT COLLATE "C" NOT NULL,
    blobs TEXT COLLATE "C"
);
INSERT INTO outlines (execution_id, body, blobs) SELECT id, head, blobs FROM executions;
