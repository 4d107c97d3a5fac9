"""Programs that render: where they are, and running one without a shell, bounded in time and output, in a folder of its own.

What they get to see is the folder: no configuration of the server's user, no search path, no credentials.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gennaker.baking_settings import BakingSettings
from gennaker.model.problems import Problem, Refused
from gennaker.transport import children
from gennaker.transport.processes import host_path

_MOST_BYTES = 10_000_000
"""Of the manifests: twice what anybody deploys in one stage."""
_TAIL_LINES = 8
_HELM_HELP = "Install Helm 3 (https://helm.sh/docs/intro/install/)"
_HELM2_HELP = "Install Helm 2, or render by HELM3: Helm 2 is no longer kept by anybody"
_KUSTOMIZE_HELP = "Install kustomize (https://kubectl.docs.kubernetes.io/installation/kustomize/) or kubectl"


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """One that is there."""

    name: str
    path: str
    words: tuple[str, ...] = ()
    """Those before all others."""


def helm(settings: BakingSettings) -> Program:
    """Raises Refused, as the others: with what is missing and how it is got."""
    return _found(settings.helm, setting="helm", help_=_HELM_HELP)


def helm2(settings: BakingSettings) -> Program:
    """Its command line isn't that of Helm 3."""
    return _found(settings.helm2, setting="helm2", help_=_HELM2_HELP)


def kustomize(settings: BakingSettings) -> Program:
    """With the words that make it build; kubectl's own where it isn't there by itself."""
    names = (settings.kustomize,) if settings.kustomize else ("kustomize", "kubectl")
    for name in names:
        path = shutil.which(name, path=host_path())
        if path is not None:
            is_kubectl = Path(name).name.startswith("kubectl")
            return Program(name=Path(name).name, path=path, words=("kustomize",) if is_kubectl else ("build",))
    return _found(names[0], setting="kustomize", help_=_KUSTOMIZE_HELP)


async def run(program: Program, words: Sequence[str], folder: Path, *, seconds: float) -> str:
    """What it writes. `folder` is where it begins and its home. Raises Refused with what it says when it fails."""
    home = folder / ".home"
    home.mkdir(exist_ok=True)
    place = children.Place(environment={"HOME": str(home), "PATH": str(home), "LANG": "C.UTF-8"}, folder=folder)
    command = (program.path, *program.words, *words)
    try:
        ended = await children.run(command, place, seconds=seconds, most_bytes=_MOST_BYTES)
    except TimeoutError as error:  # an OSError, too
        message = f"{program.name} did not finish within {seconds:g} s and was stopped."
        remedy = "Look what makes it so slow, or raise the setting baking.timeout-seconds."
        raise Refused(Problem(code="bake.timeout", message=message, remedy=remedy), status=504) from error
    except OSError as error:
        message = f"The program {program.name} can't be started: {error.strerror}."
        raise Refused(Problem(code="bake.not_started", message=message), status=422) from error
    except children.TooMuchOutput as error:
        message = f"{program.name} wrote {error} of manifests and was stopped."
        remedy = "Divide the chart or kustomization among several stages."
        raise Refused(Problem(code="bake.too_much", message=message, remedy=remedy), status=422) from error
    if ended.status != 0:
        raise Refused(_failed(program, ended, folder), status=422)
    return _text(ended.output, program)


def _found(name: str, *, setting: str, help_: str) -> Program:
    path = shutil.which(name, path=host_path())
    if path is not None:
        return Program(name=Path(name).name, path=path)
    raise Refused(
        Problem(
            code="bake.no_program",
            message=f"The program {name}, which renders this stage's manifests, isn't on this machine.",
            remedy=f"{help_}, or say where it is by the setting baking.{setting}.",
        ),
        status=422,
    )


def _failed(program: Program, ended: children.Ended, folder: Path) -> Problem:
    said = ended.errors.decode(errors="replace").replace(f"{folder}/", "").replace(str(folder), ".")
    lines = [line for line in said.strip().splitlines() if line.strip()][-_TAIL_LINES:]
    return Problem(
        code="bake.failed",
        message=f"{program.name} ended with status {ended.status}: {' '.join(lines) or 'it says nothing'}",
    )


def _text(output: bytes, program: Program) -> str:
    try:
        return output.decode()
    except UnicodeDecodeError as error:
        message = f"What {program.name} wrote isn't UTF-8: {error.reason}."
        raise Refused(Problem(code="bake.not_text", message=message), status=422) from error
