"""Acceptance tests of a deployed cart: `python -m cart.acceptance integration|e2e --base-url URL --junit FILE`.

The visits have fixed names: what happens to one depends on its name alone, so these tests find the same on every run.
"""

import sys

from storefront.acceptance import Check, Site, expect, main

_VISIT = "known-4"


def the_version_is_told(site: Site) -> None:
    """Every answer says which version made it."""
    answer = site.get("/version")
    expect(answer.status == 200, f"/version answers {answer.status}")
    told, header = answer.facts().get("version"), answer.headers.get("x-cart-version")
    expect(bool(told) and told == header, f"/version says {told!r}, the header {header!r}")


def the_cart_greets(site: Site) -> None:
    """The cart is shown."""
    answer = site.get(f"/cart?visit={_VISIT}")
    expect(answer.status == 200, f"/cart answers {answer.status}")
    expect(bool(answer.facts().get("greeting")), f"there is no greeting: {answer.body!r}")


def a_senseless_export_is_refused(site: Site) -> None:
    """An export without end gets 400."""
    answer = site.get("/slow?seconds=nan")
    expect(answer.status == 400, f"it gets {answer.status}")


def an_export_comes_whole(site: Site) -> None:
    """An export that takes its time comes to its end."""
    answer = site.get("/slow?seconds=0.6")
    expect(answer.status == 200, f"/slow answers {answer.status}")
    expect(answer.body.endswith(b"done\n"), f"it ends with {answer.body[-20:]!r}")


def a_live_view_needs_a_websocket(site: Site) -> None:
    """Whoever asks for the live view without WebSocket is told so."""
    answer = site.get("/live")
    expect(answer.status == 426, f"/live answers {answer.status}")


SUITES: dict[str, tuple[Check, ...]] = {
    "integration": (the_version_is_told, the_cart_greets, a_senseless_export_is_refused),
    "e2e": (an_export_comes_whole, a_live_view_needs_a_websocket),
}

if __name__ == "__main__":
    sys.exit(main("cart.acceptance", SUITES, sys.argv[1:]))
