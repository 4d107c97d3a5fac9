"""What of a webhook stage is wrong as it is written: addresses and methods that no call could be made with."""

from collections.abc import Iterator

import httpx2

from gennaker.model.codec import Json, JsonObject
from gennaker.model.foreign import described
from gennaker.model.problems import Problem
from gennaker.plugins.webhook import calling, creating

_ADDRESSES = ("url", "cancelEndpoint")
_METHODS = ("method", "cancelMethod")
_RESOLUTION = "statusUrlResolution"


def wrong(stage: JsonObject) -> Iterator[Problem]:
    """Everything, with pointers from the stage; what is absent is not wrong."""
    for key in _ADDRESSES:
        if _is_said(stage.get(key)) and not _is_address(stage[key]):
            yield _problem(key, stage[key], "an address", "Write it like https://ci.example.org/start.")
    for key in _METHODS:
        if _is_said(stage.get(key)) and str(stage[key]).strip().upper() not in calling.METHODS:
            yield _problem(key, stage[key], "a method", f"Use one of {', '.join(sorted(calling.METHODS))}.")
    found = stage.get(_RESOLUTION)
    if _is_said(found) and found not in creating.RESOLUTIONS:
        remedy = f"Use one of {', '.join(creating.RESOLUTIONS)}."
        yield _problem(_RESOLUTION, found, "a way to find the status URL", remedy)


def _is_said(value: Json) -> bool:
    return value is not None and bool(str(value).strip())


def _is_address(value: Json) -> bool:
    if not isinstance(value, str):
        return False
    if "${" in value:
        return True
    try:
        parsed = httpx2.URL(value.strip())
    except httpx2.InvalidURL:
        return False
    return parsed.scheme in ("http", "https") and bool(parsed.host)


def _problem(key: str, value: Json, wanted: str, remedy: str) -> Problem:
    message = f"`{key}` of a webhook stage must be {wanted}, not {described(value)}."
    return Problem(code="stage.field_wrong", message=message, remedy=remedy, pointer=f"/{key}")
