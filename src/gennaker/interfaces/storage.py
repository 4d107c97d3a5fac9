"""Storage: what every port over the store may raise when its disk or database can't be used."""

from gennaker.model.problems import Problem


class StoreUnusable(Exception):
    """The store can't be used. What was committed before is untouched; what raised this was not committed.

    It isn't a `Refused`: nobody's request was wrong, and code that goes on after a refusal must not go on after this.
    """

    def __init__(self, problem: Problem) -> None:
        """The problem's code begins with `store.`."""
        super().__init__(str(problem))
        self.problem = problem
