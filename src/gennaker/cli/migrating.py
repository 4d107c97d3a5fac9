"""`gennaker import`, `export`, `shadow`, `cut-over`: coming from Spinnaker, and going back."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter, validators

from gennaker.cli.place import HERE, Place
from gennaker.cli.terminal import Form
from gennaker.transport.gate import Credentials, Gate

_FromGate = Annotated[str, Parameter(help="Address of Spinnaker's Gate, e.g. https://gate.example.com.")]
_Applications = Annotated[list[str] | None, Parameter(name="--application", help="Only this one.", negative="")]
_Output = Annotated[Form, Parameter(help="How it is printed.")]


def add_to(app: App, listing: App) -> None:
    """Adds the commands; `listing` is that of the lists."""
    listing.command(list_imports, name="imports")
    app.command(take, name="import")
    app.command(export, name="export")
    app.command(shadow, name="shadow")
    app.command(cut_over, name="cut-over")


def gate(address: str) -> Gate:
    """Spinnaker's Gate, asked with what the environment gives: GATE_TOKEN, GATE_USER … (see `Credentials`)."""
    given = {key: os.environ.get(f"GATE_{key.upper()}", "") for key in Credentials.__struct_fields__}
    return Gate(address, Credentials(**given))


def take(
    *files: Path,
    from_gate: _FromGate = "",
    application: _Applications = None,
    shadow: Annotated[bool, Parameter(help="Plan what its events start, and perform nothing.", negative="")] = False,
    trial: Annotated[bool, Parameter(help="Only report.", negative="")] = False,
    output: _Output = Form.TABLE,
    place: Place = HERE,
) -> int:
    """Import applications with all that is theirs from a Spinnaker's Gate, or from FILES; triggers stay off."""
    from gennaker.cli import importing

    wanted = importing.Wanted(
        files=files, applications=tuple(application or ()), is_shadow=shadow, is_trial=trial, form=output
    )
    if not from_gate:
        return importing.from_files(place.client(), wanted)
    with gate(from_gate) as found:
        return importing.from_gate(place.client(), found, wanted)


def list_imports(*, output: _Output = Form.TABLE, place: Place = HERE) -> int:
    """Imported applications: whether they are in shadow, or live."""
    from gennaker.cli import listing

    return listing.imports(place.client(), output)


def export(
    *,
    out: Annotated[Path, Parameter(help="The folder, made if need be.")],
    application: _Applications = None,
    place: Place = HERE,
) -> int:
    """Write applications, pipelines, templates, canary configs and projects as Spinnaker's JSON."""
    from gennaker.cli import exporting

    return exporting.export(place.client(), out, tuple(application or ()))


def shadow(
    application: str,
    /,
    *,
    from_gate: _FromGate,
    limit: Annotated[
        int, Parameter(help="So many runs of each pipeline, the newest.", validator=validators.Number(gte=1))
    ] = 5,
    output: _Output = Form.TABLE,
    place: Place = HERE,
) -> int:
    """Compare Spinnaker's runs of APPLICATION with what Gennaker would have done; 1 where something differs."""
    from gennaker.cli import shadowing

    with gate(from_gate) as found:
        return shadowing.compare(place.client(), found, application.lower(), limit=limit, form=output)


def cut_over(
    application: str,
    /,
    *,
    from_gate: _FromGate = "",
    unseen: Annotated[bool, Parameter(help="Without asking what Spinnaker could still start.", negative="")] = False,
    trial: Annotated[bool, Parameter(help="Only say what Spinnaker could still start.", negative="")] = False,
    output: _Output = Form.TABLE,
    place: Place = HERE,
) -> int:
    """Record that Gennaker runs APPLICATION from now on: triggers on, shadow over; Spinnaker isn't touched."""
    from gennaker.cli import cutting_over

    if not from_gate:
        return cutting_over.cut_over_unseen(place.client(), application.lower(), is_meant=unseen, form=output)
    with gate(from_gate) as found:
        return cutting_over.cut_over(place.client(), found, application.lower(), is_trial=trial, form=output)
