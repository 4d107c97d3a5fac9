"""Acceptance tests of a deployed shop: `python -m shop.acceptance integration|e2e --base-url URL --junit FILE`.

The visits have fixed names: what a page shows depends on the name alone, so these tests find the same on every run.
"""

import sys

from storefront.acceptance import Check, Site, expect, main

_BUYER = "known-11"
_LOOKER = "known-4"


def the_version_is_told(site: Site) -> None:
    """Every answer says which version made it."""
    answer = site.get("/version")
    expect(answer.status == 200, f"/version answers {answer.status}")
    told, header = answer.facts().get("version"), answer.headers.get("x-shop-version")
    expect(bool(told) and told == header, f"/version says {told!r}, the header {header!r}")


def the_page_is_served(site: Site) -> None:
    """The page has a headline."""
    answer = site.get(f"/?visit={_LOOKER}")
    expect(answer.status == 200, f"/ answers {answer.status}")
    expect(bool(answer.facts().get("headline")), f"the page has no headline: {answer.body!r}")


def an_order_without_a_visit_is_refused(site: Site) -> None:
    """An order that names no visit gets 400."""
    answer = site.post("/orders")
    expect(answer.status == 400, f"/orders answers {answer.status}")


def what_is_not_there_is_not_found(site: Site) -> None:
    """An unknown path gets 404, a known one with the wrong method 405."""
    unknown, wrong = site.get("/nowhere"), site.get("/orders")
    expect((unknown.status, wrong.status) == (404, 405), f"they get {unknown.status} and {wrong.status}")


def metrics_are_offered(site: Site) -> None:
    """The metrics that a canary is judged by are there."""
    site.get(f"/?visit={_LOOKER}")
    text = site.get("/metrics").body.decode()
    names = ("http_requests_total", "http_request_seconds_bucket", "shop_visits_total", "shop_orders_total")
    missing = [name for name in (*names, "process_cpu_seconds_total") if name not in text]
    expect(not missing, f"missing: {', '.join(missing)}")


def a_visitor_can_buy(site: Site) -> None:
    """A visitor who is offered something can order it."""
    page = site.get(f"/?visit={_BUYER}")
    expect(page.status == 200, f"/ answers {page.status}")
    link = page.facts().get("buy")
    expect(isinstance(link, str) and link.startswith("/"), f"nothing is offered: {page.body!r}")
    answer = site.post(str(link))
    expect(answer.status == 201, f"the order gets {answer.status}: {answer.body!r}")
    expect(answer.facts().get("visit") == _BUYER, f"the order is another visit's: {answer.body!r}")


SUITES: dict[str, tuple[Check, ...]] = {
    "integration": (
        the_version_is_told,
        the_page_is_served,
        an_order_without_a_visit_is_refused,
        what_is_not_there_is_not_found,
        metrics_are_offered,
    ),
    "e2e": (a_visitor_can_buy,),
}

if __name__ == "__main__":
    sys.exit(main("shop.acceptance", SUITES, sys.argv[1:]))
