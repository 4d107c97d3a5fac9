-- What of an execution's head hardly ever changes, apart from what changes with every step.

CREATE TABLE outlines (
    execution_id TEXT NOT NULL PRIMARY KEY REFERENCES executions (id),
    body TEXT NOT NULL,
    blobs TEXT
);
INSERT INTO outlines (execution_id, body, blobs) SELECT id, head, blobs FROM executions;
