"""The house: rules of CONTRIBUTING.md that no linter knows, checked on the sources, the locks and the tests' layout."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gennaker.cli.main import DEMO_PACKAGES

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "gennaker"
SAMPLE = PACKAGE / "demo" / "sample"
LONGEST_FILE = 500
LONGER_FILES: dict[str, int] = {}
"""Files that may be longer, each with its length today: numbers and names may only go."""
NAMES_THAT_SAY_NOTHING = {"util", "utils", "helper", "helpers", "manager", "base", "common", "misc", "impl", "data"}
KINDS_OF_CHANGE = {"added", "changed", "fixed", "removed", "security"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def python_files(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if not path.is_relative_to(SAMPLE)]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


SOURCES = python_files("src")
ALL_FILES = python_files("src", "tests", "setup", "benchmarks")


def test_every_file_says_its_subject_in_its_first_line() -> None:
    silent = [
        named(path)
        for path in ALL_FILES
        if not re.match(r'(#!.*\n)?r?"""\S', path.read_text()) and named(path) != "src/gennaker/__main__.py"
    ]

    assert silent == []


def test_git_ignores_no_source() -> None:
    """An unanchored pattern such as `build/` once hid a whole plugin from Git, and with it from the wheel."""
    names = "\n".join(named(path) for path in SOURCES)
    asked = ["git", "check-ignore", "--no-index", "--stdin"]

    done = subprocess.run(asked, check=False, cwd=ROOT, input=names, capture_output=True, text=True, timeout=600)

    assert (done.returncode, done.stdout) == (1, ""), "1: none is ignored; 128: not a Git checkout"


_RUNS = {f"subprocess.{name}" for name in ("run", "check_call", "check_output")}
_WAITS = {"communicate", "join", "wait"}
_TOOLS = ("tests/mutation/",)
"""No tests: somebody sits before them."""


def test_nothing_that_tests_wait_for_can_hold_them_up_for_ever() -> None:
    """Another process or thread; what a loop waits for has its limit around it (tests/waiting.py)."""
    endless = [
        f"{named(path)}:{call.lineno}"
        for path in python_files("tests")
        if not named(path).startswith(_TOOLS)
        if any(word in path.read_text() for word in ("subprocess.", ".communicate()", ".join()", ".wait()"))
        for call in _own_calls(ast.parse(path.read_text()))
        if (ast.unparse(call.func) in _RUNS and "timeout" not in {given.arg for given in call.keywords})
        or (isinstance(call.func, ast.Attribute) and call.func.attr in _WAITS and not call.args and not call.keywords)
    ]

    assert endless == [], "give it a timeout, or wait by tests/waiting.py"


def _own_calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls whose result is used here: what is awaited, or handed on to be, isn't."""
    for node in ast.walk(tree):
        awaited = isinstance(node, ast.Await | ast.Call)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Call) and not awaited:
                yield child


def test_no_file_is_longer_than_it_may_be() -> None:
    lengths = {named(path): len(path.read_text().splitlines()) for path in ALL_FILES}

    too_long = {name: n for name, n in lengths.items() if n > LONGER_FILES.get(name, LONGEST_FILE)}

    assert too_long == {}


def test_exceptions_for_long_files_only_shrink() -> None:
    lengths = {named(path): len(path.read_text().splitlines()) for path in ALL_FILES}

    loose = {name: n for name, n in LONGER_FILES.items() if n <= LONGEST_FILE or lengths.get(name) != n}

    assert loose == {}, "lower the number to the file's length, or take the file out of the list"


def test_an_init_file_holds_a_docstring_only() -> None:
    fuller = [
        named(path)
        for path in SOURCES
        if path.name == "__init__.py"
        and not all(isinstance(node, ast.Expr) for node in ast.parse(path.read_text()).body)
    ]

    assert fuller == []


