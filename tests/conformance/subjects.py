"""Subjects of the suites: what each is run on, and a finder of everything that should be.

A suite's module has a table `SUBJECTS`, from the name of a parameter to the class that it is run on; its fixture makes one
and holds it against the table. `implementations` finds the classes that offer a port by reading the sources: those that
have all its operations under the same names with the same parameters, their own or inherited ones.
"""

import ast
import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).parents[2]
_SOURCES = ("src/gennaker", "tests", "benchmarks")
Parameters = tuple[str, ...] | None
"""Of an operation; None: of an attribute, or of a property."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A class in the sources."""

    file: str
    """From the repository's root."""
    name: str
    """As `__qualname__` has it."""
    bases: tuple[str, ...]
    """Last parts of their names."""
    members: dict[str, Parameters]
    """Its own."""

    def __str__(self) -> str:
        return f"{self.file}:{self.name}"

    @property
    def is_protocol(self) -> bool:
        return "Protocol" in self.bases

    @property
    def is_of_a_test(self) -> bool:
        """Whether nobody but the tests of one file uses it."""
        return Path(self.file).name.startswith("test_")


def params(
    subjects: Mapping[str, object],
    *,
    debian: tuple[str, ...] = (),
    slow: tuple[str, ...] = (),
    root: tuple[str, ...] = (),
    go: tuple[str, ...] = (),
) -> list[object]:
    """Parameters of a suite's fixture; named are those that need Debian's packages, root or Go, and those that take their time."""
    marks = {"debian": debian, "slow": slow, "root": root, "go": go}
    unknown = {*debian, *slow, *root, *go} - set(subjects)
    assert not unknown, f"no subjects: {unknown}"
    return [
        pytest.param(name, marks=[getattr(pytest.mark, mark) for mark, names in marks.items() if name in names])
        for name in subjects
    ]


def found_as(subject: type) -> str:
    """How the finder calls a class."""
    return f"{Path(inspect.getfile(subject)).relative_to(ROOT)}:{subject.__qualname__}"


def ports() -> tuple[Found, ...]:
    """All protocols in the room of interfaces, the only one that is read for them: tests are named by them."""
    return tuple(one for one in _classes_in("src/gennaker/interfaces") if one.is_protocol)


def implementations(port: Found) -> tuple[Found, ...]:
    """Classes that offer the port, first those that write all its operations themselves."""
    wanted = _all_members(port)
    return tuple(one for one in _classes() if not one.is_protocol and _offers(_all_members(one), wanted))


def derived_from(one: Found) -> tuple[Found, ...]:
    """The classes that it is derived from, near and far."""
    near = [base for name in one.bases for base in _by_name().get(name, ()) if base is not one]
    return (*near, *(far for base in near for far in derived_from(base)))


def _offers(members: Mapping[str, Parameters], wanted: Mapping[str, Parameters]) -> bool:
    return all(name in members and members[name] == parameters for name, parameters in wanted.items())


def _all_members(one: Found) -> dict[str, Parameters]:
    inherited: dict[str, Parameters] = {}
    for base in reversed(derived_from(one)):
        inherited |= base.members
    found = {**inherited, **one.members}
    return {name: parameters for name, parameters in found.items() if not name.startswith("_")}


@cache
def _classes() -> tuple[Found, ...]:
    return tuple(one for source in _SOURCES for one in _classes_in(source))


def _classes_in(source: str) -> Iterator[Found]:
    for file in sorted((ROOT / source).rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        yield from _in(tree, str(file.relative_to(ROOT)), "")


@cache
def _by_name() -> dict[str, list[Found]]:
    found: dict[str, list[Found]] = {}
    for one in _classes():
        found.setdefault(one.name.rpartition(".")[2], []).append(one)
    return found


def _in(node: ast.AST, file: str, prefix: str) -> Iterator[Found]:
    for child in ast.iter_child_nodes(node):
        inner = prefix
        if isinstance(child, ast.ClassDef):
            inner = f"{prefix}{child.name}."
            bases = tuple(ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in child.bases)
            yield Found(file=file, name=prefix + child.name, bases=bases, members=_members(child))
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = f"{prefix}{child.name}.<locals>."
        yield from _in(child, file, inner)


def _members(node: ast.ClassDef) -> dict[str, Parameters]:
    found: dict[str, Parameters] = {}
    for child in ast.walk(node):
        match child:
            case ast.AnnAssign(target=ast.Attribute(value=ast.Name(id="self"), attr=name)):
                found[name] = None
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)]):
                found[name] = None
    for child in node.body:
        match child:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                found[child.name] = _parameters(child)
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                found[name] = None
    return found


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Parameters:
    if any(isinstance(mark, ast.Name) and mark.id == "property" for mark in function.decorator_list):
        return None
    given = function.args
    listed = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return tuple(one.arg.lstrip("_") for one in (*listed, given.vararg, given.kwarg) if one is not None)
