"""Signing with Ed25519, by pyca/cryptography: in time that tells nothing of the key."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SEED_BYTES = 32
"""Of the secret that a key is made from."""


def public_key(seed: bytes) -> bytes:
    """The public key of 32 secret bytes. Raises ValueError where they are more or fewer."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: bytes, message: bytes) -> bytes:
    """The signature, 64 bytes; the same message has always the same."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)
