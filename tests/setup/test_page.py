"""What `setup/page.py` and the package's build do with the page, with an npm that pretends: each thing once; a failure fails."""

import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

NPM = """#!/bin/sh
echo "$@" >> {asked}
case "$*" in
    ci*) rm -rf node_modules; mkdir node_modules;;
    *build) mkdir -p ../src/gennaker/web/static; echo > ../src/gennaker/web/static/index.html;;
esac
[ ! -e {broken} ] || exit 3
"""


@dataclass(frozen=True, kw_only=True)
class Page:
    """A checkout, and a machine whose npm writes down what it is asked for."""

    checkout: Path
    machine: Path

    def run(self, *task: str) -> subprocess.CompletedProcess[str]:
        return self._run([sys.executable, str(self.checkout / "setup" / "page.py"), *task])

    def build(self, *words: str, source: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """The package, as pip builds it: a wheel if nothing else is said."""
        uv = str(Path(sys.executable).parent / "uv")
        command = [uv, "build", "--no-build-isolation", "--python", sys.executable, *(words or ("--wheel",))]
        return self._run([*command, "--out-dir", str(self.dist), str(source or self.checkout)], **variables)

    @property
    def dist(self) -> Path:
        return self.machine / "dist"

    def _run(self, command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.machine}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": path, **variables},
            timeout=900,
        )

    def asked(self) -> list[str]:
        """What npm was asked for since the last time, without the options of `ci`."""
        file = self.machine / "asked"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [line.split(" --no-audit", maxsplit=1)[0].replace("run --silent ", "") for line in lines]

    def breaks(self) -> None:
        (self.machine / "broken").touch()


@pytest.fixture
def page(checkout: Path, tmp_path: Path) -> Page:
    machine = tmp_path / "machine"
    machine.mkdir()
    for name, body in (
        ("npm", NPM.format(asked=machine / "asked", broken=machine / "broken")),
        ("node", "#!/bin/sh\necho v22.0.0\n"),
    ):
        (machine / name).write_text(body)
        (machine / name).chmod(0o755)
    (checkout / ".venv").mkdir()
    return Page(checkout=checkout, machine=machine)


def test_everything_is_installed_and_built_once(page: Page) -> None:
    assert [page.run(*task).returncode for task in ((), ("check",), ("test",))] == [0, 0, 0]
    assert page.asked() == ["ci", "build", "check", "test"]

    assert [page.run(*task).returncode for task in ((), ("check",), ("test",))] == [0, 0, 0]
    assert page.asked() == ["check", "test"]


def test_a_changed_source_is_built_with_the_packages_that_are_there(page: Page) -> None:
    page.run()
    page.asked()
    (page.checkout / "ui" / "src" / "fresh.ts").write_text("export {}\n")

    page.run()

    assert page.asked() == ["build"]


@pytest.mark.parametrize("task", [(), ("check",)])
def test_other_packages_are_installed_anew(page: Page, task: tuple[str, ...]) -> None:
    page.run()
    page.asked()
    with (page.checkout / "ui" / "package-lock.json").open("a") as lock:
        lock.write("\n")

    page.run(*task)

    assert page.asked() == ["ci", task[0] if task else "build"]


def test_packages_that_are_gone_are_installed_again(page: Page) -> None:
    page.run()
    page.asked()
    shutil.rmtree(page.checkout / "ui" / "node_modules")

    page.run("check")

    assert page.asked() == ["ci", "check"]


@pytest.mark.parametrize("task", ["check", "test"])
def test_a_failing_task_fails(page: Page, task: str) -> None:
    page.run()
    page.breaks()

    failed = page.run(task)

    assert failed.returncode == 1
    assert f"The page's {task} failed" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_what_failed_half_way_is_done_again(page: Page) -> None:
    page.breaks()
    assert page.run().returncode == 1
    (page.machine / "broken").unlink()
    page.asked()

    assert page.run().returncode == 0

    assert page.asked() == ["ci", "build"]


def test_another_task_is_refused(page: Page) -> None:
    refused = page.run("deploy")

    assert (refused.returncode, refused.stderr) == (2, "usage: page.py [check|test]\n")


def wheel_s_names(page: Page) -> set[str]:
    (wheel,) = page.dist.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


INDEX = "gennaker/web/static/index.html"


@pytest.mark.slow
def test_a_wheel_from_a_fresh_clone_has_the_page_which_is_built_once(page: Page) -> None:
    first = page.build()
    asked = page.asked()
    second = page.build()

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert (asked, page.asked()) == (["ci", "build"], [])
    assert INDEX in wheel_s_names(page)


@pytest.mark.slow
def test_a_source_distribution_brings_the_page_and_needs_no_npm(page: Page) -> None:
    assert page.build("--sdist").returncode == 0
    page.asked()
    page.breaks()
    (source,) = page.dist.glob("*.tar.gz")

    done = page.build("--wheel", source=source)

    assert done.returncode == 0, done.stderr
    assert page.asked() == []
    assert INDEX in wheel_s_names(page)


@pytest.mark.slow
def test_a_package_whose_page_can_not_be_built_is_refused_with_what_to_do(page: Page) -> None:
    page.breaks()

    failed = page.build()

    assert failed.returncode != 0
    assert "Gennaker was not built, because its page could not be" in failed.stderr
    assert "set GENNAKER_WITHOUT_PAGE=1" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not list(page.dist.glob("*.whl"))


@pytest.mark.slow
def test_a_package_without_the_page_is_built_where_that_is_asked_for(page: Page) -> None:
    done = page.build(GENNAKER_WITHOUT_PAGE="1")

    assert done.returncode == 0, done.stderr
    assert page.asked() == []
    assert "gennaker/web/page.py" in wheel_s_names(page)
    assert INDEX not in wheel_s_names(page)


@pytest.mark.parametrize(("command", "task"), [("check", "check"), ("test", "test")])
def test_make_fails_with_the_page(checkout: Path, command: str, task: str) -> None:
    """Everything else pretends to be fine."""
    programs = checkout / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("ruff", "mypy", "lint-imports", "pytest"):
        (programs / name).write_text("#!/bin/sh\n")
    (programs / "python").write_text(f'#!/bin/sh\n[ "$*" != "setup/page.py {task}" ]\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    (checkout / "setup" / "machine.sh").write_text("#!/bin/sh\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    words = ["make", f"PYTHON={programs / 'python'}", command]

    failed = subprocess.run(
        words, check=False, cwd=checkout, env=environment, capture_output=True, text=True, timeout=900
    )
    (programs / "python").write_text("#!/bin/sh\n")
    passed = subprocess.run(
        words, check=False, cwd=checkout, env=environment, capture_output=True, text=True, timeout=900
    )

    assert failed.returncode != 0
    assert (passed.returncode, passed.stderr) == (0, "")
