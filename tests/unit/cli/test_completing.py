"""What makes shells complete: bash is asked, of the others what they need to find the commands is looked for."""

import subprocess
from pathlib import Path

import pytest

from gennaker.cli import completing, main


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("vali",), {"validate"}),
        (("list", "e"), {"executions"}),
        (("list", "executions", "--sta"), {"--status"}),
        (("why", "x", "--output", ""), {"json", "table", "yaml"}),
    ],
)
def test_bash_completes_commands_options_and_values(tmp_path: Path, words: tuple[str, ...], offered: set[str]) -> None:
    script = tmp_path / "gennaker"
    script.write_text(completing.script(main.app, "bash"))
    asked = '. "$0"; COMP_WORDS=(gennaker "$@"); COMP_CWORD=$#; _gennaker; printf "%s\\n" "${COMPREPLY[@]}"'

    done = subprocess.run(
        ["bash", "-c", asked, str(script), *words], capture_output=True, text=True, check=True, timeout=600
    )

    assert {line.strip() for line in done.stdout.splitlines()} == offered


def test_zsh_finds_the_function_under_the_name_of_the_file() -> None:
    lines = completing.script(main.app, "zsh").splitlines()

    assert lines[0] == "#compdef gennaker"
    assert "_gennaker() {" in lines, "a file _gennaker, as the guide says, is run as this function"
    assert not any("_cyclopts_" in line for line in lines)


def test_fish_offers_no_files_where_a_command_is_next() -> None:
    lines = completing.script(main.app, "fish").splitlines()

    assert "complete -c gennaker -n __fish_use_subcommand -f" in lines
    assert "complete -c gennaker -n '__fish_gennaker_using_command list' -f" in lines
    assert not any("using_command validate' -f" in line for line in lines), "it takes files"
