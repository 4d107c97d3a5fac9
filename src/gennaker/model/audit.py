"""Audit records: who did what to what, when, in a chain of hashes."""

from datetime import datetime

import msgspec

from gennaker.model.codec import JsonObject


class AuditEntry(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One decision, change, effect or refusal, before it is chained."""

    at: datetime
    actor: str
    action: str
    """Dotted, e.g. `execution.judged`, `effect.performed`, `webhook.refused`."""
    subject: str
    """What it was done to, e.g. `execution:01J…`, `pipeline:…`, `image:shop@sha256:…`."""
    details: JsonObject = {}


class AuditRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An entry in the chain."""

    number: int
    """1, 2, 3 … without gaps."""
    entry: AuditEntry
    previous: str
    """Hash of the record before; 64 zeros for the first."""
    hash: str
    """SHA-256 over number, previous and the entry's canonical JSON, in hex."""
