"""Unit tests of the cart."""

import json

from storefront.http_server import Request

from cart import app, behaviour


def test_the_cart_greets() -> None:
    response = app.create("1", "cart-test-v000").answer(Request("GET", "/cart", {}, {}, b""))

    assert (response.status, json.loads(response.body)["greeting"]) == (200, behaviour.GREETING)


def test_a_slow_export_needs_a_number() -> None:
    response = app.create("1", "cart-test-v000").answer(Request("GET", "/slow", {"seconds": "x"}, {}, b""))

    assert response.status == 400
