"""Audit records of the registry's API: changes that were asked for and refused (docs/decisions/0009)."""

from collections.abc import Mapping
from datetime import datetime

from gennaker.model.audit import AuditEntry
from gennaker.model.principal import Principal
from gennaker.model.problems import Refused

_ACTIONS = {
    ("manifest", "PUT"): "push.refused",
    ("manifest", "DELETE"): "deletion.refused",
    ("blob", "DELETE"): "deletion.refused",
}
_PROBLEMS = 10
"""Most in a record: a manifest can name thousands of blobs that are missing."""


def refusal(
    kind: str, method: str, names: Mapping[str, str], *, by: Principal, refused: Refused, at: datetime
) -> AuditEntry | None:
    """The record of a refused request for a kind of resource, `names` from its path; None: nothing would have changed."""
    action = _ACTIONS.get((kind, method))
    if action is None:
        return None
    name = names.get("reference") or names["digest"]
    between = "@" if ":" in name else ":"
    return AuditEntry(
        at=at,
        actor=by.name,
        action=action,
        # Names that are none are told too, but not at any length.
        subject=f"{'blob' if kind == 'blob' else 'image'}:{names['name'][:255]}{between}{name[:128]}",
        details={
            "via": by.via,
            "status": refused.status,
            "problems": [problem.message for problem in refused.problems[:_PROBLEMS]],
        },
    )
