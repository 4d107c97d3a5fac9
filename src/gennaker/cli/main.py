"""`gennaker`: the commands. Each reads its arguments, calls one thing and prints.

Exit status (docs/guides/commands.md): 0 done; 1 refused or failed, with a sentence on standard error; 2 wrong usage;
3 there is no server to ask; 130 interrupted.
"""

import gc
import os
import sys
import time
import traceback
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gennaker.cli import (
    auditing,
    completing,
    configuration,
    contexts,
    differing,
    drifting,
    keeping_secrets,
    lists,
    migrating,
    running,
    terminal,
)
from gennaker.cli.place import HERE, HERE_ONLY, Folder, Place
from gennaker.cli.terminal import Form
from gennaker.model.codec import JsonObject
from gennaker.model.comparison import Aspect
from gennaker.model.problems import Problem, Refused

app = App(
    name="gennaker", help="Continuous delivery with Spinnaker's model, in one process.", result_action="return_value"
)
app.default_parameter = Parameter(show_default=terminal.shown_default)
_config = App(name="config", help="Settings.")
_canary = App(name="canary", help="Canary analysis.")
app.command(_config)
app.command(_canary)
contexts.add_to(app)
auditing.add_to(app)
migrating.add_to(app, lists.add_to(app))
keeping_secrets.add_to(app)
drifting.add_to(app)
differing.add_to(app)


_NO_SERVER = ("server.not_running", "server.unreachable", "server.no_token", "server.unreadable")
_WRONG_USAGE = (
    "validate.nothing",
    "evidence.nothing",
    "eval.nothing",
    "import.nothing",
    "context.two",
    *("flag.unreadable", "settings.flag"),
)
_Output = Annotated[Form, Parameter(help="How it is printed.")]
_Detach = Annotated[bool, Parameter(help="Print the execution's id, and don't wait for its end.", negative="")]
_Json = Annotated[bool, Parameter(help="The same as --output json.", negative="")]
_Stage = Annotated[str, Parameter(help="Its id, refId or name; needed where several can be meant.")]
DEMO_PACKAGES = ("aiosmtpd", "bandit", "pytest", "ruff")
"""What the extra `demo` brings."""


@app.command
def serve(*, place: Folder = HERE_ONLY) -> int:
    """Run the server until it is stopped (Ctrl-C or `gennaker stop`)."""
    # What is imported and built for a start stays: looking for garbage in it takes a sixth of the time until it is ready.
    gc.disable()
    from gennaker import app as assembly

    configured = place.local()
    return assembly.serve(configured.settings, configured.data, os.environ)


@app.command
def demo(
    *,
    place: Folder = HERE_ONLY,
    keep: Annotated[bool, Parameter(help="Leave everything running to play with.", negative="")] = False,
    rate: Annotated[float, Parameter(help="Requests a second that visitors make.")] = 600.0,
) -> int:
    """Take one commit all the way to production, and three bad ones as far as they may come."""
    _check_demo_packages()
    from gennaker.demo import running as demo_running

    place.refuse_context()
    return demo_running.run(data=place.data, config=place.config, flags=tuple(place.set), keep=keep, rate=rate)


@app.command
def stop(
    *,
    place: Folder = HERE_ONLY,
    everything: Annotated[
        bool, Parameter(name="--all", help="Also stop instances and load balancers.", negative="")
    ] = False,
) -> int:
    """Stop the server; instances and load balancers go on serving unless --all is given."""
    if everything:
        configured = place.local()
        return running.stop(configured.data, everything=True, settings=configured.settings)
    place.refuse_context()
    return running.stop(configuration.data_folder(place.data, os.environ), everything=False)


@app.command
def link(*, place: Place = HERE) -> int:
    """Print a link that opens the page once; waits a little for a server that is just starting."""
    return running.print_link(place.client_of_starting())


@app.command
def run(file: Path, /, *, detach: _Detach = False, output: _Output = Form.TABLE, place: Place = HERE) -> int:
    """Save the pipeline in FILE (JSON) and run it, showing what happens until it ends."""
    return running.run_file(place.client(), file, output, follows=not detach)


@app.command
def start(
    application: str,
    pipeline: Annotated[str, Parameter(help="Its name or id.")],
    /,
    *,
    parameter: Annotated[list[str] | None, Parameter(help="One of the run's: tag=1.2.3.", negative="")] = None,
    detach: _Detach = False,
    output: _Output = Form.TABLE,
    place: Place = HERE,
) -> int:
    """Start PIPELINE of APPLICATION as it is saved, showing what happens until it ends."""
    from gennaker.cli import simulating

    parameters: JsonObject = dict(simulating.parted(one) for one in parameter or [])
    return running.start(place.client(), application, pipeline, parameters, follows=not detach, form=output)


