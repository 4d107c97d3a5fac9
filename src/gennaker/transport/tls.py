"""TLS: whom our clients believe. Read once: that takes 20 ms in which the event loop does nothing else."""

import ssl
from functools import cache

import httpx2


@cache
def trusted() -> ssl.SSLContext:
    """The machine's certificate authorities, whatever the environment says; shared by all clients, who leave it as it is."""
    return httpx2.create_ssl_context(trust_env=False)


def with_certificate(certificate: str, key: str = "", *, authorities: str = "") -> ssl.SSLContext:
    """A client's own: it shows a certificate, and believes the machine's authorities or those of a file. Raises OSError.

    Never the shared one: that would show the certificate to everybody.
    """
    context = ssl.create_default_context(cafile=authorities) if authorities else trusted.__wrapped__()
    context.load_cert_chain(certificate, key or None)
    return context
