"""Sight: the engine's look-up, artifacts, identity and expressions of one stage, as stage types are given them."""

from collections.abc import Iterator
from datetime import datetime

from gennaker.engine import evaluating, identity, lookup
from gennaker.interfaces.stages import Evaluation
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution, Stage


class StageSight:
    """What one stage sees, at one moment."""

    def __init__(self, execution: Execution, stage: Stage, *, at: datetime) -> None:
        """`at` is the time that expressions may ask for."""
        self._execution = execution
        self._stage = stage
        self._at = at

    @property
    def user(self) -> str:
        """On whose behalf the stage runs."""
        return identity.user_of(self._execution, self._stage)

    @property
    def roles(self) -> frozenset[str]:
        """That user's."""
        return identity.roles_of(self._execution, self._stage)

    def ancestors(self) -> Iterator[Stage]:
        """Nearest first."""
        return lookup.ancestors(self._execution, self._stage)

    def artifacts(self) -> list[JsonObject]:
        """By nearness."""
        return lookup.artifacts(self._execution, self._stage)

    def bound_artifact(self, expected_id: str) -> JsonObject | None:
        """By nearness. A default artifact is evaluated as the stage's own context would be; one from outside never is."""
        found = lookup.bound_artifact(self._execution, self._stage, expected_id)
        if found is None or not lookup.is_default_bound(self._execution, self._stage, expected_id):
            return found
        value = evaluating.value_of(self._execution, self._stage, found, at=self._at)
        return value if isinstance(value, dict) else found

    def evaluate(self, value: Json) -> Evaluation:
        """As the stage's own context would be."""
        return evaluating.evaluation_of(self._execution, self._stage, value, at=self._at)

    def outputs_of(self, execution: Execution) -> JsonObject:
        """Merged in topological order."""
        return lookup.execution_context(execution)

    def artifacts_of(self, execution: Execution, *, without_ref_id: str = "") -> list[JsonObject]:
        """Latest stages first."""
        return lookup.artifacts_of_run(execution, without_ref_id=without_ref_id)
