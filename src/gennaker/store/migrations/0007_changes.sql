-- Only one process writes here: it knows itself when something was changed. With PostgreSQL the database counts.
SELECT 1;
