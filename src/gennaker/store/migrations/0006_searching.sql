-- What executions of pipelines are searched by, those of one kind, and those that aren't over.

CREATE TABLE triggers (
    execution_id TEXT NOT NULL PRIMARY KEY REFERENCES executions (id),
    application TEXT NOT NULL,
    build_time INTEGER NOT NULL,
    type TEXT NOT NULL,
    event_id TEXT
);
-- An outline that is large as a whole lies in the blobs.
INSERT INTO triggers (execution_id, application, build_time, type, event_id)
SELECT id, application, build_time, coalesce(json_extract(body, '$.trigger.type'), ''), json_extract(body, '$.trigger.eventId')
FROM (
    SELECT e.id, e.application, e.build_time, coalesce(CAST(whole.content AS TEXT), o.body) AS body
    FROM executions AS e
    JOIN outlines AS o ON o.execution_id = e.id
    LEFT JOIN blobs AS whole ON o.body = 'null' AND whole.digest = json_extract(o.blobs, '$[0].digest')
    WHERE e.kind = 'PIPELINE'
);
CREATE INDEX triggers_by_type ON triggers (type, build_time, execution_id);
CREATE INDEX triggers_of_application ON triggers (application, type, build_time, execution_id);
CREATE INDEX triggers_by_event ON triggers (event_id);

CREATE INDEX executions_by_kind ON executions (application, kind, build_time, id);
CREATE INDEX executions_unfinished ON executions (application, build_time, id)
WHERE status IN ('NOT_STARTED', 'RUNNING', 'PAUSED', 'SUSPENDED', 'BUFFERED', 'REDIRECT');
