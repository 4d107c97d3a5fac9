"""Sealing: AES-256-GCM by pyca/cryptography. Who changes a sealed text or what was sealed with it can't open it."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12


class BrokenSeal(Exception):
    """Another key, or something was changed."""


def seal(text: bytes, *, key: bytes, nonce: bytes, beside: bytes) -> bytes:
    """Encrypts; `beside` isn't hidden, but must be the same to open it. A nonce is never used twice with a key."""
    return nonce + AESGCM(key).encrypt(nonce, text, beside)


def opened(sealed: bytes, *, key: bytes, beside: bytes) -> bytes:
    """Decrypts. Raises BrokenSeal."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], beside)
    except (InvalidTag, ValueError) as error:
        raise BrokenSeal from error
