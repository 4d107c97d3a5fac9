"""Wait for condition: holds a deploy back while the operator's settings name its cluster.

`[conditions.NAME]` of the settings holds clusters back, for a freeze or while something is repaired. A stage that creates a
server group in such a cluster waits here first. A person lets one deploy go on by skipping the wait: `status` in the stage's
context becomes `SKIPPED`, as Deck sends it.
"""

from datetime import timedelta
from fnmatch import fnmatchcase

from gennaker.interfaces.stages import StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model import waiting
from gennaker.model.codec import Json
from gennaker.model.event import Again, Done, TaskResult

_LOOKS_AGAIN = timedelta(seconds=30)
_SKIPPED, _WAITING = "SKIPPED", "WAITING"


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    cluster: str
    account: str = ""
    region: str = ""
    status: str | None = None
    """`SKIPPED`: no longer wait."""


async def evaluate(context: TaskContext) -> TaskResult:
    """Done when no condition holds, or somebody has skipped the wait."""
    if str(context.stage.context.get("status") or "").upper() == _SKIPPED:
        return Done()
    holding = _holding(context)
    if not holding:
        return Done(context={"status": _SKIPPED, "conditions": []})
    listed: list[Json] = list(holding)
    return Again(
        after=_LOOKS_AGAIN,
        waiting_for=waiting.ForOther(reason=f"the conditions of the settings to pass: {', '.join(holding)}"),
        context={"status": _WAITING, "conditions": listed},
    )


def _holding(context: StageContext) -> list[str]:
    """The conditions that name the stage's cluster."""
    cluster, account = (str(context.lookup(key) or "") for key in ("cluster", "account"))
    return [
        f"{name} ({one.reason})" if one.reason else name
        for name, one in context.services.settings.conditions.items()
        if any(fnmatchcase(cluster, pattern) for pattern in one.clusters)
        and (not one.accounts or account in one.accounts)
    ]


stage = StageType(
    name="waitForCondition",
    label="Wait For Condition",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="waitForCondition", run=evaluate, timeout=timedelta(hours=2)),),
    restart_clears=("status", "conditions"),
)
