"""Acceptance tests of a deployed cart: `python -m cart.acceptance integration|e2e --base-url URL`."""

import sys

from storefront.acceptance import Site, main


def the_version_is_told(site: Site) -> None:
    """Every answer says which version made it."""
    status, headers, body = site.get("/version")
    _expect(status == 200, status)
    _expect(isinstance(body, dict) and body["version"] == headers["x-cart-version"], body)


def the_cart_greets(site: Site) -> None:
    """The cart is there."""
    status, _, body = site.get("/cart")
    _expect(status == 200 and isinstance(body, dict) and bool(body["greeting"]), body)


def a_slow_export_comes_whole(site: Site) -> None:
    """A streamed answer ends as it should."""
    status, _, body = site.get("/slow?seconds=0.6")
    _expect(status == 200 and str(body).endswith("done\n"), body)


def _expect(holds: bool, found: object) -> None:
    if not holds:
        raise AssertionError(f"found {found!r}")


SUITES = {"integration": (the_version_is_told, the_cart_greets), "e2e": (a_slow_export_comes_whole,)}

if __name__ == "__main__":
    sys.exit(main(SUITES))
