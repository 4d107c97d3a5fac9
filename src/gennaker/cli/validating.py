"""`gennaker validate`: everything that is wrong with pipelines, templates and canary configs, each with line and column.

No server is asked. A template that pipelines among the files use is taken from the files too.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from gennaker.canary import lint
from gennaker.canary.findings import Severity
from gennaker.cli import documents, terminal
from gennaker.cli.documents import Document
from gennaker.cli.terminal import Form
from gennaker.engine import templates, validation
from gennaker.expressions import checking as checking_expressions
from gennaker.expressions.failures import Failure, Kind
from gennaker.interfaces.stages import StageType
from gennaker.model import foreign, pointers, template_references
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.problems import Problem, Refused
from gennaker.worker import checking

_UNKNOWN = ("stage.unknown_type", "stage.not_offered", "canary.lint.query_type")
"""What `--strict` refuses, which is else a warning: it may be that another installation knows the type."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong, or hardly meant."""

    file: str
    line: int
    column: int
    severity: Severity
    code: str
    message: str
    remedy: str = ""
    pointer: str = ""


class _Known(msgspec.Struct, frozen=True):
    """What documents may refer to."""

    types: Mapping[str, StageType]
    templates: Mapping[str, JsonObject]
    """By key: those among the files."""


def validate(files: Sequence[Path], types: Mapping[str, StageType], *, is_strict: bool, form: Form) -> int:
    """Prints all findings; 1 where one of them is an error."""
    findings = [_strictly(one) if is_strict else one for one in _all(files, types)]
    wrong = sum(one.severity is Severity.ERROR for one in findings)
    if form is Form.TABLE:
        for one in findings:
            terminal.say(_line(one))
        warned = sum(one.severity is Severity.WARNING for one in findings)
        terminal.say(f"{_counted(len(files), 'file')}: {_counted(wrong, 'error')}, {_counted(warned, 'warning')}.")
    else:
        terminal.show([to_json(one) for one in findings], form)
    return 1 if wrong else 0


def _all(files: Sequence[Path], types: Mapping[str, StageType]) -> list[Finding]:
    findings: list[Finding] = []
    read: list[Document] = []
    for file in files:
        try:
            read.append(documents.read(file))
        except Refused as refused:
            findings += [_unreadable(file, problem) for problem in refused.problems]
    known = _Known(types, {key: one for document in read for key, one in _templates(document.value)})
    for document in read:
        several = document.value if isinstance(document.value, list) else None
        for place, one in enumerate(several if several is not None else [document.value]):
            where = f"/{place}" if several is not None else ""
            findings += _of(document, one, where, known)
    order = {str(file): number for number, file in enumerate(files)}
    return sorted(findings, key=lambda one: (order[one.file], one.line, one.column))


def _of(document: Document, value: Json, where: str, known: _Known) -> Iterator[Finding]:
    if not isinstance(value, dict):
        yield _finding(document, Severity.ERROR, _no_kind(where))
    elif _is_template(value):
        yield from (_finding(document, Severity.ERROR, one, where) for one in templates.check(value))
        yield from _expressions(document, value, where)
    elif "stages" in value or templates.is_templated(value):
        yield from _pipeline(document, value, where, known)
        yield from _expressions(document, value, where)
    elif "metrics" in value or "classifier" in value:
        for found in lint.lint(value):
            severity = Severity.WARNING if found.problem.code in _UNKNOWN else found.severity
            yield _finding(document, severity, found.problem, where)
    else:
        yield _finding(document, Severity.ERROR, _no_kind(where))


def _pipeline(document: Document, config: JsonObject, where: str, known: _Known) -> Iterator[Finding]:
    problems, warnings = list(checking.nameless(config)), []
    if templates.is_templated(config):
        reference = templates.reference(config)
        template = known.templates.get(template_references.key_of(reference)) if isinstance(reference, str) else None
        if isinstance(reference, Problem):
            problems.append(reference)
        elif template is None:
            warnings.append(_no_template(reference))
        else:
            expanded = templates.expand(config, template)
            problems += expanded.problems
            found = validation.validate(expanded.config, known.types)
            # They tell of the pipeline that comes out, not of a place in this file.
            problems += [msgspec.structs.replace(one, pointer="/template") for one in found.problems]
            warnings += [msgspec.structs.replace(one, pointer="/template") for one in found.warnings]
    else:
        found = validation.validate(config, known.types)
        problems += found.problems
        warnings += found.warnings
    yield from (_finding(document, Severity.ERROR, one, where) for one in problems)
    yield from (_finding(document, Severity.WARNING, one, where) for one in warnings)


