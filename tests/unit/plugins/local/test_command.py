"""The command of an image without a container."""

import sys
from pathlib import Path

import pytest

from gennaker.interfaces.registry import RunConfig
from gennaker.model.problems import Refused
from gennaker.plugins.local import command
from gennaker.plugins.local.images import ImageFiles


def image(root: Path, run: RunConfig) -> ImageFiles:
    (root / "app" / "bin").mkdir(parents=True)
    (root / "app" / "main.py").touch()
    program = root / "app" / "bin" / "serve"
    program.touch()
    program.chmod(0o755)
    return ImageFiles(reference="host/shop@sha256:1", root=root, run=run)


def test_paths_that_exist_in_the_image_are_mapped(tmp_path: Path) -> None:
    run = RunConfig(
        entrypoint=("/app/bin/serve",),
        command=("/app/main.py", "/health", "--x"),
        environment={"PYTHONPATH": "/app:/nowhere", "BASE": "/app"},
        working_folder="/app",
    )

    found = command.command(image(tmp_path, run), environment={"PORT": "1"}, host_path="/usr/bin")

    assert found.argv == (f"{tmp_path}/app/bin/serve", f"{tmp_path}/app/main.py", "/health", "--x")
    assert found.folder == tmp_path / "app"
    assert found.environment == {
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": f"{tmp_path}/app",
        "BASE": "/app",
        "PORT": "1",
        "PATH": "/usr/bin",
    }


def test_a_program_is_looked_for_in_the_image_first(tmp_path: Path) -> None:
    run = RunConfig(command=("serve",), environment={"PATH": "/app/bin:/usr/local/bin"})

    found = command.command(image(tmp_path, run), environment={}, host_path="/usr/bin")

    assert found.argv == (f"{tmp_path}/app/bin/serve",)
    assert found.environment["PATH"] == f"{tmp_path}/app/bin:/usr/bin"


def test_where_there_is_no_python_the_running_one_is_taken(tmp_path: Path) -> None:
    run = RunConfig(entrypoint=("/usr/local/bin/python3", "-V"))

    found = command.command(image(tmp_path, run), environment={}, host_path=str(tmp_path / "empty"))

    assert found.argv == (sys.executable, "-V")


def test_a_given_command_replaces_the_images_own(tmp_path: Path) -> None:
    files = image(tmp_path, RunConfig(entrypoint=("nothing",), command=("at", "all")))

    assert command.command(files, given=("sh", "-c"), environment={}, host_path="/bin").argv == ("/bin/sh", "-c")


def test_the_images_stop_signal_is_understood(tmp_path: Path) -> None:
    files = image(tmp_path, RunConfig(command=("sh",), stop_signal="SIGQUIT"))

    assert command.command(files, environment={}, host_path="/bin").stop_signal == 3


@pytest.mark.parametrize(
    ("run", "code"),
    [(RunConfig(), "image.nothing_to_run"), (RunConfig(command=("no-such-program",)), "image.no_program")],
)
def test_an_image_that_cannot_be_run_is_refused(tmp_path: Path, run: RunConfig, code: str) -> None:
    with pytest.raises(Refused) as refused:
        command.command(image(tmp_path, run), environment={}, host_path="/bin")

    assert [problem.code for problem in refused.value.problems] == [code]
