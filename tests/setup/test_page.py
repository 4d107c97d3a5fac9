"""What `setup/page.py` does with the page, shown with an npm that pretends: each thing once, and a failure is a failure."""

import os
import subprocess
import sys
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
        return subprocess.run(
            [sys.executable, self.checkout / "setup" / "page.py", *task],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": f"{self.machine}{os.pathsep}{os.environ['PATH']}"},
            timeout=60,
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
    subprocess.run(["rm", "-r", page.checkout / "ui" / "node_modules"], check=True)

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
        words, check=False, cwd=checkout, env=environment, capture_output=True, text=True, timeout=60
    )
    (programs / "python").write_text("#!/bin/sh\n")
    passed = subprocess.run(
        words, check=False, cwd=checkout, env=environment, capture_output=True, text=True, timeout=60
    )

    assert failed.returncode != 0
    assert (passed.returncode, passed.stderr) == (0, "")
