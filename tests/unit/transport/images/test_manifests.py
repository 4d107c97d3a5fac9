"""Manifests and configurations that can't be read are refused with a sentence, however they are broken."""

from collections.abc import Callable

import pytest

from gennaker.model.problems import Refused
from gennaker.transport.images import manifests

DEEP = b'{"a":' * 5000 + b"1" + b"}" * 5000


@pytest.mark.parametrize("read", [manifests.read_configuration, lambda body: manifests.read_manifest(body, "")])
@pytest.mark.parametrize(
    ("body", "said"), [(b"{", "can't be read"), (b"[]", "can't be read"), (DEEP, "nested too deeply")]
)
def test_what_cannot_be_read_is_refused(read: Callable[[bytes], object], body: bytes, said: str) -> None:
    with pytest.raises(Refused, match=said):
        read(body)
