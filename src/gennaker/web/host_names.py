"""Names of this machine: whether a `Host` header names it by what can't be made to point elsewhere.

A page of a foreign name that its owner lets point here (DNS rebinding) is of the same origin as what it calls: only the name
tells. So every address of loopback is answered to, whichever the server listens on, and of names `localhost` alone, which
browsers don't ask DNS for.
"""

import ipaddress
import re

_HOST = re.compile(r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[a-z0-9.-]+))(?::[0-9]{1,5})?", re.ASCII | re.IGNORECASE)


def without_port(host: str) -> str:
    """The name in lower case; empty: that is no name."""
    found = _HOST.fullmatch(host)
    return "" if found is None else (found["name"] or found["six"]).lower()


def is_this_machine(host: str) -> bool:
    """Whether it is loopback's, with or without a port; what isn't of the header's form is nobody's."""
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    name = (found["name"] or "").lower()
    try:
        address = ipaddress.IPv6Address(found["six"]) if found["six"] else ipaddress.IPv4Address(name)
    except ValueError:
        return name == "localhost"
    return address.is_loopback
