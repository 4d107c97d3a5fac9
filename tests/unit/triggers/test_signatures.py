"""Signatures: Echo's table, with SHA-256 beside SHA-1; the stronger header decides."""

import hashlib
import hmac

import pytest

from gennaker.triggers import signatures

RAW = b'{"a": 1}'
SECRET = "s3cret"
GOOD_1 = "sha1=" + hmac.new(SECRET.encode(), RAW, hashlib.sha1).hexdigest()
GOOD_256 = "sha256=" + hmac.new(SECRET.encode(), RAW, hashlib.sha256).hexdigest()
BAD_1, BAD_256 = "sha1=" + "0" * 40, "sha256=" + "0" * 64


@pytest.mark.parametrize(
    ("secret", "sha1", "sha256", "is_accepted"),
    [
        ("", "", "", True),
        ("", GOOD_1, "", False),
        ("", "", GOOD_256, False),
        (SECRET, "", "", False),
        (SECRET, GOOD_1, "", True),
        (SECRET, GOOD_1.removeprefix("sha1="), "", True),
        (SECRET, GOOD_1.upper().replace("SHA1", "sha1"), "", True),
        (SECRET, BAD_1, "", False),
        (SECRET, "", GOOD_256, True),
        (SECRET, "", BAD_256, False),
        (SECRET, GOOD_1, GOOD_256, True),
        (SECRET, BAD_1, GOOD_256, True),
        (SECRET, GOOD_1, BAD_256, False),
        (SECRET, GOOD_256, "", False),
        (SECRET, "", GOOD_1, False),
        (SECRET, "sha1=", "", False),
        (SECRET, "é", "", False),
        ("other", GOOD_1, "", False),
        ("Schlüssel", GOOD_1, "", False),
    ],
)
def test_the_table(secret: str, sha1: str, sha256: str, is_accepted: bool) -> None:
    headers = {"x-hub-signature": [sha1] if sha1 else [], "x-hub-signature-256": [sha256] if sha256 else []}

    assert signatures.is_accepted(secret, headers, RAW) is is_accepted


def test_one_changed_byte_is_noticed() -> None:
    assert not signatures.is_accepted(SECRET, {"x-hub-signature-256": [GOOD_256]}, RAW + b" ")
