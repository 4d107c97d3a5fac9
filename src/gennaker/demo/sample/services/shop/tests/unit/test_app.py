"""The shop's handlers, without a network."""

import json

import pytest
from storefront.http import Request, Response
from storefront.service import Service

from shop import app, behaviour


def ask(shop: Service, method: str, path: str, query: str = "") -> tuple[int, dict[str, object]]:
    _, answer = shop.routes.answer(Request(method, path, query, "1.1", {}))
    assert isinstance(answer, Response)
    return answer.status, json.loads(answer.body)


@pytest.fixture
def shop() -> Service:
    return app.create({"GENNAKER_VERSION": "1.2.3-test", "GENNAKER_SERVER_GROUP": "shop-test-v000"})


@pytest.fixture(autouse=True)
def _no_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behaviour, "ERROR_PERCENT", 0)


def test_the_page_has_the_headline(shop: Service) -> None:
    status, page = ask(shop, "GET", "/")

    assert (status, page["headline"]) == (200, behaviour.HEADLINE)


def test_the_same_visit_always_sees_the_same(shop: Service) -> None:
    assert ask(shop, "GET", "/", "visit=anna") == ask(shop, "GET", "/", "visit=anna")


def test_visits_without_a_name_get_one_each(shop: Service) -> None:
    visits = {str(ask(shop, "GET", "/")[1]["visit"]) for _ in range(50)}

    assert len(visits) == 50


@pytest.mark.parametrize("share", [0, 25, 100])
def test_offers_come_in_the_wanted_share(share: int, shop: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behaviour, "OFFER_PERCENT", share)

    offered = sum(ask(shop, "GET", "/", f"visit={number}")[1]["buy"] is not None for number in range(2000))

    assert offered == pytest.approx(share * 20, abs=80)


def test_requests_fail_in_the_given_share_and_say_who_failed(shop: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behaviour, "ERROR_PERCENT", 50)

    answers = [shop.routes.answer(Request("GET", "/", f"visit={number}", "1.1", {}))[1] for number in range(1000)]

    failed = [answer for answer in answers if isinstance(answer, Response) and answer.status == 500]
    assert len(failed) == pytest.approx(500, abs=80)
    assert failed[0].headers == (("X-Failed-Version", "1.2.3-test"),)


def test_an_order_is_counted_for_the_server_group_whose_page_led_to_it(shop: Service) -> None:
    ask(shop, "POST", "/orders", "visit=anna&from=shop-prod-v007")
    ask(shop, "POST", "/orders", "visit=bert&from=shop-test-v000")
    ask(shop, "POST", "/orders", "visit=carl")

    text = shop.metrics.text()
    assert 'shop_orders_total{server_group="shop-prod-v007"} 1\n' in text
    assert 'shop_orders_total{server_group="shop-test-v000"} 2\n' in text


def test_invented_server_groups_do_not_fill_the_memory(shop: Service) -> None:
    for number in range(200):
        ask(shop, "POST", "/orders", f"visit=anna&from=invented-{number}")

    assert shop.metrics.text().count("shop_orders_total{") == 20


@pytest.mark.parametrize("query", ["", "visit=", "visit=a%22b"])
def test_an_order_names_its_visit(query: str, shop: Service) -> None:
    assert ask(shop, "POST", "/orders", query)[0] == 400


def test_trouble_is_told_by_the_health_check_only(shop: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behaviour, "IS_HEALTHY", False)

    assert [ask(shop, "GET", path)[0] for path in ("/healthz", "/ready", "/version", "/")] == [500, 200, 200, 200]
