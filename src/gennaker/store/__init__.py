"""Durable state: one SQLite file with journal, outbox, definitions, documents and audit, and evidence files beside it."""
