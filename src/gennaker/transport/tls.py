"""TLS: whom our clients believe. Read once: that takes 20 ms in which the event loop does nothing else."""

import ssl
from functools import cache

import httpx2


@cache
def trusted() -> ssl.SSLContext:
    """The machine's certificate authorities, whatever the environment says; shared by all clients, who leave it as it is."""
    return httpx2.create_ssl_context(trust_env=False)
