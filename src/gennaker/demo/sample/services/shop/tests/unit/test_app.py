"""Unit tests of the shop."""

import json

import pytest
from storefront.http_server import Request

from shop import app, behaviour


def ask(method: str, path: str, query: dict[str, str] | None = None) -> tuple[int, dict[str, object]]:
    response = app.create("1.2.3-test", "shop-test-v000").answer(Request(method, path, query or {}, {}, b""))
    return response.status, json.loads(response.body)


def test_the_page_has_the_headline() -> None:
    status, body = ask("GET", "/")

    assert (status, body["headline"]) == (200, behaviour.HEADLINE)


def test_an_order_names_its_visit() -> None:
    assert ask("POST", "/orders")[0] == 400
    assert ask("POST", "/orders", {"visit": "7"})[0] == 201


def test_an_unknown_path_is_not_found() -> None:
    assert ask("GET", "/nowhere")[0] == 404


@pytest.mark.parametrize("share", [0, 25, 100])
def test_offers_come_in_the_wanted_share(share: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behaviour, "OFFER_PERCENT", share)

    offered = sum(app.offers(visit) for visit in range(10_000))

    assert offered == pytest.approx(share * 100, abs=150)
