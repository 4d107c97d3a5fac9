"""What the demo commits: the services of the sample pass the tests and checks that their build files run; what git refuses is said."""

import os
import shutil
import subprocess
import sys
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from gennaker.demo.repository import DemoRepository
from gennaker.model.problems import Refused

SECONDS = 60


def run(folder: Path, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env={"PATH": os.defpath, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    with as_file(files("gennaker.demo") / "sample") as sample:
        shutil.copytree(sample, tmp_path / "sample")
    for service in ("shop", "cart"):
        shutil.copytree(
            tmp_path / "sample" / "libs" / "storefront" / "storefront",
            tmp_path / "sample" / "services" / service / "vendor" / "storefront",
        )
    return tmp_path / "sample"


@pytest.mark.slow
@pytest.mark.parametrize("service", ["shop", "cart"])
def test_a_service_passes_its_own_tests_and_its_librarys(repository: Path, service: str) -> None:
    folder = repository / "services" / service

    run(folder, "pytest", "-c", "pytest.ini", "../../libs/storefront/tests")
    run(folder, "pytest", "-c", "pytest.ini", "tests/unit")
    run(folder, "pytest", "-c", "pytest.ini", "tests/integration")


@pytest.mark.slow
@pytest.mark.parametrize("service", ["shop", "cart"])
def test_a_service_passes_its_own_lint_and_static_analysis(repository: Path, service: str) -> None:
    folder = repository / "services" / service

    run(folder, "ruff", "check", "--no-cache", ".")
    run(folder, "bandit", "--quiet", "--recursive", "--severity-level", "medium", service, "vendor")


def test_what_git_says_when_it_fails_is_said(tmp_path: Path) -> None:
    repository = DemoRepository(tmp_path)
    repository.create(webhook="http://127.0.0.1:1/", secret="a secret")
    shutil.rmtree(repository.bare)

    with pytest.raises(Refused, match=r"`git push` has failed in .*storefront: fatal: .*storefront\.git"):
        repository.push()


def test_a_machine_without_git_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Refused, match=r"needs git, which is not installed here\. Install it"):
        DemoRepository(tmp_path).create(webhook="http://127.0.0.1:1/", secret="a secret")
