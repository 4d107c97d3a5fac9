"""Addresses: the `host:port` by which settings name where a URL leads, in one form for all who compare them. Pure.

Names are in lower case, with the letters that they stand for (`bücher.example` for `xn--bcher-kva.example`); an IPv6 address is in
brackets and as short as it can be written: `[::1]:8080`.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
_ENCODED = "xn--"


def of_url(url: str) -> str:
    """Where a URL leads; empty: it names no host. Raises ValueError for what can't be read as a URL.

    Port 0 is none: clients of HTTP connect to the usual one.
    """
    parts = urlsplit(url)
    if not parts.hostname:
        return ""
    return joined(parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme, 0))


def joined(host: str, port: int | str) -> str:
    """Of a host, an IPv6 address with brackets or without."""
    return f"{_host(host)}:{port}"


def written(entry: str) -> str:
    """What somebody has written as `host:port`, in that form; `::1:8080` is read as `[::1]:8080`."""
    host, _, port = entry.strip().rpartition(":")
    return joined(host, port)


def _host(host: str) -> str:
    bare = host.removeprefix("[").removesuffix("]").lower()
    if ":" not in bare:
        return ".".join(map(_label, bare.split(".")))
    try:
        return f"[{ip_address(bare).compressed}]"
    except ValueError:  # no address: it leads nowhere, and is compared as it stands
        return f"[{bare}]"


def _label(written: str) -> str:
    """A part of a name (RFC 5891: A-label to U-label). What doesn't stand for exactly one other name is compared as it stands."""
    if not written.startswith(_ENCODED):
        return written
    try:
        meant = written.removeprefix(_ENCODED).encode("ascii").decode("punycode")
    except UnicodeError:
        return written
    again = _ENCODED + meant.encode("punycode").decode("ascii")
    return meant if again == written and not meant.isascii() else written
