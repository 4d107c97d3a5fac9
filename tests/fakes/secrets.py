"""Gennaker's own store of secrets over memory, for tests of what is given some."""

from pathlib import Path

from tests.fakes.audit import MemoryAuditTrail
from tests.fakes.documents import MemoryStore
from tests.harness import CountingIds

from gennaker.access.keyring import Keyring
from gennaker.access.stored_secrets import StoredSecrets
from gennaker.worker.clock import SystemClock


def store(folder: Path) -> StoredSecrets:
    """Its key lies in the folder."""
    ids = CountingIds()
    return StoredSecrets(
        documents=MemoryStore()("secrets"),
        keyring=Keyring(folder / "secrets.key", ids.token),
        audit=MemoryAuditTrail(),
        clock=SystemClock(),
        new_secret=ids.token,
        know=lambda _: None,
    )
