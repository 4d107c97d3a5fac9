-- A lot of commits, all of it or nothing (lot.py). In `lot` each kind is an array of rows, each row an array of its columns;
-- kinds without rows are missing. `mine` is the fence of the server that commits. Returns how often what servers keep in
-- memory had been changed when it began.
CREATE FUNCTION pg_temp.commit_lot(mine bigint, lot jsonb, audit_lock bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    r jsonb;
    moved text[] := '{}';
    begun text[];
    happened text[];
    queues_moved text[] := '{}';
    queues_begun text[];
    last_number bigint;
    last_hash text;
    one text;
    changed bigint;
    hashes text[] := '{}';
BEGIN
    PERFORM 1 FROM servers WHERE fence = mine FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the lease has ended' USING ERRCODE = 'GK001';
    END IF;

    changed := coalesce((SELECT number FROM changes WHERE name = 'kept'), 0);

    -- One by one, so that each is found by its key, whatever PostgreSQL believes to know about the tables' sizes.
    -- id, expected version, is complete, version, status, head, blobs
    FOR r IN SELECT jsonb_array_elements(lot -> 'moved') LOOP
        UPDATE executions
        SET version = (r ->> 3)::bigint, status = r ->> 4, head = r ->> 5, blobs = r ->> 6,
            fence = CASE WHEN (r ->> 2)::boolean THEN NULL ELSE mine END
        WHERE id = r ->> 0 AND version = (r ->> 1)::bigint AND (fence IS NULL OR fence = mine);
        IF FOUND THEN
            moved := moved || (r ->> 0);
        END IF;
    END LOOP;

    -- id, submission key, is complete, version, status, head, blobs, and the outline's columns
    IF lot ? 'begun' THEN
        WITH done AS (
            INSERT INTO executions (
                id, submission_key, fence, version, status, head, blobs,
                kind, application, name, config_id, correlation_id, build_time
            )
            SELECT
                j ->> 0, j ->> 1, CASE WHEN (j ->> 2)::boolean THEN NULL ELSE mine END, (j ->> 3)::bigint, j ->> 4, j ->> 5, j ->> 6,
                j ->> 7, j ->> 8, j ->> 9, j ->> 10, j ->> 11, (j ->> 12)::bigint
            FROM jsonb_array_elements(lot -> 'begun') AS j
            ON CONFLICT DO NOTHING
            RETURNING executions.id
        ) SELECT array_agg(done.id) INTO begun FROM done;
    END IF;

    IF lot ? 'outlined' THEN
        FOR r IN SELECT jsonb_array_elements(lot -> 'outlined') LOOP
            UPDATE executions
            SET kind = r ->> 1, application = r ->> 2, name = r ->> 3, config_id = r ->> 4, correlation_id = r ->> 5,
                build_time = (r ->> 6)::bigint
            WHERE id = r ->> 0;
        END LOOP;
    END IF;

    IF lot ? 'outlines' THEN
        INSERT INTO outlines (execution_id, body, blobs)
        SELECT j ->> 0, j ->> 1, j ->> 2 FROM jsonb_array_elements(lot -> 'outlines') AS j
        ON CONFLICT (execution_id) DO UPDATE SET body = excluded.body, blobs = excluded.blobs;
    END IF;

    IF lot ? 'triggers' THEN
        INSERT INTO triggers (execution_id, application, build_time, type, event_id)
        SELECT j ->> 0, j ->> 1, (j ->> 2)::bigint, j ->> 3, j ->> 4 FROM jsonb_array_elements(lot -> 'triggers') AS j
        ON CONFLICT (execution_id) DO UPDATE SET
            application = excluded.application, build_time = excluded.build_time, type = excluded.type, event_id = excluded.event_id;
    END IF;

    IF lot ? 'removed' THEN
        FOR r IN SELECT jsonb_array_elements(lot -> 'removed') LOOP
            DELETE FROM stages WHERE execution_id = r ->> 0 AND stage_id = r ->> 1;
        END LOOP;
    END IF;

    IF lot ? 'stages' THEN
        INSERT INTO stages (execution_id, stage_id, body, blobs)
        SELECT j ->> 0, j ->> 1, j ->> 2, j ->> 3 FROM jsonb_array_elements(lot -> 'stages') AS j
        ON CONFLICT (execution_id, stage_id) DO UPDATE SET body = excluded.body, blobs = excluded.blobs;
    END IF;

    IF lot ? 'events' THEN
        WITH done AS (
            INSERT INTO events (execution_id, number, engine_version, ignored, event, blobs)
            SELECT j ->> 0, (j ->> 1)::bigint, j ->> 2, j ->> 3, j ->> 4, j ->> 5
            FROM jsonb_array_elements(lot -> 'events') AS j
            ON CONFLICT DO NOTHING
            RETURNING events.execution_id
        ) SELECT array_agg(done.execution_id) INTO happened FROM done;
    END IF;

    IF lot ? 'queues_moved' THEN
        FOR r IN SELECT jsonb_array_elements(lot -> 'queues_moved') LOOP
            UPDATE queues SET version = (r ->> 1)::bigint, body = r ->> 2
            WHERE key = r ->> 0 AND version = (r ->> 1)::bigint - 1;
            IF FOUND THEN
                queues_moved := queues_moved || (r ->> 0);
            END IF;
        END LOOP;
    END IF;

    IF lot ? 'queues_begun' THEN
        WITH done AS (
            INSERT INTO queues (key, version, body)
            SELECT j ->> 0, (j ->> 1)::bigint, j ->> 2 FROM jsonb_array_elements(lot -> 'queues_begun') AS j
            ON CONFLICT DO NOTHING
            RETURNING queues.key
        ) SELECT array_agg(done.key) INTO queues_begun FROM done;
    END IF;

    -- What is missing here has moved on, exists already or belongs to another server.
    IF coalesce(cardinality(moved), 0) < coalesce(jsonb_array_length(lot -> 'moved'), 0)
        OR coalesce(cardinality(begun), 0) < coalesce(jsonb_array_length(lot -> 'begun'), 0)
        OR coalesce(cardinality(happened), 0) < coalesce(jsonb_array_length(lot -> 'events'), 0)
        OR coalesce(cardinality(queues_moved), 0) < coalesce(jsonb_array_length(lot -> 'queues_moved'), 0)
        OR coalesce(cardinality(queues_begun), 0) < coalesce(jsonb_array_length(lot -> 'queues_begun'), 0)
    THEN
        RAISE EXCEPTION 'not as expected' USING ERRCODE = 'GK002', DETAIL = jsonb_build_object(
            'executions', coalesce(moved || begun, '{}'),
            'events', coalesce(happened, '{}'),
            'queues', coalesce(queues_moved || queues_begun, '{}')
        );
    END IF;

    IF lot ? 'dropped' THEN
        DELETE FROM outbox WHERE key = ANY (ARRAY(SELECT j ->> 0 FROM jsonb_array_elements(lot -> 'dropped') AS j));
    END IF;

    -- is handed over, key, execution, due, tries, effect, blobs
    IF lot ? 'effects' THEN
        INSERT INTO outbox (fence, key, execution_id, due, tries, effect, blobs)
        SELECT
            CASE WHEN (j ->> 0)::boolean THEN NULL ELSE mine END, j ->> 1, j ->> 2, (j ->> 3)::bigint, (j ->> 4)::bigint,
            j ->> 5, j ->> 6
        FROM jsonb_array_elements(lot -> 'effects') AS j
        ON CONFLICT (key) DO UPDATE SET
            fence = excluded.fence, execution_id = excluded.execution_id, due = excluded.due, tries = excluded.tries,
            effect = excluded.effect, blobs = excluded.blobs;
    END IF;

    -- Last, as nobody else appends until the sync is over; the chain is that of chain.py.
    IF lot ? 'audit' THEN
        PERFORM pg_advisory_xact_lock(audit_lock);
        SELECT number, hash INTO last_number, last_hash FROM audit ORDER BY number DESC LIMIT 1;
        IF NOT FOUND THEN
            last_number := 0;
            last_hash := repeat('0', 64);
        END IF;
        hashes := hashes || last_hash;
        FOR one IN SELECT jsonb_array_elements_text(lot -> 'audit') LOOP
            last_hash := encode(
                sha256(convert_to((last_number + cardinality(hashes)) || E'\n' || last_hash || E'\n' || one, 'UTF8')), 'hex'
            );
            hashes := hashes || last_hash;
        END LOOP;
        INSERT INTO audit (number, previous, hash, entry)
        SELECT last_number + place, hashes[place], hashes[place + 1], entry
        FROM jsonb_array_elements_text(lot -> 'audit') WITH ORDINALITY AS r (entry, place);
    END IF;
    RETURN changed;
END
$$
