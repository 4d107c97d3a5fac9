"""What makes a shell complete `gennaker`: the library's script, made to work where the guide puts it."""

from typing import Literal

from cyclopts import App

Shell = Literal["bash", "zsh", "fish"]
_NAME = "gennaker"
_HIDDEN = "-"
"""How the names of options begin, which stand among the commands."""


def script(app: App, shell: Shell) -> str:
    """The script's text."""
    made = app.generate_completion(prog_name=_NAME, shell=shell)
    match shell:
        case "zsh":
            # Zsh runs the function that is called like the file, and the guide's (as everybody's) is _gennaker.
            return made.replace(f"_cyclopts_{_NAME}", f"_{_NAME}")
        case "fish":
            return "\n".join([made, "# No files where a command is next", *_without_files(app)])
        case "bash":
            return made


def _without_files(app: App) -> list[str]:
    groups = [
        name for name in app if not name.startswith(_HIDDEN) and any(not one.startswith(_HIDDEN) for one in app[name])
    ]
    conditions = ["__fish_use_subcommand", *(f"'__fish_{_NAME}_using_command {name}'" for name in groups)]
    return [f"complete -c {_NAME} -n {condition} -f" for condition in conditions]
