"""What a job's log tells the pipeline: `SPINNAKER_PROPERTY_<KEY>=<value>` and `SPINNAKER_CONFIG_JSON={…}`. Pure."""

import json

from gennaker.model import foreign
from gennaker.model.codec import JsonObject, decode_json
from gennaker.model.problems import Problem, Refused

_PROPERTY = "SPINNAKER_PROPERTY_"
_JSON = "SPINNAKER_CONFIG_JSON="


def read(log: str) -> JsonObject:
    """The properties that a log holds, later lines winning. Raises Refused for JSON that isn't an object."""
    found: JsonObject = {}
    for raw in log.split("\n"):
        line = raw.strip()
        if _PROPERTY in line:
            key, _, value = line.partition("=")
            if value.strip():
                found[key.strip().replace(_PROPERTY, "", 1).lower()] = value.strip()
        if line.startswith(_JSON):
            found.update(_object(line.removeprefix(_JSON)))
    return found


def _object(text: str) -> JsonObject:
    """What stands after the value on the line isn't looked at, as Jackson doesn't."""
    try:
        _, end = json.JSONDecoder().raw_decode(text.lstrip())
        value = decode_json(text.lstrip()[:end])
    except (ValueError, RecursionError) as error:
        raise Refused(_malformed(f"invalid JSON: {error}")) from error
    if not isinstance(value, dict):
        raise Refused(_malformed(f"invalid JSON: it must be an object, not {foreign.described(value)}"))
    return value


def _malformed(finding: str) -> Problem:
    return Problem(
        code="job.properties",
        message=f"What the job's log has after {_JSON} can't be read ({finding}).",
        remedy="Let the job print one JSON object on one line.",
    )
