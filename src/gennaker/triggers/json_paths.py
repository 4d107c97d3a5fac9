"""JSONPaths that people wrote, for documents that others send: bounded as the rest of their patterns are.

The library's own regular expressions (`=~`, `search`, `match`) are Python's, which hold every thread for hours over
`(a+)+$` and a text of 40 letters: here they are Java's, within their bounds, which is also what Spinnaker's are.

Nor does a path multiply: `..` may stand in it twice, and once in a filter, and following it ends after so many steps. A step is a
value that is come to, descended into, or compared, whether it is found in the end or not.
"""

from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import TypeAlias, cast

import jsonpath
from jsonpath.filter import BaseExpression, FilterQuery, RegexLiteral
from jsonpath.function_extensions import ExpressionType, FilterFunction
from jsonpath.match import JSONPathMatch
from jsonpath.parse import Parser
from jsonpath.segments import JSONPathChildSegment, JSONPathRecursiveDescentSegment, JSONPathSegment
from jsonpath.selectors import Filter
from jsonpath.stream import TokenStream
from jsonpath.token import TOKEN_RE_FLAGS

from gennaker.model.codec import Json
from gennaker.patterns import java
from gennaker.patterns.errors import PatternError

Query: TypeAlias = jsonpath.JSONPath | jsonpath.CompoundJSONPath
_LONGEST = 1_000
_DESCENTS, _DESCENTS_IN_FILTER = 2, 1
_STEPS = 200_000
"""About a second at most, during which nothing else is served: enough for `$..name` in a document of 100,000 lists and maps."""
_BROKEN = (jsonpath.JSONPathError, PatternError, RecursionError, ValueError, OverflowError)
"""Of long numbers and deep nesting the library says it by Python's own."""


class NoPath(Exception):
    """It is no JSONPath, or can't be followed in this document."""


def compiled(path: str) -> Query:
    """Reads a path. Raises NoPath."""
    if len(path) > _LONGEST:
        raise NoPath(f"it has {len(path)} characters; {_LONGEST} are allowed")
    try:
        query = _ENVIRONMENT.compile(path)
        _check_descents(query)
    except _BROKEN as error:
        raise NoPath(_said(error)) from error
    return query


def found(query: Query, document: Json) -> list[Json]:
    """All that is at a path. Raises NoPath, also where that takes too many steps."""
    before = _left.set([_STEPS])
    try:
        return cast("list[Json]", _values(query, cast("dict[str, object]", document)))  # the library knows object only
    except _BROKEN as error:
        raise NoPath(_said(error)) from error
    finally:
        _left.reset(before)


def is_of_one(query: Query) -> bool:
    """Whether it leads to one place at most."""
    return isinstance(query, jsonpath.JSONPath) and query.singular_query()


def _values(query: Query, document: dict[str, object]) -> list[object]:
    if isinstance(query, jsonpath.JSONPath):
        return query.findall(document)
    values = _values(query.path, document)
    for sign, path in query.paths:
        others = path.findall(document)
        if sign == _ENVIRONMENT.union_token:
            values += others
        else:
            _step(len(values) * len(others))
            values = [one for one in values if one in others]
    return values


_left: ContextVar[list[int]] = ContextVar("steps left")


def _step(steps: int = 1) -> None:
    left = _left.get()
    left[0] -= steps
    if left[0] < 0:
        raise NoPath(f"following it takes more than {_STEPS} steps in this document")


def _check_descents(query: Query) -> None:
    in_all = _descents(query)
    if in_all > _DESCENTS:
        raise NoPath(f"it descends (`..`) {in_all} times; {_DESCENTS} are allowed")
    deepest = max((_descents(one.path) for one in _queries(query)), default=0)
    if deepest > _DESCENTS_IN_FILTER:
        raise NoPath(f"it descends (`..`) {deepest} times in a filter; {_DESCENTS_IN_FILTER} is allowed")


def _descents(query: Query) -> int:
    own = sum(isinstance(segment, _Descent) for path in _parts(query) for segment in path.segments)
    return own + sum(_descents(one.path) for one in _queries(query))


