"""JUnit XML: how many tests passed, failed and were skipped, and which failed.

Read as a stream, so that memory doesn't grow with the report; a document type is refused, with it all entities. There is
no one specification; what is read is common to pytest, Surefire, Gradle, Jest and go-junit-report: `testcase` elements
with `failure`, `error` or `skipped` inside. The totals that suites claim are not believed, but a report whose suites tell of
failures and whose cases don't, or whose totals are no numbers, is not what its tool meant to say, and is refused.
"""

from xml.parsers import expat

import msgspec

from gennaker.transport.reports.broken import BrokenReport

_MOST_FAILURES = 50
_MOST_CHARACTERS = 500
_DEEPEST = 100
_WHOLE = (True,)
"""Of `Parse`: nothing more will come."""


class FailedTest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A test that failed, or broke before it could fail."""

    name: str
    """`class.name`"""
    message: str = ""


class TestReport(msgspec.Struct, frozen=True, kw_only=True):
    """All tests of a report."""

    __test__ = False

    tests: int
    passed: int
    failed: int
    """Errors included."""
    skipped: int
    seconds: float
    failures: tuple[FailedTest, ...] = ()
    """At most 50."""


def read(content: bytes) -> TestReport:
    """Reads a report. Raises BrokenReport."""
    parser = expat.ParserCreate()
    reader = _Reader(parser)
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    try:
        parser.Parse(content, *_WHOLE)
    except expat.ExpatError as error:
        raise BrokenReport(f"it is not well-formed XML: {error}") from error
    except (LookupError, ValueError) as error:  # of the encoding that its first line names
        raise BrokenReport(f"its encoding can't be read ({error}); write UTF-8") from error
    return reader.report()


class _Reader:
    def __init__(self, parser: expat.XMLParserType) -> None:
        self._parser = parser
        self._depth = 0
        self._claimed = 0
        """The most failures that a suite tells of."""
        self._case: tuple[str, float] | None = None
        self._outcome = ""
        self._message = ""
        self._counts = {"passed": 0, "failed": 0, "skipped": 0}
        self._seconds = 0.0
        self._failures: list[FailedTest] = []

    def doctype(self, *_: object) -> None:
        raise BrokenReport("it declares a document type, which reports have no need of")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._depth == 0 and name not in {"testsuites", "testsuite"}:
            raise BrokenReport(f"its root is <{name[:50]}>, not <testsuites> or <testsuite>")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise BrokenReport(f"its elements are nested more than {_DEEPEST} deep")
        if name in {"testsuites", "testsuite"}:
            self._claimed = max(self._claimed, self._claims(name, attributes))
        elif name == "testcase":
            if self._case is not None:
                raise BrokenReport(f"the <testcase> in its line {self._line} is inside another one")
            names = (attributes.get("classname", ""), attributes.get("name", "") or "unnamed")
            self._case = (".".join(part for part in names if part), _seconds(attributes.get("time", "")))
            self._outcome = self._message = ""
        elif self._case is not None and name in {"failure", "error", "skipped"} and self._outcome != "failed":
            # One test may have both a failure and an error (its teardown): it counts once.
            self._outcome = "skipped" if name == "skipped" else "failed"
            self._message = attributes.get("message", "")

    @property
    def _line(self) -> int:
        return self._parser.CurrentLineNumber

    def _claims(self, name: str, attributes: dict[str, str]) -> int:
        """How many tests have failed, as a suite says."""
        for key in ("tests", "failures", "errors", "skipped"):
            said = attributes.get(key, "") or "0"
            if not (said.isascii() and said.isdigit()):
                raise BrokenReport(f"`{key}` of the <{name}> in its line {self._line} is no number: {said[:40]!r}")
        return sum(int((attributes.get(key, "") or "0")[-9:]) for key in ("failures", "errors"))

    def end(self, name: str) -> None:
        self._depth -= 1
        if name != "testcase" or self._case is None:
            return
        called, seconds = self._case
        self._case = None
        self._counts[self._outcome or "passed"] += 1
        self._seconds += seconds
        if self._outcome == "failed" and len(self._failures) < _MOST_FAILURES:
            self._failures.append(FailedTest(name=called[:_MOST_CHARACTERS], message=self._message[:_MOST_CHARACTERS]))

    def report(self) -> TestReport:
        if self._claimed and not self._counts["failed"]:
            raise BrokenReport(
                f"its suites tell of {self._claimed} failed tests, but none of its <testcase> has failed"
            )
        return TestReport(
            tests=sum(self._counts.values()),
            passed=self._counts["passed"],
            failed=self._counts["failed"],
            skipped=self._counts["skipped"],
            seconds=round(self._seconds, 3),
            failures=tuple(self._failures),
        )


def _seconds(text: str) -> float:
    """Some tools write `1,234.5`; what is no number is no time."""
    try:
        found = float(text.replace(",", ""))
    except ValueError:
        return 0.0
    return found if 0 <= found < 1e9 else 0.0  # NaN and infinities drop out too
