"""Dockerfiles as text: lines, comments, continuation, flags, here-documents → instructions grouped into stages.

Finds everything that is wrong with the text itself, all at once and with line numbers; what the words mean (variables,
files) is building.py's. Reference: docs.docker.com/reference/dockerfile.
"""

import re
from collections.abc import Iterator

import msgspec

from gennaker.model import codec
from gennaker.model.problems import Problem
from gennaker.transport.images import words

# fmt: off
KNOWN = frozenset({
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "RUN",
    "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
})
# fmt: on
_JSON_FORM = frozenset({"ADD", "CMD", "COPY", "ENTRYPOINT", "SHELL", "VOLUME"})
_FLAGS = {
    "FROM": frozenset({"platform"}),
    "COPY": frozenset({"from", "chown", "chmod", "link"}),
    "ADD": frozenset({"chown", "chmod", "link"}),
    "HEALTHCHECK": frozenset({"interval", "timeout", "start-period", "start-interval", "retries"}),
}
_DIRECTIVE = re.compile(r"#\s*([A-Za-z]+)\s*=\s*(.+)")
_HERE_DOCUMENT = re.compile(r"(?<![<\w])<<-?\s*([\"']?)([A-Za-z_][A-Za-z0-9_]*)\1")
_STAGE_NAME = re.compile(r"[a-z][a-z0-9_.-]*\Z", re.IGNORECASE)


class Instruction(msgspec.Struct, frozen=True, kw_only=True):
    """One instruction."""

    line: int
    """1-based, where it begins."""
    name: str
    """In capitals."""
    flags: dict[str, str] = {}
    """`--from=x` as `{"from": "x"}`; a flag without a value has an empty one."""
    rest: str
    """What follows name and flags, lines joined."""
    items: tuple[str, ...] | None = None
    """The elements of the JSON form; None: written as words."""

    @property
    def text(self) -> str:
        """As it is shown in the image's history."""
        flags = "".join(f" --{key}={value}" if value else f" --{key}" for key, value in self.flags.items())
        return f"{self.name}{flags} {self.rest}"


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One FROM with what follows it."""

    line: int
    base: str
    """As written: variables of ARGs before the first FROM not yet put in."""
    name: str
    """After AS, or empty."""
    platform: str = ""
    instructions: tuple[Instruction, ...] = ()


class Dockerfile(msgspec.Struct, frozen=True, kw_only=True):
    """A Dockerfile and what is wrong with its text."""

    arguments: tuple[Instruction, ...]
    """ARGs before the first FROM: for FROM lines, and defaults of the stages' own ARGs."""
    stages: tuple[Stage, ...]
    escape: str = "\\"
    problems: tuple[Problem, ...] = ()


class _Line(msgspec.Struct, frozen=True):
    number: int
    text: str


def problem(line: int, message: str, remedy: str = "", *, code: str = "dockerfile.invalid") -> Problem:
    """What is wrong at a line."""
    return Problem(code=code, message=f"Dockerfile line {line}: {message}", remedy=remedy, details={"line": line})


def parse(text: str) -> Dockerfile:
    """Reads a Dockerfile; never raises, what is wrong is in `problems`."""
    escape = _escape(text)
    problems: list[Problem] = []
    instructions = [
        instruction
        for line in _joined(text.removeprefix("\ufeff").splitlines(), escape, problems)
        if (instruction := _instruction(line, problems)) is not None
    ]
    arguments, stages = _grouped(instructions, problems)
    if not stages and not problems:
        problems.append(problem(1, "there is no FROM.", "Begin with FROM and the image to build on, or FROM scratch."))
    problems.sort(key=line_of)
    return Dockerfile(arguments=tuple(arguments), stages=tuple(stages), escape=escape, problems=tuple(problems))


def line_of(found: Problem) -> int:
    """The line that a problem of this module is about, for sorting."""
    line = found.details.get("line", 0)
    return line if isinstance(line, int) else 0


def _escape(text: str) -> str:
    for line in text.splitlines():
        directive = _DIRECTIVE.match(line.strip())
        if directive is None:
            break
        if directive.group(1).lower() == "escape" and directive.group(2) in ("\\", "`"):
            return directive.group(2)
    return "\\"


def _joined(lines: list[str], escape: str, problems: list[Problem]) -> Iterator[_Line]:
    """Instructions as one line each, without comments; here-documents are skipped and reported where they can't be used."""
    at = 0
    while at < len(lines):
        start = at
        if not lines[at].strip() or lines[at].lstrip().startswith("#"):
            at += 1
            continue
        text = ""
        while at < len(lines):
            part = lines[at]
            at += 1
            if text and (not part.strip() or part.lstrip().startswith("#")):
                continue
            stripped = part.rstrip()
            text += stripped[:-1] if stripped.endswith(escape) else part
            if not stripped.endswith(escape):
                break
        at = _after_here_documents(lines, at, _Line(start + 1, text), problems)
        yield _Line(start + 1, text.strip())


