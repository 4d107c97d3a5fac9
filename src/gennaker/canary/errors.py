"""Errors of the canary room: why a judgement, a mixing or a plan is impossible.

    CanaryError                  whatever makes the room give up; `problem` is the same as a value
    ├── InvalidConfig            the canary config can't be judged by (wrong type, missing part)
    │   ├── UnknownJudge         the config asks for a judge that isn't here
    │   └── MetricNotConfigured  a metric set pair whose metric the config doesn't name
    ├── InvalidSamples           a metric set pair can't be read
    ├── InvalidThresholds        the score thresholds can't be read
    ├── InvalidScore             weights give a score that is no number
    ├── MixingImpossible         metric sets of control and experiment don't fit together
    └── InvalidPlan              no judgement intervals follow from the stage's settings

Every one is a user's to mend, so each says in a sentence what is wrong and where; none is raised for our own bugs.
"""

from gennaker.model.problems import Problem


class CanaryError(Exception):
    """Judging, mixing or planning is impossible, for the reason that the sentence gives."""

    code = "canary.impossible"

    def __init__(self, message: str, *, pointer: str = "") -> None:
        """The pointer is a JSON pointer into the document that was given; empty means all of it."""
        super().__init__(message)
        self.message = message
        self.pointer = pointer

    @property
    def problem(self) -> Problem:
        """The error as a value, for answers and stored results."""
        return Problem(code=self.code, message=self.message, pointer=self.pointer)

    def __str__(self) -> str:
        """The sentence, with the place where there is one."""
        return str(self.problem)


class InvalidConfig(CanaryError):
    """The canary config lacks something the judge needs or holds a value of a wrong type."""

    code = "canary.invalid_config"


class UnknownJudge(InvalidConfig):
    """The canary config names a judge that this server doesn't have."""

    code = "canary.unknown_judge"


class MetricNotConfigured(InvalidConfig):
    """A metric set pair bears a name that no metric of the config has."""

    code = "canary.metric_not_configured"


class InvalidSamples(CanaryError):
    """A metric set pair isn't of the form the judge reads."""

    code = "canary.invalid_samples"


class InvalidThresholds(CanaryError):
    """The score thresholds are missing or aren't numbers."""

    code = "canary.invalid_thresholds"


class InvalidScore(CanaryError):
    """The group weights lead to a total that is no finite number."""

    code = "canary.invalid_score"


class MixingImpossible(CanaryError):
    """Metric sets of the two sides can't be put together into pairs."""

    code = "canary.mixing_impossible"


class InvalidPlan(CanaryError):
    """The stage's canary settings give no judgement intervals."""

    code = "canary.invalid_plan"
