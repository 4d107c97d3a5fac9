"""Ed25519 against the test vectors of RFC 8032, section 7.1."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gennaker.model import ed25519
from gennaker.transport import signing

VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


@pytest.mark.parametrize(("public", "message", "signature"), [vector[1:] for vector in VECTORS])
def test_signatures_of_the_standard_are_taken(public: str, message: str, signature: str) -> None:
    assert ed25519.is_signed(bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature))


@pytest.mark.parametrize(("seed", "public", "message", "signature"), VECTORS)
def test_what_is_signed_here_is_what_the_standard_says(seed: str, public: str, message: str, signature: str) -> None:
    assert signing.public_key(bytes.fromhex(seed)).hex() == public
    assert signing.sign(bytes.fromhex(seed), bytes.fromhex(message)).hex() == signature


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 511), st.sampled_from(["message", "key", "signature"]))
def test_nothing_else_is_signed(bit: int, what: str) -> None:
    parts = {
        name: bytearray.fromhex(text)
        for name, text in zip(("key", "message", "signature"), VECTORS[1][1:], strict=True)
    }
    place = bit // 8 % len(parts[what])
    parts[what][place] ^= 1 << bit % 8

    assert not ed25519.is_signed(bytes(parts["key"]), bytes(parts["message"]), bytes(parts["signature"]))


@pytest.mark.parametrize(("key", "signature"), [(b"", b""), (b"\xff" * 32, b"\x00" * 64), (b"\x01" * 32, b"\xff" * 64)])
def test_what_is_no_key_or_signature_is_not_accepted(key: bytes, signature: bytes) -> None:
    assert not ed25519.is_signed(key, b"m", signature)