def _after_here_documents(lines: list[str], at: int, line: _Line, problems: list[Problem]) -> int:
    name = line.text.split(maxsplit=1)[0].upper() if line.text.split() else ""
    if name not in ("RUN", "COPY", "ADD"):
        return at
    found = _HERE_DOCUMENT.findall(line.text)
    if found and name != "RUN":
        problems.append(
            problem(line.number, f"{name} with a here-document (<<) is not supported.", "Put the text into a file.")
        )
    for _, mark in found:
        end = next((index for index in range(at, len(lines)) if lines[index].strip() == mark), None)
        if end is None:
            problems.append(problem(line.number, f"the here-document {mark} has no end."))
            return len(lines)
        at = end + 1
    return at


def _instruction(line: _Line, problems: list[Problem]) -> Instruction | None:
    first, *others = line.text.split(maxsplit=1) or ["\\"]
    name, rest = first.upper(), "".join(others)
    if name not in KNOWN:
        problems.append(
            problem(
                line.number, f"{name[:40]!r} is no instruction.", "Look for a typing error or a missing \\ before it."
            )
        )
        return None
    flags, rest = _flags(rest.strip())
    unknown = [flag for flag in flags if flag not in _FLAGS.get(name, frozenset())]
    if unknown and name != "RUN":
        listed = ", ".join(f"--{flag}" for flag in unknown)
        problems.append(
            problem(line.number, f"{name} doesn't take {listed} here.", "Remove it or write it another way.")
        )
    if not rest:
        problems.append(problem(line.number, f"{name} needs an argument."))
        return None
    items = _json_items(rest) if name in _JSON_FORM else None
    return Instruction(line=line.number, name=name, flags=flags, rest=rest, items=items)


def _flags(rest: str) -> tuple[dict[str, str], str]:
    flags: dict[str, str] = {}
    while rest.startswith("--"):
        flag, _, rest = rest.partition(" ")
        key, _, value = flag.removeprefix("--").partition("=")
        flags[key] = value
        rest = rest.lstrip()
    return flags, rest


def _json_items(rest: str) -> tuple[str, ...] | None:
    """The list, or None where this isn't JSON: Docker then takes the text as words, as do we."""
    if not rest.startswith("["):
        return None
    try:
        return codec.decode(rest, tuple[str, ...])
    except msgspec.MsgspecError:
        return None


def _grouped(instructions: list[Instruction], problems: list[Problem]) -> tuple[list[Instruction], list[Stage]]:
    arguments: list[Instruction] = []
    stages: list[Stage] = []
    for instruction in instructions:
        if instruction.name == "FROM":
            stages.append(_stage(instruction, stages, problems))
        elif stages:
            last = stages[-1]
            stages[-1] = msgspec.structs.replace(last, instructions=(*last.instructions, instruction))
        elif instruction.name == "ARG":
            arguments.append(instruction)
        else:
            problems.append(problem(instruction.line, f"{instruction.name} stands before the first FROM."))
    return arguments, stages


def _stage(instruction: Instruction, earlier: list[Stage], problems: list[Problem]) -> Stage:
    parts = instruction.rest.split()
    name = ""
    if len(parts) == 3 and parts[1].upper() == "AS":
        name = parts[2].lower()
        if not _STAGE_NAME.match(name):
            problems.append(problem(instruction.line, f"{name!r} is no name for a stage."))
        if any(stage.name == name for stage in earlier):
            problems.append(problem(instruction.line, f"there is a stage {name!r} already."))
    elif len(parts) != 1:
        problems.append(problem(instruction.line, "FROM takes an image and, if wanted, AS and a name."))
    platform = instruction.flags.get("platform", "")
    return Stage(line=instruction.line, base=parts[0], name=name, platform=platform)


def assignments(instruction: Instruction, escape: str) -> tuple[tuple[str, str], ...]:
    """The pairs of ENV, LABEL and ARG, values unexpanded (an ARG without a value has an empty one and no `=`).

    Raises words.WordRefused.
    """
    found = words.split_quoted(instruction.rest, escape)
    if found and "=" not in found[0] and instruction.name != "ARG":
        # The old form: ENV name the rest is the value
        name, _, value = instruction.rest.partition(" ")
        if not value.strip():
            raise words.WordRefused(f"{name} has no value")
        return ((name, value.strip()),)
    for word in found:
        if word.startswith("=") or ("=" not in word and instruction.name != "ARG"):
            raise words.WordRefused(f"{word!r} is no name=value")
    return tuple((name, value) for name, _, value in (word.partition("=") for word in found))
