"""Identity: on whose behalf a stage runs.

Orca's rule: the person who answered the nearest manual judgment before the stage, if that judgment says
`propagateAuthenticationContext`, was to continue and wasn't skipped; otherwise the execution's user.
"""

from gennaker.engine import lookup
from gennaker.engine.rules import type_name
from gennaker.model.execution import Execution, LastModified, Stage
from gennaker.model.statuses import Status


def user_of(execution: Execution, stage: Stage) -> str:
    """The user whose rights and name the stage has."""
    judge = _judge(execution, stage)
    return execution.head.authentication.user if judge is None else judge.user


def roles_of(execution: Execution, stage: Stage) -> frozenset[str]:
    """That user's roles, as they were when the judgment was given or the execution started."""
    judge = _judge(execution, stage)
    return frozenset(execution.head.roles) if judge is None else judge.roles


def _judge(execution: Execution, stage: Stage) -> LastModified | None:
    for one in lookup.ancestors(execution, stage):
        if _passes_on(one) and one.last_modified is not None:
            return one.last_modified
    return None


def _passes_on(stage: Stage) -> bool:
    if type_name(stage) != "manualJudgment" or stage.status is Status.SKIPPED:
        return False
    judged = str(stage.context.get("judgmentStatus") or "").lower()
    return judged == "continue" and stage.context.get("propagateAuthenticationContext") is True