def test_every_folder_of_the_package_is_a_package() -> None:
    folders = {path.parent for path in SOURCES}

    assert [named(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_names_of_files_and_folders_say_something() -> None:
    empty = [
        named(path)
        for path in python_files("src", "tests")
        if NAMES_THAT_SAY_NOTHING.intersection([*path.relative_to(ROOT).parts[:-1], path.stem])
    ]

    assert empty == []


def test_rooms_are_imported_as_modules_from_the_top() -> None:
    """`from gennaker.room import module`, never from a room's own __init__ (which holds nothing)."""
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    stray = [
        f"{named(path)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "gennaker" and rooms & {n.name for n in node.names}
    ]

    assert stray == []


@pytest.mark.parametrize("comment", ["noqa", "type: ignore"])
def test_a_silenced_check_names_its_code_and_the_reason(comment: str) -> None:
    """`# noqa: CODE - reason`, `# type: ignore[code]  # reason`: on the line itself."""
    silenced = re.compile(rf"#\s*{comment}\b(?P<rest>.*)")
    complete = re.compile(r":\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*\s+\S.*\w" if comment == "noqa" else r"\[[a-z, -]+\]\s+\S.*\w")
    bare = [
        f"{named(path)}:{number}"
        for path in ALL_FILES
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (found := silenced.search(line)) and not complete.match(found["rest"])
    ]

    assert bare == []


def test_unit_tests_mirror_the_sources() -> None:
    mirror = ROOT / "tests" / "unit"
    orphans = [
        named(path)
        for path in sorted(mirror.rglob("test_*.py"))
        if path.parent != mirror and not _source_of(path.relative_to(mirror)).exists()
    ]

    assert orphans == []


def _source_of(test: Path) -> Path:
    """`canary/test_judge.py` tests `canary/judge.py`; a folder's own tests (`canary/test_canary.py`) the folder."""
    subject = test.name.removeprefix("test_").removesuffix(".py")
    if subject == test.parent.name:
        return PACKAGE / test.parent
    return PACKAGE / test.parent / f"{subject}.py"


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    dependencies = [dependency for _, group in _groups() for dependency in group]

    bare = [one for one in dependencies if not re.search(rf'"{re.escape(one)}",\s*# \w.*; .*\d', text)]

    assert dependencies
    assert bare == [], 'write: "name>=1",  # purpose; size; who keeps it'


def test_every_opt_out_of_lint_has_its_reason() -> None:
    lines = (ROOT / "pyproject.toml").read_text().split("[tool.ruff.lint]")[1].split("[tool.ruff.lint.flake8")[0]
    opt_outs = [line for line in lines.splitlines() if re.match(r'\s*"[^"]+"(,| = \[")', line)]

    assert opt_outs
    assert [line for line in opt_outs if "#" not in line] == []


def _groups() -> Iterator[tuple[str, list[str]]]:
    yield "runtime", PROJECT["project"]["dependencies"]
    yield from PROJECT["project"]["optional-dependencies"].items()


@pytest.mark.parametrize(
    ("level", "groups"),
    [("runtime", ["runtime"]), ("demo", ["runtime", "demo"]), ("dev", ["runtime", "demo", "temporal", "dev"])],
)
def test_a_lock_holds_what_the_project_asks_for(level: str, groups: list[str]) -> None:
    locked = _locked(level)
    asked = [Requirement(text) for name, group in _groups() if name in groups for text in group]

    unmet = [str(one) for one in asked if locked.get(canonicalize_name(one.name), "0") not in one.specifier]

    assert unmet == [], "run: make lock"


@pytest.mark.parametrize(("narrower", "wider"), [("runtime", "demo"), ("demo", "dev")])
def test_each_level_holds_the_ones_before_it(narrower: str, wider: str) -> None:
    assert _locked(narrower).items() <= _locked(wider).items()


def _locked(level: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{level}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9][a-z0-9-]*)==([^\s;]+)", text, re.MULTILINE))


def test_a_plain_installation_has_what_the_package_imports() -> None:
    """Also where it is imported late: what is built in works without an extra; the demo and a few places have their own.

    The pytest plugin needs pytest, which alone imports it.
    """
    extras = {PACKAGE / "worker" / "temporal": "temporal", PACKAGE / "plugins" / "kubernetes" / "questions.py": "cel"}
    optional = PROJECT["project"]["optional-dependencies"]
    brought = {place: {Requirement(text).name for text in optional[name]} for place, name in extras.items()}
    distributions = packages_distributions()
    installed = {level: _locked(level) for level in ("runtime", "demo")}

    missing = [
        f"{named(path)}: {name}"
        for path in SOURCES
        if path != PACKAGE / "testing" / "plugin.py"
        for name in _imported_from_others(path)
        if not any(
            canonicalize_name(distribution) in installed["demo" if path.is_relative_to(PACKAGE / "demo") else "runtime"]
            or any(
                path.is_relative_to(place) and canonicalize_name(distribution) in names
                for place, names in brought.items()
            )
            for distribution in distributions.get(name, ())
        )
    ]

    assert missing == []


def test_the_demo_asks_for_what_its_extra_brings() -> None:
    extra = {Requirement(text).name for text in PROJECT["project"]["optional-dependencies"]["demo"]}

    assert extra == set(DEMO_PACKAGES)


def _imported_from_others(path: Path) -> set[str]:
    """Top-level names of what a file imports, the standard library and ourselves apart."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
    return {module.partition(".")[0] for module in modules} - sys.stdlib_module_names - {"gennaker"}


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_a_lock_has_hashes_and_names_no_host(lock: Path) -> None:
    text = lock.read_text()
    entries = re.split(r"^(?=\S)", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE)[1:]

    assert entries
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert re.search(r"://|--(extra-)?index-url|--find-links", text) is None


def test_the_page_s_lock_names_no_host() -> None:
    """An install fetches from the registry that the machine is set to, if the lock has no `resolved`."""
    locks = list(ROOT.glob("ui/package-lock.json"))

    packages = [package for lock in locks for package in json.loads(lock.read_text())["packages"].items()]

    assert [name for name, package in packages if "resolved" in package and not package.get("link")] == []
    assert [name for name, package in packages if name and not package.get("link") and "integrity" not in package] == []


def test_every_room_has_its_place_in_the_contract() -> None:
    contract = PROJECT["tool"]["importlinter"]["contracts"][0]
    placed = {room.strip() for layer in contract["layers"] for room in layer.split("|")}
    rooms = {path.stem for path in PACKAGE.iterdir() if path.is_dir() or path.suffix == ".py"}

    assert rooms - {"__pycache__", "__init__", "__main__"} == placed


def test_pending_changes_have_a_kind() -> None:
    pending = [path.name for path in (ROOT / "changes").iterdir() if path.name != "README.md"]

    assert [name for name in pending if not re.fullmatch(rf"[a-z0-9-]+\.({'|'.join(KINDS_OF_CHANGE)})\.md", name)] == []
