"""The cart's handlers, without a network."""

import json

import pytest
from storefront.http import Request, Response, Stream
from storefront.service import Service

from cart import app, behaviour


def ask(cart: Service, path: str, query: str = "") -> tuple[int, dict[str, object]]:
    _, answer = cart.routes.answer(Request("GET", path, query, "1.1", {}))
    assert isinstance(answer, Response)
    return answer.status, json.loads(answer.body)


@pytest.fixture
def cart() -> Service:
    return app.create({"GENNAKER_VERSION": "1.0.0-test"})


@pytest.fixture(autouse=True)
def _no_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behaviour, "ERROR_PERCENT", 0)


@pytest.mark.parametrize("path", ["/", "/cart"])
def test_the_cart_greets(path: str, cart: Service) -> None:
    status, shown = ask(cart, path)

    assert (status, shown["greeting"]) == (200, behaviour.GREETING)


@pytest.mark.parametrize("seconds", ["x", "-1", "121", "nan", "inf"])
def test_an_export_takes_a_sensible_time(seconds: str, cart: Service) -> None:
    assert ask(cart, "/slow", f"seconds={seconds}")[0] == 400


def test_an_export_is_a_stream(cart: Service) -> None:
    _, answer = cart.routes.answer(Request("GET", "/slow", "seconds=0", "1.1", {}))

    assert isinstance(answer, Stream)


def test_trouble_is_told_by_the_health_check_only(cart: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behaviour, "IS_HEALTHY", False)

    assert [ask(cart, path)[0] for path in ("/healthz", "/ready", "/version", "/cart")] == [500, 200, 200, 200]


def test_requests_fail_in_the_given_share(cart: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behaviour, "ERROR_PERCENT", 50)

    failed = sum(ask(cart, "/cart", f"visit={number}")[0] == 500 for number in range(1000))

    assert failed == pytest.approx(500, abs=80)
