-- What seldom changes is kept in the memory of each server for as long as this number stays what it was. The database counts,
-- so that nobody who inserts, updates or deletes can forget it, not an older server and not somebody with psql either. TRUNCATE
-- isn't counted: after one, the servers must be started anew.

CREATE TABLE changes (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL
);

CREATE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO changes (name, number) VALUES ('kept', 1) ON CONFLICT (name) DO UPDATE SET number = changes.number + 1;
    RETURN NULL;
END
$$;

CREATE TRIGGER definitions_changed AFTER INSERT OR UPDATE OR DELETE ON definitions
FOR EACH STATEMENT EXECUTE FUNCTION count_change();
CREATE TRIGGER phases_changed AFTER INSERT OR UPDATE ON documents
FOR EACH ROW WHEN (new.namespace = 'migration.phases') EXECUTE FUNCTION count_change();
CREATE TRIGGER phases_removed AFTER DELETE ON documents
FOR EACH ROW WHEN (old.namespace = 'migration.phases') EXECUTE FUNCTION count_change();
