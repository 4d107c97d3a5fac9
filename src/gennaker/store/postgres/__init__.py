"""PostgreSQL: the same rows as in SQLite, shared by several servers."""