@app.command
def watch(execution: str, /, *, output: _Output = Form.TABLE, place: Place = HERE) -> int:
    """Show EXECUTION as it goes until it ends: stages, what they wait for, traffic. Ctrl-C leaves it going."""
    from gennaker.cli import watching

    return watching.watch(place.client(), execution, output)


@app.command
def approve(
    execution: str,
    /,
    *,
    stage: str = "",
    choice: Annotated[str, Parameter(name="--input", help="One of the judgment's inputs.")] = "",
    comment: str = "",
    output: _Output = Form.TABLE,
    place: Place = HERE,
) -> int:
    """Answer the manual judgment that EXECUTION waits for with "continue"."""
    given = running.Answer(judgment="continue", choice=choice, comment=comment)
    return running.judge(place.client(), execution, stage, given, form=output)


@app.command
def reject(
    execution: str, /, *, stage: str = "", comment: str = "", output: _Output = Form.TABLE, place: Place = HERE
) -> int:
    """Answer the manual judgment that EXECUTION waits for with "stop"."""
    return running.judge(
        place.client(), execution, stage, running.Answer(judgment="stop", comment=comment), form=output
    )


@app.command(name="why")
def explain(
    execution: str,
    /,
    *,
    stage: Annotated[str, Parameter(help="One stage of it: id, refId or name.")] = "",
    json: _Json = False,
    output: _Output = Form.TABLE,
    place: Place = HERE,
) -> int:
    """What keeps EXECUTION from moving on, since when, and who can move it on; or why it has ended as it has."""
    from gennaker.cli import explaining

    configured = place.configured()
    return explaining.show(place.where(), execution, stage, form=_form(output, json=json), settings=configured.settings)


@app.command
def replay(  # noqa: PLR0913 - the options of a command
    execution: Annotated[str, Parameter(help="Its id, or a file that --export has written.")],
    /,
    *,
    at: Annotated[int, Parameter(help="Show the state after event number N.")] = 0,
    with_: Annotated[
        Path | None,
        Parameter(
            name="--with", help="What if: another definition, or `{events: [{number, event}]}` to change events."
        ),
    ] = None,
    export: Annotated[Path | None, Parameter(help="Write journal and state to a file.")] = None,
    json: _Json = False,
    output: _Output = Form.TABLE,
    place: Place = HERE,
) -> int:
    """Fold EXECUTION's journal again: it must give its state, bit for bit."""
    from gennaker.cli import replaying

    configured = place.configured()
    wanted = replaying.Wanted(at=at, other=with_, export=export, form=_form(output, json=json))
    return replaying.replay(place.where(), execution, wanted, settings=configured.settings)


@app.command
def validate(
    *files: Path,
    strict: Annotated[bool, Parameter(help="Refuse types that this installation doesn't know.", negative="")] = False,
    output: _Output = Form.TABLE,
) -> int:
    """Say everything that is wrong with the pipelines, templates and canary configs in FILES, with line and column."""
    from gennaker.cli import simulating, validating

    if not files:
        raise Refused(Problem(code="validate.nothing", message="No file is named.", remedy="Name at least one."))
    return validating.validate(files, simulating.known_stages(), is_strict=strict, form=output)


@app.command
def plan(
    file: Path,
    /,
    *,
    parameter: Annotated[list[str] | None, Parameter(help="One of the run's: tag=1.2.3.", negative="")] = None,
    output: _Output = Form.TABLE,
    place: Place = HERE,
) -> int:
    """Show what a run of the pipeline in FILE would do: its stages with all values, and the changes to server groups."""
    from gennaker.cli import documents, planning, simulating

    parameters = dict(simulating.parted(one) for one in parameter or [])
    return planning.plan(place.client(), documents.pipeline(file), parameters, output)


