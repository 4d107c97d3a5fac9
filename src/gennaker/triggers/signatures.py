"""Signatures of git webhooks: HMACs over the bytes that arrived.

Source: Echo's table (a signature without a secret is rejected, as is a secret without a signature), for GitHub's SHA-1
header. Gennaker honours the SHA-256 header as well; where both are sent the stronger one decides.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence


def is_accepted(secret: str, headers: Mapping[str, Sequence[str]], raw: bytes) -> bool:
    """Whether a delivery may match a trigger with this secret; empty: the trigger has none. Header names in lower case."""
    strong = _first(headers, "x-hub-signature-256")
    given = strong or _first(headers, "x-hub-signature")
    if not secret or not given:
        return not secret and not given
    kind = hashlib.sha256 if strong else hashlib.sha1
    wanted = hmac.new(secret.encode(), raw, kind).hexdigest()
    digest = given.rpartition("=")[2].strip().lower()
    return hmac.compare_digest(wanted.encode(), digest.encode())


def _first(headers: Mapping[str, Sequence[str]], name: str) -> str:
    values = headers.get(name)
    return values[0] if values else ""
