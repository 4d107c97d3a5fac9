"""References to secrets, as they stand in texts instead of them: Spinnaker's `encrypted:` and `secret://` forms."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec

from gennaker.model import foreign
from gennaker.model.codec import Json
from gennaker.model.execution import Execution, Stage
from gennaker.model.problems import Problem, Refused

_REFERENCE = re.compile(
    r"""encrypted(?P<file>File)?:(?P<engine>[a-z][a-z0-9-]*)(?P<parameters>(?:![A-Za-z]+:[^!\s"'<>]+)*)"""
    r"""|secret://(?P<host>[a-z][a-z0-9-]*)(?:\?(?P<query>[^\s"'<>]*))?"""
)
"""In the middle of a text, too: a value ends where white space or a quotation mark begins."""


class SecretReference(msgspec.Struct, frozen=True):
    """Where a secret is."""

    engine: str
    parameters: Mapping[str, str]
    text: str
    """As it was written."""


def find(text: str) -> tuple[SecretReference, ...]:
    """All references in a text, in their order. Raises Refused for what begins as one and can't be resolved."""
    return tuple(_read(found) for found in _REFERENCE.finditer(text))


def is_in(text: str) -> bool:
    """Whether the text refers to a secret."""
    return _REFERENCE.search(text) is not None


def refuse_unwritten(value: Json, execution: Execution, stage: Stage) -> None:
    """References count where somebody has written them into the stage, not where an expression has put them.

    Else whoever can send a webhook could name a secret in its payload, and have it sent to wherever the payload goes. Of stages
    that a template has made, all that the pipeline itself says counts. Raises Refused.
    """
    unwritten = _texts(value) - _texts(_definition(execution, stage))
    if unwritten:
        raise Refused(
            Problem(
                code="secret.not_written",
                message=f"{', '.join(sorted(unwritten))} doesn't stand in the pipeline: an expression has put it there.",
                remedy="Write the whole reference into the stage (of a template: into the pipeline's variables).",
            )
        )


def _definition(execution: Execution, stage: Stage) -> Json:
    """The stage as it was written: of a synthetic one the stage that has planned it."""
    while stage.parent_id is not None:
        stage = execution.stages[stage.parent_id]
    config = execution.head.initial_config
    listed = foreign.mappings(config.get("stages"))
    own = [one for one in listed if one.get("refId") == stage.ref_id]
    return list[Json](own) if own else {key: one for key, one in config.items() if key != "trigger"}


def _texts(value: Json) -> frozenset[str]:
    match value:
        case str():
            return frozenset(found[0] for found in _REFERENCE.finditer(value))
        case list():
            return frozenset().union(*map(_texts, value))
        case dict():
            return frozenset().union(*map(_texts, value.values()))
        case _:
            return frozenset()


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with the values, by how the references are written, in their place."""
    return _REFERENCE.sub(lambda found: values[found[0]], text)


def _read(found: re.Match[str]) -> SecretReference:
    if found["file"]:
        message = f"{found[0]} refers to a file, and files can't be secrets of Gennaker's yet."
        remedy = "Use `encrypted:` where the content is wanted, else the path of the file."
        raise Refused(Problem(code="secret.file", message=message, remedy=remedy))
    if found["engine"]:
        pairs = [one.partition(":")[::2] for one in found["parameters"].split("!") if one]
    else:
        pairs = parse_qsl(found["query"] or "", keep_blank_values=True)
    return SecretReference(engine=found["engine"] or found["host"], parameters=dict(pairs), text=found[0])
