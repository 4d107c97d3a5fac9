"""Temporal as a shell: `docs/decisions/0012-temporal.md` says what is done where, and why."""
