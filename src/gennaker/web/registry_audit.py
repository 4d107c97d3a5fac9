"""Audit records of the registry's API: changes that were asked for and refused, and senders that were (docs/decisions/0009)."""

from datetime import datetime

from gennaker.model.audit import AuditEntry
from gennaker.model.problems import Refused
from gennaker.web.registry_requests import Request

_ACTIONS = {
    ("manifest", "PUT"): "push.refused",
    ("manifest", "DELETE"): "deletion.refused",
    ("blob", "DELETE"): "deletion.refused",
}
_FORBIDDEN = 403
_LONGEST_SUBJECT = 300
_PROBLEMS = 10
"""Most in a record: a manifest can name thousands of blobs that are missing."""


def refusal(request: Request, refused: Refused, at: datetime) -> AuditEntry | None:
    """The record of a refused request; None: nothing would have changed, and nobody was turned away."""
    action = _ACTIONS.get((request.kind, request.method))
    if action is None and refused.status != _FORBIDDEN:
        return None
    return AuditEntry(
        at=at,
        actor=request.principal.name,
        action=action or "access.refused",
        subject=_image(request) if action else f"registry:{request.method} {request.path}"[:_LONGEST_SUBJECT],
        details={
            "via": request.principal.via,
            "status": refused.status,
            "code": refused.problems[0].code,
            "problems": [problem.message for problem in refused.problems[:_PROBLEMS]],
            "address": request.address,
        },
    )


def _image(request: Request) -> str:
    name = request.names.get("reference") or request.names["digest"]
    between = "@" if ":" in name else ":"
    # Names that are none are told too, but not at any length.
    return f"{'blob' if request.kind == 'blob' else 'image'}:{request.repository[:255]}{between}{name[:128]}"
