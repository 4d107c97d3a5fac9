"""Encoded values: jobs carry whole definitions as base64 of JSON, so that nothing in them is taken for an expression."""

import base64
import binascii

import msgspec

from gennaker.interfaces.stages import TaskContext
from gennaker.model.codec import Json, JsonObject, decode_json
from gennaker.model.problems import Problem, Refused


def read(context: TaskContext, key: str) -> Json:
    """The value of a key of the stage; text is decoded, anything else taken as it is. Raises Refused."""
    if key not in context.stage.context:
        raise Refused(
            Problem(
                code="job.field_missing",
                message=f"The job has no `{key}`.",
                remedy=f"Give it `{key}`: JSON, or base64 of JSON.",
                pointer=f"/{key}",
            )
        )
    value = context.stage.context[key]
    if not isinstance(value, str):
        return value
    try:
        return decode_json(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError) as error:
        raise Refused(
            Problem(
                code="job.not_encoded",
                message=f"The job's `{key}` must be base64 of JSON: {error}.",
                pointer=f"/{key}",
            )
        ) from error


def read_map(context: TaskContext, key: str) -> JsonObject:
    """The same, where it must be an object. Raises Refused."""
    value = read(context, key)
    if isinstance(value, dict):
        return value
    raise Refused(Problem(code="job.field_wrong", message=f"The job's `{key}` must be an object.", pointer=f"/{key}"))
