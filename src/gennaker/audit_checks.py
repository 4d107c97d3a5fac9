"""Checks of a data folder's audit chain, and its keys: assembled apart from the server, so that commands needn't load that."""

import asyncio
from pathlib import Path

from gennaker.model.problems import Problem, Refused
from gennaker.plugins.oci import audit_heads as registry_heads
from gennaker.settings import AuditSettings, Settings
from gennaker.store import audit_heads, opening
from gennaker.store.audit import Verdict
from gennaker.store.audit_heads import Exported
from gennaker.store.failures import StoreUnusable
from gennaker.worker.clock import SystemIds

_NO_HEADS = Problem(
    code="audit.no_heads",
    message="There are no exported heads that this key could check, so nothing was checked.",
    remedy="Name them with --heads, set audit.file or audit.registry, or leave --key out.",
)


def verify_audit(settings: Settings, data: Path, *, heads: Path | None = None, key: str = "") -> Verdict:
    """Checks the audit chain of a store, whether a server runs on it or not. Raises Refused.

    `heads`: exported ones (else those of the settings), signed with the public `key` (else the data folder's).
    """
    file = heads or (audit_heads.file_of(settings.audit) if settings.audit.file else None)
    public = audit_key(settings, data, key) if key or file or settings.audit.registry else b""
    if key and not (file or settings.audit.registry):
        raise Refused(_NO_HEADS)
    exported = audit_heads.read(file, public) if file else None
    if heads is None and settings.audit.registry:
        kept = asyncio.run(_newest_head_in_registry(settings.audit, public))
        exported = kept if exported is None else audit_heads.both(exported, kept)
    try:
        return opening.verify_audit(settings.store, data, exported)
    except StoreUnusable as error:
        raise Refused(error.problem) from error


async def _newest_head_in_registry(audit: AuditSettings, public: bytes) -> Exported:
    async with registry_heads.opened(audit) as place:
        assert place is not None
        return await audit_heads.in_place(place, public)


def audit_key(settings: Settings, data: Path, given: str = "") -> bytes:
    """The public key of exported heads: the given one in hex, else that of the servers of this folder. Raises Refused."""
    return audit_heads.public_key(given, opening.shared_folder(settings.store, data))


def sealing_key(settings: Settings, data: Path) -> bytes:
    """The secret key of exported heads and of evidence, made where there is none yet. Raises Refused."""
    return audit_heads.seed(opening.shared_folder(settings.store, data), SystemIds().token())
