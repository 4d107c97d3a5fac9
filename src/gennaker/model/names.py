"""Names that come from outside: of applications, and ids of pipelines.

Front50 takes any text for both. Here they are parts of paths, of keys (`application/account/region/cluster/release`) and, by
way of server groups' names, of folders; so what would end one part and begin another is refused when it is saved.
"""

import re

from gennaker.model.codec import Json
from gennaker.model.problems import Problem

_LONGEST = 255
"""Front50's columns hold no more."""
_APPLICATION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


def application_problem(name: Json) -> Problem | None:
    """What is wrong with an application's name: Frigga's characters for it, and the hyphen that Kubernetes' have."""
    if not isinstance(name, str):
        return _wrong("application", "`application` must be text.")
    if _APPLICATION.fullmatch(name) and len(name) <= _LONGEST:
        return None
    return _wrong(
        "application",
        f"{_shown(name)} can't be the name of an application.",
        f"Use letters, digits, dots, underscores and hyphens, a letter or digit first, at most {_LONGEST} in all.",
    )


def pipeline_id_problem(pipeline_id: Json) -> Problem | None:
    """What is wrong with the id of a pipeline: any text but a few signs."""
    if not isinstance(pipeline_id, str):
        return _wrong("id", "`id` must be text.")
    is_part_of_a_path = not {"/", "\\"}.intersection(pipeline_id) and pipeline_id not in (".", "..")
    is_plain = pipeline_id.isprintable() and pipeline_id == pipeline_id.strip()
    if is_part_of_a_path and is_plain and len(pipeline_id) <= _LONGEST:
        return None
    return _wrong(
        "id",
        f"{_shown(pipeline_id)} can't be the id of a pipeline.",
        f"Use text without slashes, control characters and outer blanks, at most {_LONGEST} characters; or leave the id out: "
        "a UUID is made.",
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST else f"{text[:60]}…")


def _wrong(key: str, message: str, remedy: str = "") -> Problem:
    return Problem(code="pipeline.field_wrong", message=message, remedy=remedy, pointer=f"/{key}")
