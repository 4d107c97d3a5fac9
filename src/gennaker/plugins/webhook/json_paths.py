"""JSONPath in the answers of webhooks: one value where the path names one, else the list of all that it finds."""

from typing import cast

import jsonpath

from gennaker.model.codec import Json


class NotFound(Exception):
    """The path leads nowhere, or is none; the text says which."""


def find(path: str, document: Json) -> Json:
    """What is at the path. Raises NotFound."""
    missing = f"JSON property '{path}' not found in response body"
    if not isinstance(document, dict | list):
        raise NotFound(missing)
    try:
        query = jsonpath.compile(path if path.startswith("$") else f"$.{path}")
        values = cast("list[Json]", query.findall(document))  # the library types them as object
    except jsonpath.JSONPathError as error:
        raise NotFound(f"'{path}' is no JSONPath: {error}") from error
    if isinstance(query, jsonpath.JSONPath) and query.singular_query():
        if not values:
            raise NotFound(missing)
        return values[0]
    return values
