"""The shop's routes: the page, which offers something to some visits, and orders of what was offered.

Behind a load balancer an order may reach another server group than the visit did. The link therefore names the server
group whose page it stood on, and the order is counted for that one: orders per visit are then what its pages achieve.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

from storefront.http import Request, Response
from storefront.service import JSON, Identity, Service, identity
from storefront.visits import VisitIds, is_name, roll

from shop import behaviour

_GROUPS_LIMIT = 20
"""Of how many server groups orders are counted apart: a counter's labels must not grow with what clients send."""


def create(environment: Mapping[str, str]) -> Service:
    """The shop as the environment says who it is."""
    return Shop(identity("shop", Path(__file__).parents[1], environment)).service


class Shop:
    """The handlers and what they count."""

    def __init__(self, who: Identity) -> None:
        self.service = Service(who, find_trouble=_trouble)
        self._who = who
        self._ids = VisitIds()
        self._groups = {who.server_group}
        self._visits = self.service.metrics.counter("shop_visits_total", "Pages shown.", "server_group")
        self._orders = self.service.metrics.counter(
            "shop_orders_total", "Orders, by the server group whose page led to them.", "server_group"
        )
        for counter in (self._visits, self._orders):
            counter.add(who.server_group, amount=0)  # What hasn't happened yet is 0, not unknown.
        self.service.routes.add("GET", "/", self._page)
        self.service.routes.add("POST", "/orders", self._order)

    def _page(self, request: Request) -> Response:
        visit = self._ids.of(request.parameters().get("visit"))
        if roll(visit, "error") < behaviour.ERROR_PERCENT:
            return self._failure(visit)
        self._visits.add(self._who.server_group)
        link = None
        if roll(visit, "offer") < behaviour.OFFER_PERCENT:
            link = "/orders?" + urlencode({"visit": visit, "from": self._who.server_group})
        return _json(HTTPStatus.OK, {"headline": behaviour.HEADLINE, "visit": visit, "buy": link})

    def _order(self, request: Request) -> Response:
        given = request.parameters()
        visit = given.get("visit", "")
        if not is_name(visit):
            return _json(HTTPStatus.BAD_REQUEST, {"error": "An order names its visit: /orders?visit=…"})
        if roll(visit, "order error") < behaviour.ERROR_PERCENT:
            return self._failure(visit)
        self._orders.add(self._credited(given.get("from", "")))
        return _json(HTTPStatus.CREATED, {"ordered": True, "visit": visit})

    def _credited(self, group: str) -> str:
        """The server group that an order is counted for."""
        if group in self._groups:
            return group
        if not is_name(group) or len(self._groups) >= _GROUPS_LIMIT:
            return self._who.server_group
        self._groups.add(group)
        return group

    def _failure(self, visit: str) -> Response:
        return Response(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            json.dumps({"error": "Something broke.", "visit": visit}).encode(),
            JSON,
            headers=(("X-Failed-Version", self._who.version),),
        )


def _trouble() -> str:
    return "" if behaviour.IS_HEALTHY else "The payment service can't be reached."


def _json(status: int, body: dict[str, object]) -> Response:
    return Response(status, json.dumps(body).encode(), JSON)
