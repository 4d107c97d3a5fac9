"""Keeps what happened: journal, outbox, definitions and their history, documents, search, the audit chain, migrations."""
