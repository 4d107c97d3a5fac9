"""Shadowing: what becomes of something that is to be started while its application is not cut over yet."""

import msgspec

from gennaker.interfaces.executions import Submission
from gennaker.model import foreign, needs
from gennaker.model.codec import JsonObject
from gennaker.model.execution import ExecutionKind
from gennaker.model.problems import Problem, Refused

SHADOW = "shadow"
"""Key of a trigger: nothing that its execution says leaves the house, notifications included."""


def kept_inside(submission: Submission) -> Submission:
    """The pipeline as a dry run. Raises Refused(409) for jobs that would change more than definitions."""
    if submission.kind is ExecutionKind.PIPELINE:
        trigger: JsonObject = {**submission.trigger, "dryRun": True, SHADOW: True}
        return msgspec.structs.replace(submission, trigger=trigger)
    jobs = foreign.mappings(submission.config.get("stages") or submission.config.get("job"))
    acting = [kind for one in jobs if needs.of_definitions(kind := needs.kind_of(one), one) is None]
    if acting:
        raise Refused(refusal(foreign.text_at(submission.config, "application"), ", ".join(acting)), status=409)
    return submission


def taken_out(submission: Submission) -> Submission:
    """Without what only the front itself may say: a run that says it is in shadow tells nobody anything."""
    if SHADOW not in submission.trigger:
        return submission
    trigger = {key: value for key, value in submission.trigger.items() if key != SHADOW}
    return msgspec.structs.replace(submission, trigger=trigger)


def refusal(application: str, what: str) -> Problem:
    """Nothing is done for it yet."""
    return Problem(
        code="application.in_shadow",
        message=f"The application {application} isn't cut over yet: {what} would change what runs of it, and was not done.",
        remedy=f"Spinnaker does it until `gennaker cut-over {application}` is recorded.",
    )
