-- What executions of pipelines are searched by, those of one kind, and those that aren't over.

CREATE TABLE triggers (
    execution_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    application TEXT COLLATE "C" NOT NULL,
    build_time BIGINT NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    event_id TEXT COLLATE "C"
);
-- An outline that is large as a whole lies in the blobs. No text of PostgreSQL's holds NUL, not even while JSON is looked into:
-- its escape becomes that of the character that stands for what can't be shown.
INSERT INTO triggers (execution_id, application, build_time, type, event_id)
SELECT id, application, build_time, coalesce(body -> 'trigger' ->> 'type', ''), body -> 'trigger' ->> 'eventId'
FROM (
    SELECT id, application, build_time,
        CASE WHEN strpos(body, '\u0000') = 0 THEN body
             ELSE regexp_replace(body, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g') END::json AS body
    FROM (
        SELECT e.id, e.application, e.build_time, coalesce(convert_from(whole.content, 'UTF8'), o.body) AS body
        FROM executions AS e
        JOIN outlines AS o ON o.execution_id = e.id
        LEFT JOIN blobs AS whole ON o.body = 'null' AND whole.digest = substring(o.blobs FROM '"digest": ?"([^"]+)"')
        WHERE e.kind = 'PIPELINE'
    ) AS outlined
) AS readable;
CREATE INDEX triggers_by_type ON triggers (type, build_time, execution_id);
CREATE INDEX triggers_of_application ON triggers (application, type, build_time, execution_id);
CREATE INDEX triggers_by_event ON triggers (event_id);

CREATE INDEX executions_by_kind ON executions (application, kind, build_time, id);
CREATE INDEX executions_unfinished ON executions (application, build_time, id)
WHERE status IN ('NOT_STARTED', 'RUNNING', 'PAUSED', 'SUSPENDED', 'BUFFERED', 'REDIRECT');
