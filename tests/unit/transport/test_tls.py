"""TLS: authorities are the machine's, names are checked, and the certificates are read once."""

import ssl

import pytest

from gennaker.transport import tls


def test_certificates_are_read_once() -> None:
    assert tls.trusted() is tls.trusted()


def test_certificates_and_names_are_checked_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")

    made = tls.trusted.__wrapped__()

    assert made.verify_mode is ssl.CERT_REQUIRED
    assert made.check_hostname
    assert made.cert_store_stats()["x509_ca"] == tls.trusted().cert_store_stats()["x509_ca"]
