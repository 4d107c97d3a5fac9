"""Branch coverage of pipelines: which stages and outcomes of each the tests have reached.

A stage's branches are what its definition lets happen: that it runs to its end, that it fails, that its condition skips
it, that it is judged either way.
"""

from collections.abc import Iterator

import msgspec

from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.execution import Execution, Stage
from gennaker.model.statuses import Status

_UNFAILING = frozenset({"wait", "waitUntil", "noop"})
_WELL = frozenset({Status.SUCCEEDED, Status.FAILED_CONTINUE})
_BADLY = frozenset({Status.TERMINAL, Status.STOPPED, Status.FAILED_CONTINUE})


class Branch(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One thing that can happen in a pipeline."""

    pipeline: str
    stage: str
    outcome: str
    """`succeeds`, `fails`, `skipped`, `continue`, `stop`"""


class Coverage:
    """What tests have reached."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._all: dict[Branch, None] = {}
        self._reached: set[Branch] = set()

    def add(self, config: JsonObject, execution: Execution) -> None:
        """One run of a pipeline."""
        pipeline = str(config.get("name") or config.get("id") or "pipeline")
        self._all |= dict.fromkeys(_possible(pipeline, config))
        for stage in execution.top_level():
            for outcome in _outcomes(stage):
                branch = Branch(pipeline=pipeline, stage=stage.name, outcome=outcome)
                if branch in self._all:
                    self._reached.add(branch)

    @property
    def branches(self) -> tuple[Branch, ...]:
        """All of all pipelines that were run."""
        return tuple(self._all)

    @property
    def missed(self) -> tuple[Branch, ...]:
        """Those that no run has reached."""
        return tuple(one for one in self._all if one not in self._reached)

    @property
    def percent(self) -> float:
        """How much was reached."""
        return 100.0 * len(self._reached) / len(self._all) if self._all else 100.0

    def report(self) -> list[str]:
        """Lines for people: each pipeline, and what was missed."""
        lines: list[str] = []
        for pipeline in dict.fromkeys(one.pipeline for one in self._all):
            own = [one for one in self._all if one.pipeline == pipeline]
            missed = [one for one in own if one not in self._reached]
            lines.append(f"{pipeline}: {len(own) - len(missed)} of {len(own)} branches")
            lines += [f"  never: {one.stage} {one.outcome}" for one in missed]
        return lines


def _possible(pipeline: str, config: JsonObject) -> Iterator[Branch]:
    for stage in foreign.mappings(config.get("stages") or config.get("job")):
        name = str(stage.get("name") or stage.get("type") or stage.get("refId"))
        kind = stage.get("type")
        outcomes = ["continue", "stop"] if kind == "manualJudgment" else ["succeeds"]
        if kind != "manualJudgment" and kind not in _UNFAILING:
            outcomes.append("fails")
        if isinstance(stage.get("stageEnabled"), dict):
            outcomes.append("skipped")
        yield from (Branch(pipeline=pipeline, stage=name, outcome=one) for one in outcomes)


def _outcomes(stage: Stage) -> Iterator[str]:
    judged = str(stage.context.get("judgmentStatus") or "")
    if stage.type == "manualJudgment" and judged:
        yield judged
    if stage.status in _WELL and not stage.context.get("problems"):
        yield "succeeds"
    if stage.status in _BADLY and (stage.status is not Status.FAILED_CONTINUE or stage.context.get("problems")):
        yield "fails"
    if stage.status is Status.SKIPPED:
        yield "skipped"
