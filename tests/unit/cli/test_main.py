"""The commands from outside: exit statuses, and sentences instead of traces."""

import json
import os
import re
import subprocess
import sys
from inspect import signature
from pathlib import Path

import pytest
import yaml

from gennaker.cli import main
from gennaker.cli.terminal import Form
from gennaker.transport.folder import DataFolder

pytestmark = pytest.mark.slow


def gennaker(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {"PATH": os.defpath, "HOME": "/nonexistent", "COLUMNS": "300", **environment}
    return subprocess.run(
        [sys.executable, "-m", "gennaker.cli.main", *arguments],
        env=clean,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_settings_are_shown_with_where_they_came_from(tmp_path: Path) -> None:
    (tmp_path / "gennaker.toml").write_text("[server]\nport = 1234\n")

    done = gennaker(
        "config", "show", "--json", "--data", str(tmp_path), "--set", "registry.port=0", GENNAKER_MAIL__PORT="26"
    )

    found = {one["key"]: (one["value"], one["source"]) for one in json.loads(done.stdout)}
    assert done.returncode == 0
    assert found["server.port"] == (1234, "gennaker.toml")
    assert found["registry.port"] == (0, "flag")
    assert found["mail.port"] == (26, "environment")
    assert found["server.host"] == ("127.0.0.1", "default")


@pytest.mark.parametrize("missing", ["aiosmtpd", "bandit"])
def test_the_demo_says_what_a_plain_installation_lacks(tmp_path: Path, missing: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules[{missing!r}] = None\n")

    done = gennaker("demo", "--data", str(tmp_path / "data"), PYTHONPATH=str(tmp_path))

    assert done.returncode == 1
    assert done.stderr == (
        f"gennaker: The demo needs packages that are not installed here: {missing}. Run `pip install 'gennaker[demo]'`.\n"
    )
    assert not (tmp_path / "data").exists()


def test_settings_are_shown_as_a_table(tmp_path: Path) -> None:
    done = gennaker("config", "show", GENNAKER_DATA=str(tmp_path))

    assert done.returncode == 0
    assert str(tmp_path) in done.stdout
    assert any(line.split() == ["server.port", "8084", "default"] for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("config", "show", "--set", "server.prt=1"), 1, "gennaker: There is no setting 'server.prt' (from flag)."),
        (("run", "nothing.json"), 3, "gennaker: No Gennaker runs on"),
        (("approve", "x"), 3, "gennaker: No Gennaker runs on"),
        (("audit", "verify"), 1, "gennaker: There is no database"),
        (("audit", "verify", "--key", "ab" * 32), 1, "gennaker: There are no exported heads that this key could check"),
        (("canary", "judge", "nothing.json"), 1, "gennaker: nothing.json can't be read: No such file or directory."),
        (("serve", "--set", "server.host=0.0.0.0"), 1, "gennaker: Gennaker would listen on 0.0.0.0"),
        (("config", "show", "--set", "server.port"), 2, "gennaker: --set server.port has no value."),
        (("dance",), 2, "dance"),
        (("validate",), 2, "gennaker: No file is named."),
        (("eval",), 2, "gennaker: There is nothing to evaluate."),
        (("list", "pipelines", "--context", "a", "--data", "b"), 2, "gennaker: --context and --data name two servers."),
        (("rollback", "shop"), 2, "--cluster"),
        (("why",), 2, "EXECUTION requires an argument"),  # and not --execution, which nobody has to type
    ],
)
def test_what_goes_wrong_is_a_sentence_and_a_status(
    tmp_path: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    done = gennaker(*arguments, GENNAKER_DATA=str(tmp_path / "data"))

    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_help_says_only_defaults_that_say_something() -> None:
    listed = gennaker("list", "executions", "--help").stdout

    assert re.findall(r"\[default: [^]]*\]", listed) == ["[default: 20]", "[default: table]"]


@pytest.mark.parametrize("content", ["", "{", "nonsense", "3"])
def test_a_file_without_canary_cases_is_a_sentence_and_a_status(tmp_path: Path, content: str) -> None:
    file = tmp_path / "cases.json"
    file.write_text(content)

    done = gennaker("canary", "judge", str(file))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("gennaker: The cases ")
    assert "Traceback" not in done.stderr


def test_a_case_that_cannot_be_judged_is_printed_as_the_others_are(tmp_path: Path) -> None:
    file = tmp_path / "cases.json"
    file.write_text("[{}, 3]")

    done = gennaker("canary", "judge", str(file))

    assert (done.returncode, done.stderr) == (0, "")
    assert [list(found) for found in json.loads(done.stdout)] == [["problem"], ["problem"]]


def test_verdicts_are_printed_as_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cases.json"
    file.write_text("[{}, 3]")

    assert main.canary_judge(file, output=Form.YAML) == 0
    assert [list(found) for found in yaml.safe_load(capsys.readouterr().out)] == [["problem"], ["problem"]]
    assert main.canary_judge(file, output=Form.TABLE) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split() == ["case", "verdict", "score", "why"]
    assert table[2].split()[:2] == ["2", "none"]


def test_a_folder_in_use_is_a_sentence(tmp_path: Path) -> None:
    held = DataFolder(tmp_path)
    done = gennaker("serve", "--data", str(tmp_path))
    held.close()

    assert done.returncode == 1
    assert f"already running (pid {os.getpid()})" in done.stderr


def test_a_command_that_is_nearly_right_is_told_the_right_one(tmp_path: Path) -> None:
    done = gennaker("validte", "x.json", GENNAKER_DATA=str(tmp_path))

    assert done.returncode == 2
    assert 'Did you mean "validate"?' in done.stderr


@pytest.mark.parametrize("command", [("list", "executions"), ("shadow", "shop", "--from-gate", "https://gate.example")])
@pytest.mark.parametrize("limit", ["0", "-3"])
def test_no_list_is_asked_for_with_nothing_in_it(
    command: tuple[str, ...], limit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main.app([*command, "--limit", limit])

    assert ended.value.code == 2
    assert "--limit" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_names_the_commands(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.completion(shell) == 0

    printed = capsys.readouterr().out
    assert all(name in printed for name in ("gennaker", "validate", "ignore-failure", "executions"))


def test_every_command_that_shows_things_takes_the_form_in_which_it_does() -> None:
    """Steering ones show the execution as it is then, those that follow one as it has ended."""
    showing = (
        *(("list", one) for one in ("executions", "pipelines", "applications", "imports")),
        *((one,) for one in ("why", "replay", "validate", "plan", "simulate", "compare", "diff", "drift", "shadow")),
        *(("config", "show"), ("audit", "verify"), ("secret", "list"), ("context", "list"), ("import",), ("eval",)),
        *(("canary", "judge"), ("watch",), ("run",), ("start",), ("approve",), ("cancel",), ("rollback",)),
    )
    for words in showing:
        command = main.app
        for word in words:
            command = command[word]
        assert command.default_command is not None
        assert "output" in signature(command.default_command).parameters, words
