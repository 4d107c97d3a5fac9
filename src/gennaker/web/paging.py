"""Paging: lists of the native API in pages of bounded size, with a cursor for the next one (decision 35)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar, cast
from urllib.parse import quote, urlencode

import msgspec
from litestar import Request, Response
from litestar.params import QueryParameter

from gennaker.model.codec import Json, JsonObject, microseconds

Item = TypeVar("Item")
MOST = 200
Limit = Annotated[int, QueryParameter(ge=1, le=MOST, description="Most items of one answer")]
After = Annotated[
    str, QueryParameter(max_length=1_000, description="The last answer's `next`: the list goes on behind it")
]
Asked = Request[Any, Any, Any]


def page(
    request: Asked,
    name: str,
    items: Iterable[Item],
    *,
    key: Callable[[Item], str],
    show: Callable[[Item], Json],
    after: str,
    limit: int,
    is_descending: bool = False,
) -> Response[JsonObject]:
    """The part of a list behind the cursor, in the order of its keys, each of which must be one item's only."""
    listed = sorted(items, key=key, reverse=is_descending)
    rest = [one for one in listed if not after or (key(one) < after if is_descending else key(one) > after)]
    cursor = key(rest[limit - 1]) if len(rest) > limit else None
    return answer(request, name, [show(one) for one in rest[:limit]], cursor)


def instant(at: datetime) -> str:
    """A time in a key: it sorts as the times do."""
    return f"{microseconds(at):020d}"


def answer(
    request: Asked,
    name: str,
    shown: Sequence[Json | msgspec.Raw],
    cursor: str | int | None,
    *,
    parameter: str = "after",
) -> Response[JsonObject]:
    """A page that was cut already; `cursor` None: it is the last one."""
    return of_several(request, {name: shown}, cursor, parameter=parameter)


def of_several(
    request: Asked, lists: Mapping[str, object], cursor: str | int | None, *, parameter: str = "after"
) -> Response[JsonObject]:
    """A page with several lists of JSON, of which some may be encoded already."""
    body = cast("JsonObject", {**lists, "next": cursor})  # what is encoded stays as it is
    if cursor is None:
        return Response(body)
    query = [(key, value) for key, value in request.query_params.multi_items() if key != parameter]
    address = f"{quote(request.url.path)}?{urlencode([*query, (parameter, str(cursor))])}"
    return Response(body, headers={"link": f'<{address}>; rel="next"'})