@app.command
def evidence(
    execution: str = "",
    /,
    *,
    out: Annotated[Path | None, Parameter(help="The file (default: EXECUTION.evidence.json).")] = None,
    verifier: Annotated[Path | None, Parameter(help="Write the program that checks such files, instead.")] = None,
    place: Folder = HERE_ONLY,
) -> int:
    """Write what speaks for EXECUTION into one sealed file: commit, reports, verdicts, approvals, effects."""
    from gennaker import audit_checks
    from gennaker.cli import evidence as collecting
    from gennaker.worker.clock import SystemClock

    if verifier is not None:
        return collecting.write_verifier(verifier)
    if not execution:
        raise Refused(Problem(code="evidence.nothing", message="No execution is named.", remedy="Name one."))
    client, configured = place.local_client(), place.configured()
    seed = audit_checks.sealing_key(configured.settings, configured.data)
    file = out or Path(f"{execution}.evidence.json")
    return collecting.write(client, execution, file, seed=seed, at=SystemClock().now())


@app.command
def completion(shell: completing.Shell, /) -> int:
    """Print what makes SHELL complete `gennaker`: docs/guides/commands.md says where to put it."""
    sys.stdout.write(completing.script(app, shell) + "\n")
    return 0


@app.command
def simulate(  # noqa: PLR0913 - the options of a command
    file: Path,
    /,
    *,
    outcomes: Annotated[
        Path | None, Parameter(help="Declared outcomes (JSON or YAML): see docs/guides/testing-pipelines.md.")
    ] = None,
    outcome: Annotated[
        list[str], Parameter(help="STAGE=STATUS[:DURATION], e.g. Canary=TERMINAL:1h.", negative="")
    ] = (),  # type: ignore[assignment]  # read only
    judge: Annotated[list[str] | None, Parameter(help="STAGE=continue|stop[:AFTER].", negative="")] = None,
    trigger: Annotated[list[str] | None, Parameter(help="A field of the trigger: tag=1.2.3.", negative="")] = None,
    json: _Json = False,
    output: _Output = Form.TABLE,
) -> int:
    """Run the pipeline in FILE on virtual time, nothing outside touched, and print what would happen when."""
    from gennaker.cli import simulating

    flags = simulating.Flags(stages=outcome or [], judgments=judge or [], trigger=trigger or [])
    return simulating.simulate(file, outcomes, flags, form=_form(output, json=json))


@app.command
def cancel(execution: str, /, *, reason: str = "", output: _Output = Form.TABLE, place: Place = HERE) -> int:
    """Cancel EXECUTION at once."""
    return running.command(place.client(), execution, "cancel", {"reason": reason}, form=output)


@app.command
def pause(execution: str, /, *, output: _Output = Form.TABLE, place: Place = HERE) -> int:
    """Let EXECUTION begin nothing new until it is resumed."""
    return running.command(place.client(), execution, "pause", form=output)


@app.command
def resume(execution: str, /, *, output: _Output = Form.TABLE, place: Place = HERE) -> int:
    """Let a paused EXECUTION go on."""
    return running.command(place.client(), execution, "resume", form=output)


@app.command
def skip(execution: str, /, *, stage: _Stage = "", output: _Output = Form.TABLE, place: Place = HERE) -> int:
    """Skip a stage of EXECUTION, or the rest of its wait."""
    return running.stage_command(place.client(), execution, "skip", stage=stage, form=output)


@app.command
def restart(execution: str, /, *, stage: _Stage = "", output: _Output = Form.TABLE, place: Place = HERE) -> int:
    """Run a stage of EXECUTION again, with all that follows it."""
    return running.stage_command(place.client(), execution, "restart", stage=stage, form=output)


@app.command
def ignore_failure(
    execution: str, /, *, stage: _Stage = "", reason: str = "", output: _Output = Form.TABLE, place: Place = HERE
) -> int:
    """Let a failed stage of EXECUTION count as passed."""
    return running.stage_command(
        place.client(), execution, "ignore-failure", {"reason": reason}, stage=stage, form=output
    )


@app.command
def rollback(
    application: str,
    /,
    *,
    cluster: str,
    account: str = "",
    region: str = "",
    output: _Output = Form.TABLE,
    place: Place = HERE,
) -> int:
    """Put the version that the last release of a cluster replaced back into traffic, at once."""
    wanted: JsonObject = {"cluster": cluster, "account": account, "region": region}
    return running.roll_back(place.client(), application, wanted, output)


@app.command
def compare(
    application: str,
    left: Annotated[str, Parameter(help="An account, stack or cluster; /REGION behind it says which of several.")],
    right: str,
    /,
    *,
    only: Annotated[list[Aspect] | None, Parameter(help="Compare only this.", negative="")] = None,
    output: _Output = Form.TABLE,
    place: Place = HERE,
) -> int:
    """Show what serves APPLICATION in two environments side by side; exit status 1 where they differ."""
    from gennaker.cli import comparing

    return comparing.compare(place.client(), application, (left, right), only=tuple(only or ()), form=output)


