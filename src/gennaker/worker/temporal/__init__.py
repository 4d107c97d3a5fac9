"""Temporal as a shell: `docs/decisions/0007-temporal.md` says what is done where, and why."""
