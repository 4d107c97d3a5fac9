"""`gennaker cut-over`: records that an application is run here from now on, and tells what Spinnaker could still start."""

from gennaker.cli import addresses, terminal
from gennaker.cli.terminal import Form
from gennaker.migration import leftovers
from gennaker.model.foreign import mapping
from gennaker.model.problems import Problem, Refused
from gennaker.transport.client import Client
from gennaker.transport.gate import Gate


def cut_over(client: Client, gate: Gate, application: str, *, is_trial: bool, form: Form = Form.TABLE) -> int:
    """Tells what Spinnaker could still start, and records the cut-over with it."""
    left = leftovers.of_application(application, gate.pipelines(), gate.running(application))
    if form is not Form.TABLE:
        if is_trial:
            terminal.show({"application": application, "leftThere": [*left]}, form)
    elif left:
        terminal.say("Spinnaker could still start:" if is_trial else "Switch off in Spinnaker:")
        for one in left:
            terminal.say(f"  {one}")
    else:
        terminal.say(f"Spinnaker can start nothing of {application}.")
    return 0 if is_trial else _record(client, application, left, form)


def cut_over_unseen(client: Client, application: str, *, is_meant: bool, form: Form = Form.TABLE) -> int:
    """Without a look at Spinnaker, where that is meant."""
    if not is_meant:
        raise Refused(
            Problem(
                code="cut_over.unseen",
                message="Without its Gate nobody can say what Spinnaker could still start.",
                remedy="Name it with --from-gate; or give --unseen, if Spinnaker is gone.",
            )
        )
    return _record(client, application, ("Nobody has looked.",), form)


def _record(client: Client, application: str, left: tuple[str, ...], form: Form) -> int:
    answer = client.post(f"{addresses.imported(application)}/cut-over", {"leftThere": [*left]})
    if form is not Form.TABLE:
        terminal.show(answer, form)
        return 0
    armed = mapping(answer).get("pipelinesArmed")
    switched = f"; the triggers of {armed} pipelines were switched on" if armed else ""
    terminal.say(f"{application} is run by Gennaker from now on{switched}.")
    return 0
