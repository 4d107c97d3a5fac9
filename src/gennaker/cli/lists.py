"""`gennaker list …`: the commands; what they print is in listing.py."""

from typing import Annotated

from cyclopts import App, Parameter, validators

from gennaker.cli.place import HERE, Place
from gennaker.cli.terminal import Form
from gennaker.model.statuses import Status

_Output = Annotated[Form, Parameter(help="How it is printed.")]


def add_to(app: App) -> App:
    """Adds the commands; returns theirs, for lists of others."""
    listed = App(name="list", help="What the server has.")
    listed.command(executions, name="executions")
    listed.command(pipelines, name="pipelines")
    listed.command(applications, name="applications")
    app.command(listed)
    return listed


def executions(  # noqa: PLR0913 - the options of a command
    *,
    application: str = "",
    pipeline: Annotated[str, Parameter(help="Its name.")] = "",
    status: Annotated[list[Status] | None, Parameter(negative="")] = None,
    limit: Annotated[int, Parameter(help="At most so many.", validator=validators.Number(gte=1))] = 20,
    before: Annotated[str, Parameter(help="Only those that are older than this execution.")] = "",
    output: _Output = Form.TABLE,
    place: Place = HERE,
) -> int:
    """Executions, newest first."""
    from gennaker.cli import listing

    wanted = listing.Wanted(
        application=application, pipeline=pipeline, statuses=tuple(status or ()), limit=limit, before=before
    )
    return listing.executions(place.client(), wanted, output)


def pipelines(*, application: str = "", output: _Output = Form.TABLE, place: Place = HERE) -> int:
    """Stored pipelines."""
    from gennaker.cli import listing

    return listing.pipelines(place.client(), application, output)


def applications(*, output: _Output = Form.TABLE, place: Place = HERE) -> int:
    """Applications that have a pipeline."""
    from gennaker.cli import listing

    return listing.applications(place.client(), output)