def _expressions(document: Document, value: Json, pointer: str) -> Iterator[Finding]:
    """Expressions that can't be evaluated whatever the execution holds."""
    if isinstance(value, dict):
        yield from _condition(document, value, pointer)
        for key, inner in value.items():
            yield from _expressions(document, inner, f"{pointer}/{pointers.escaped(key)}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _expressions(document, inner, f"{pointer}/{place}")
    elif isinstance(value, str) and "${" in value:
        for failure in checking_expressions.check(value):
            yield _finding(document, Severity.WARNING, _of_expression(failure, pointer))


def _templates(value: Json) -> Iterator[tuple[str, JsonObject]]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict) and _is_template(one) and isinstance(one.get("id"), str):
            yield template_references.key_of(f"spinnaker://{one['id']}"), one


def _is_template(value: JsonObject) -> bool:
    return isinstance(value.get("pipeline"), dict) and "schema" in value


def _strictly(one: Finding) -> Finding:
    return msgspec.structs.replace(one, severity=Severity.ERROR) if one.code in _UNKNOWN else one


def _finding(document: Document, severity: Severity, problem: Problem, where: str = "") -> Finding:
    pointer = where + problem.pointer
    place = document.at(pointer)
    return Finding(
        file=str(document.file),
        line=place.line,
        column=place.column,
        severity=severity,
        code=problem.code,
        message=problem.message,
        remedy=problem.remedy,
        pointer=pointer,
    )


def _unreadable(file: Path, problem: Problem) -> Finding:
    line, column = problem.details.get("line"), problem.details.get("column")
    why = problem.details.get("why")
    return Finding(
        file=str(file),
        line=line if isinstance(line, int) else 1,
        column=column if isinstance(column, int) else 1,
        severity=Severity.ERROR,
        code=problem.code,
        message=f"{why[:1].upper()}{why[1:]}." if isinstance(why, str) else problem.message,
        remedy=problem.remedy,
    )


def _line(one: Finding) -> str:
    """As compilers print it, so that editors can jump there."""
    at = f" (at {one.pointer})" if one.pointer else ""
    said = f"{one.message}{at} {one.remedy}".strip()
    return f"{one.file}:{one.line}:{one.column}: {one.severity}: {said} [{one.code}]"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _condition(document: Document, value: JsonObject, pointer: str) -> Iterator[Finding]:
    """The rule of a stage's `stageEnabled`, or a precondition: their expressions are written without `${}`."""
    if foreign.text_at(value, "type").lower() != "expression":
        return
    for holder, where in ((value, pointer), (foreign.mapping(value.get("context")), f"{pointer}/context")):
        written = foreign.text_at(holder, "expression")
        for failure in checking_expressions.check_bare(written) if written and "${" not in written else ():
            yield _finding(document, Severity.WARNING, _of_expression(failure, f"{where}/expression"))


def _of_expression(failure: Failure, pointer: str) -> Problem:
    what = "can't be used" if failure.kind is Kind.MUTATION else "would stay as text"
    message = f"An expression {what}: {failure.message.rstrip('.')}{failure.place}."
    return Problem(code=failure.code, message=message, remedy=failure.meant, pointer=pointer)


def _no_kind(where: str) -> Problem:
    return Problem(
        code="file.kind",
        message="This is neither a pipeline (`stages`), nor a pipeline template (`schema`, `pipeline`), "
        "nor a canary config (`metrics`).",
        remedy="Give one of them, or a list of them.",
        pointer=where,
    )


def _no_template(reference: str) -> Problem:
    return Problem(
        code="template.not_given",
        message=f"The template {reference} isn't among the files: what comes of it was not looked at.",
        remedy="Name the template's file as well.",
        pointer="/template/reference",
    )