def _queries(query: Query) -> Iterator[FilterQuery]:
    """Those that stand in its filters; what stands in the filters of these belongs to them."""
    for path in _parts(query):
        for segment in path.segments:
            for selector in segment.selectors:
                if isinstance(selector, Filter):
                    yield from _outermost(selector.expression)


def _outermost(expression: BaseExpression) -> Iterator[FilterQuery]:
    if isinstance(expression, FilterQuery):
        yield expression
    else:
        for child in expression.children():
            yield from _outermost(child)


def _parts(query: Query) -> tuple[jsonpath.JSONPath, ...]:
    if isinstance(query, jsonpath.JSONPath):
        return (query,)
    return (*_parts(query.path), *(path for _, path in query.paths))


def _said(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error).partition("\n")[0]


class _Matching(FilterFunction):
    """The standard functions `match` and `search`."""

    arg_types = [ExpressionType.VALUE, ExpressionType.VALUE]  # noqa: RUF012 - the library's
    return_type = ExpressionType.LOGICAL

    def __init__(self, *, is_whole: bool) -> None:
        self._is_whole = is_whole

    def __call__(self, value: object, pattern: object) -> bool:
        """Whether it matches; what is no pattern matches nothing (RFC 9535, 2.4.6)."""
        if not isinstance(value, str) or not isinstance(pattern, str):
            return False
        try:
            known = java.compiled(pattern)
            return known.fits(value) if self._is_whole else next(known.finds(value), None) is not None
        except PatternError:
            return False


class _Written:
    """A pattern between slashes, as the library asks it."""

    def __init__(self, pattern: str, flags: str) -> None:
        self.pattern, self.flags = pattern, 0
        self._known = java.compiled(f"(?{flags}){pattern}" if flags else pattern)

    def fullmatch(self, text: str) -> bool:
        """Whether the whole text matches. Raises PatternError where that can't be found out."""
        return self._known.fits(text)


class _Child(JSONPathChildSegment):
    def resolve(self, nodes: Iterable[JSONPathMatch]) -> Iterable[JSONPathMatch]:
        """As the library's, in steps."""
        for node in nodes:
            _step()
            for found in super().resolve((node,)):
                _step()
                yield found


class _Descent(JSONPathRecursiveDescentSegment):
    def resolve(self, nodes: Iterable[JSONPathMatch]) -> Iterable[JSONPathMatch]:
        """As the library's, in steps."""
        for found in super().resolve(nodes):
            _step()
            yield found

    def _visit(self, node: JSONPathMatch, depth: int = 1) -> Iterable[JSONPathMatch]:
        _step()
        return super()._visit(node, depth)


class _Parser(Parser):
    def parse_query(self, stream: TokenStream) -> Iterable[JSONPathSegment]:
        """As the library's, with our segments."""
        for one in super().parse_query(stream):
            kind = _Descent if isinstance(one, JSONPathRecursiveDescentSegment) else _Child
            yield kind(env=one.env, token=one.token, selectors=one.selectors)

    def parse_regex(self, stream: TokenStream) -> BaseExpression:
        """As the library's, with our patterns."""
        pattern = stream.current().value
        flags = ""
        if stream.peek().kind == TOKEN_RE_FLAGS:
            stream.next()
            flags = "".join(sorted(set(stream.next().value) - {"a"}))  # ASCII is what Java's classes are
        return RegexLiteral(value=_Written(pattern, flags))  # type: ignore[arg-type]  # it asks for fullmatch only


class _Environment(jsonpath.JSONPathEnvironment):
    parser_class = _Parser

    def setup_function_extensions(self) -> None:
        """As the library's, with our patterns."""
        super().setup_function_extensions()
        self.function_extensions["match"] = _Matching(is_whole=True)
        self.function_extensions["search"] = _Matching(is_whole=False)

    def is_truthy(self, obj: object) -> bool:
        """As the library's; asked for each value that a filter looks at."""
        _step()
        return super().is_truthy(obj)

    def compare(self, left: object, operator: str, right: object) -> bool:
        """As the library's, in as many steps as there is to be looked through."""
        _step(sum(len(side) for side in (left, right) if isinstance(side, list | dict)))
        return super().compare(left, operator, right)


_ENVIRONMENT = _Environment()
