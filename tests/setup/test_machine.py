"""What `setup/machine.sh` says on machines that lack something, shown with programs that pretend."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "setup" / "machine.sh"
TOOLS = ("sh", "dirname", "grep", "sed", "env")
COMPLETE_PYTHON = 'case "$*" in *-V*) echo "Python 3.11.2";; esac'
BARE_PYTHON = 'case "$*" in *ensurepip*) exit 1;; esac'
OLD_PYTHON = 'case "$*" in -V) echo "Python 3.9.2";; *version_info*) exit 1;; esac'


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A PATH with little on it, and a copy of the script beside no `.venv`."""

    folder: Path

    def add(self, name: str, body: str) -> None:
        program = self.folder / "bin" / name
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.folder / "setup" / "machine.sh", *arguments],
            check=False,
            capture_output=True,
            text=True,
            env={"PATH": str(self.folder / "bin")},
            timeout=600,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    shutil.copytree(SCRIPT.parent, tmp_path / "setup", ignore=shutil.ignore_patterns("__pycache__"))
    made = Machine(folder=tmp_path)
    made.add("id", "echo 1000")
    made.add("git", ":")
    made.add("python3", COMPLETE_PYTHON)
    return made


def pretend_apt(machine: Machine, *, asked: Path) -> None:
    """An apt-get that writes down what it is asked for; installing completes Python."""
    bin_folder = machine.folder / "bin"
    machine.add("python3.complete", COMPLETE_PYTHON)
    machine.add("ln", f'exec {shutil.which("ln")} "$@"')
    machine.add("apt-get", f'echo "$@" >> {asked}; ln -sf {bin_folder}/python3.complete {bin_folder}/python3')
    machine.add("dpkg-query", "exit 1")


def test_a_complete_machine_is_passed_without_a_word(machine: Machine) -> None:
    done = machine.run()

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_older_python_is_refused_with_its_version_and_a_way_out(machine: Machine) -> None:
    machine.add("python3", OLD_PYTHON)

    refused = machine.run()

    assert refused.returncode == 1
    assert refused.stderr == (
        "Gennaker needs Python 3.11 or newer, but 'python3' is Python 3.9.2; "
        "name another: make PYTHON=/path/to/python3.11.\n"
    )


def test_an_ordinary_user_is_told_all_missing_packages_in_one_sentence(machine: Machine) -> None:
    machine.add("python3", BARE_PYTHON)
    (machine.folder / "bin" / "git").unlink()
    machine.add("apt-get", "exit 99")

    refused = machine.run()

    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr == (
        "Gennaker needs packages that this machine lacks: run 'sudo apt-get install python3-venv git', "
        "then the same command again.\n"
    )


def test_root_gets_missing_packages_installed(machine: Machine, tmp_path: Path) -> None:
    machine.add("python3", BARE_PYTHON)
    machine.add("id", "echo 0")
    asked = tmp_path / "asked"
    pretend_apt(machine, asked=asked)

    done = machine.run()

    assert (done.returncode, done.stderr) == (0, "")
    assert asked.read_text().splitlines() == ["update -qq", "install -y -qq --no-install-recommends python3-venv"]


def test_tests_ask_root_s_apt_for_every_listed_package(machine: Machine, tmp_path: Path) -> None:
    machine.add("id", "echo 0")
    asked = tmp_path / "asked"
    pretend_apt(machine, asked=asked)
    listed = [line.split()[0] for line in (SCRIPT.parent / "debian-packages.txt").read_text().splitlines()[1:]]

    done = machine.run("tests")

    assert (done.returncode, done.stderr) == (0, "")
    assert asked.read_text().splitlines()[1].split()[4:] == listed


def test_tests_ask_nothing_of_an_ordinary_user(machine: Machine) -> None:
    machine.add("apt-get", "exit 99")

    done = machine.run("tests")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_failing_installation_says_what_to_run(machine: Machine) -> None:
    machine.add("python3", BARE_PYTHON)
    machine.add("id", "echo 0")
    machine.add("apt-get", 'case "$1" in install) exit 100;; esac')

    failed = machine.run()

    assert failed.returncode == 1
    assert failed.stderr == ("apt-get could not install python3-venv: run 'apt-get install python3-venv' to see why.\n")
