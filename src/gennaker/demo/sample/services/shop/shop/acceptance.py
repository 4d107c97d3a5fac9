"""Acceptance tests of a deployed shop: `python -m shop.acceptance integration|e2e --base-url URL`."""

import sys

from storefront.acceptance import Site, main


def the_version_is_told(site: Site) -> None:
    """Every answer says which version made it."""
    status, headers, body = site.get("/version")
    _expect(status == 200, status)
    _expect(isinstance(body, dict) and body["version"] == headers["x-shop-version"], body)


def the_page_is_served(site: Site) -> None:
    """The page has a headline."""
    status, _, body = site.get("/")
    _expect(status == 200, status)
    _expect(isinstance(body, dict) and bool(body["headline"]), body)


def an_order_without_a_visit_is_refused(site: Site) -> None:
    """Bad input gets a 400."""
    status, _, body = site.post("/orders", {})
    _expect(status == 400, (status, body))


def metrics_are_there(site: Site) -> None:
    """The scraper finds what it needs."""
    status, _, body = site.get("/metrics")
    _expect(status == 200 and "shop_visits_total" in str(body), status)


def a_visitor_can_buy(site: Site) -> None:
    """Someone among some visitors finds an offer and orders it."""
    for _ in range(60):
        _, _, page = site.get("/")
        offer = page.get("buy") if isinstance(page, dict) else None
        if offer:
            status, _, body = site.post(offer, {})
            _expect(status == 201, (status, body))
            return
    raise AssertionError("none of 60 visits was offered anything")


def _expect(holds: bool, found: object) -> None:
    if not holds:
        raise AssertionError(f"found {found!r}")


SUITES = {
    "integration": (the_version_is_told, the_page_is_served, an_order_without_a_visit_is_refused, metrics_are_there),
    "e2e": (a_visitor_can_buy,),
}

if __name__ == "__main__":
    sys.exit(main(SUITES))
