"""The OpenAPI document of the native API: made from the routes and the types of their parameters and bodies.

Gate's routes aren't in it: theirs is Gate's own. It is kept in docs/api/openapi.json, so that a change of the API is seen
in review; `make openapi` writes it anew.
"""

from typing import Any

import msgspec
from litestar import Request
from litestar.openapi.plugins import JsonRenderPlugin

from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem

_BELOW = "/api/v1/"
_REFS = "#/components/schemas/{name}"
_STREAMS = frozenset({"/api/v1/events", "/api/v1/executions/{execution_id}/log"})
"""Live updates: they end with the connection."""
_REFUSED: JsonObject = {
    "description": "It isn't done: problems as RFC 9457 has them, all that is wrong at once",
    "content": {"application/problem+json": {"schema": {"$ref": _REFS.format(name="ProblemDocument")}}},
}


class ProblemDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Why something wasn't done."""

    type: str
    """`urn:gennaker:problem:` and the code."""
    title: str
    status: int
    detail: str
    """The first problem's sentences."""
    code: str
    """The first problem's."""
    problems: tuple[Problem, ...]


class NativeJson(JsonRenderPlugin):
    """Serves it."""

    def render(self, request: "Request[Any, Any, Any]", openapi_schema: dict[str, Any]) -> bytes:
        """The native API's part of what the framework has found."""
        return super().render(request, of_native(openapi_schema))


def of_native(found: JsonObject) -> JsonObject:
    """Of the framework's document of all routes: the native ones, with problems for answers where it has its own errors."""
    paths = found["paths"]
    components = found["components"]
    assert isinstance(paths, dict)
    assert isinstance(components, dict)
    schemas = components["schemas"]
    assert isinstance(schemas, dict)
    (_,), problem = msgspec.json.schema_components((ProblemDocument,), ref_template=_REFS)
    return {
        "openapi": found["openapi"],
        "info": found["info"],
        "paths": {path: _with_problems(path, item) for path, item in sorted(paths.items()) if path.startswith(_BELOW)},
        "components": {
            "schemas": dict(sorted({**schemas, **problem}.items())),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
        "security": [{"token": []}, {"basic": []}],
    }


def _with_problems(path: str, item: Json) -> Json:
    assert isinstance(item, dict)
    return {method: _answered(path, operation) for method, operation in item.items()}


def _answered(path: str, operation: Json) -> Json:
    assert isinstance(operation, dict)
    answers = operation["responses"]
    assert isinstance(answers, dict)
    good = {status: answer for status, answer in answers.items() if status < "4"}
    if path in _STREAMS:
        good = {"200": {"description": "Events as they happen", "content": {"text/event-stream": {}}}}
    return {**operation, "responses": {**good, "default": _REFUSED}}