@_config.command(name="show")
def config_show(*, place: Folder = HERE_ONLY, json: _Json = False, output: _Output = Form.TABLE) -> int:
    """All settings with their values and where each value came from."""
    configured = place.local()
    values = configuration.shown(configured.settings)
    if json or output is not Form.TABLE:
        listed = [{"key": key, "value": value, "source": configured.sources[key]} for key, value in values.items()]
        terminal.show(listed, _form(output, json=json))
        return 0
    terminal.show_table(
        f"Data folder {configured.data}, settings file {configured.file}",
        ("setting", "value", "from"),
        [(key, repr(value), configured.sources[key]) for key, value in values.items()],
    )
    return 0


@_canary.command(name="judge")
def canary_judge(cases: Path, /, *, output: _Output = Form.JSON) -> int:
    """Judge one case or an array of cases `{config, metricSetPairs, thresholds}` and print the results."""
    from gennaker.canary import cases as judging
    from gennaker.cli import canary_verdicts

    canary_verdicts.show(judging.run_cases(_read(cases)), output)
    return 0


@app.command(name="eval")
def evaluate(  # noqa: PLR0913 - the options of a command
    expression: Annotated[str, Parameter(help="With or without ${ and }.")] = "",
    /,
    *,
    cases: Annotated[Path | None, Parameter(help="An array of cases, as in the golden files.")] = None,
    execution: Annotated[str, Parameter(help="What it sees: an execution's id, or a file with its JSON.")] = "",
    stage: Annotated[str, Parameter(help="At which stage: refId, id or name.")] = "",
    context: Annotated[Path | None, Parameter(help="A JSON object whose keys it sees before all others.")] = None,
    explain: Annotated[bool, Parameter(help="Show the value of each part.", negative="")] = False,
    strict: Annotated[
        bool, Parameter(help="Without EXPRESSION: list what would stay as text in the execution.", negative="")
    ] = False,
    json: _Json = False,
    output: _Output = Form.TABLE,
    place: Place = HERE,
) -> int:
    """Evaluate EXPRESSION, or the cases of a file: an array of `{value, level, error_kind}` comes out."""
    from gennaker.cli import evaluating
    from gennaker.expressions import cases as running_cases

    if cases is not None:
        sys.stdout.write(running_cases.run_cases(_read(cases)) + "\n")
        return 0
    configured = place.configured()
    wanted = evaluating.Wanted(
        expression=expression,
        execution=execution,
        stage=stage,
        context=context,
        explains=explain,
        is_strict=strict,
        form=_form(output, json=json),
    )
    return evaluating.evaluate(place.where(), wanted, at_ms=int(time.time() * 1000), settings=configured.settings)


def _form(output: Form, *, json: bool) -> Form:
    return Form.JSON if json else output


def _check_demo_packages() -> None:
    missing = [name for name in DEMO_PACKAGES if find_spec(name) is None]
    if missing:
        raise Refused(
            Problem(
                code="demo.packages",
                message=f"The demo needs packages that are not installed here: {', '.join(missing)}.",
                remedy="Run `pip install 'gennaker[demo]'`.",
            )
        )


def _read(file: Path) -> str:
    from gennaker.cli import documents

    try:
        return documents.content(file).decode()
    except UnicodeDecodeError as error:
        raise Refused(
            Problem(code="file.unreadable", message=f"{file} can't be read: {error}.", remedy="Name a readable file.")
        ) from error


def main() -> None:
    """Entry point of the `gennaker` command."""
    try:
        status = app()
    except Refused as refused:
        terminal.complain(*refused.problems)
        status = _status(refused.problems[0].code)
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        status = 0
    except Exception as error:
        traceback.print_exc()
        terminal.complain(_fault(error))
        status = 1
    sys.exit(status if isinstance(status, int) else 0)


def _status(code: str) -> int:
    if code in _NO_SERVER:
        return 3
    return 2 if code in _WRONG_USAGE else 1


def _fault(error: Exception) -> Problem:
    return Problem(
        code="cli.fault",
        message=f"An unexpected fault: {type(error).__name__}: {error}.",
        remedy="This is a fault in Gennaker; please report it with the trace above.",
    )


if __name__ == "__main__":
    main()
