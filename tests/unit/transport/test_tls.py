"""TLS: authorities are the machine's, names are checked, and the certificates are read once."""

import ssl
from pathlib import Path

import pytest
from tests.fakes import certificates

from gennaker.transport import tls

NAME = "gate.example.org"


def test_certificates_are_read_once() -> None:
    assert tls.trusted() is tls.trusted()


def test_certificates_and_names_are_checked_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")

    made = tls.trusted.__wrapped__()

    assert made.verify_mode is ssl.CERT_REQUIRED
    assert made.check_hostname
    assert made.cert_store_stats()["x509_ca"] == tls.trusted().cert_store_stats()["x509_ca"]


@pytest.fixture
def own(tmp_path: Path) -> str:
    return certificates.make(tmp_path / "own.pem", NAME)


def shown(client: ssl.SSLContext, own: str) -> bool:
    """Whether a server that asks for a certificate is shown one."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(own)
    server.load_verify_locations(own)
    server.verify_mode = ssl.CERT_OPTIONAL
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=NAME),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return bool(sides[1].getpeercert(binary_form=True))


def test_a_certificate_is_shown_by_the_client_that_has_it_and_by_no_other(own: str) -> None:
    with_own = tls.with_certificate(own, authorities=own)
    without = ssl.create_default_context(cafile=own)

    assert (shown(with_own, own), shown(without, own)) == (True, False)
    assert tls.with_certificate(own) is not tls.trusted()


def test_a_certificate_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tls.with_certificate(str(tmp_path / "missing.pem"))
