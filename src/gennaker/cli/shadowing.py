"""`gennaker shadow`: compares runs of a Spinnaker with what would have been done here."""

from datetime import datetime

import msgspec

from gennaker.cli import addresses, awaiting, terminal
from gennaker.cli.terminal import Form
from gennaker.migration import bundle as bundles
from gennaker.migration import comparing, pairing
from gennaker.migration.comparing import Compared, Difference
from gennaker.migration.pairing import Pairs
from gennaker.model.codec import Json, JsonObject, encode, to_json
from gennaker.model.foreign import mapping, mappings, mappings_at, text_at
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.transport.client import Client
from gennaker.transport.gate import Gate

_LONGEST_VALUE = 80
_TAKEN = 409
_WRONG = (400, 404, 422)
_NOT_THE_EVENTS = frozenset(
    {
        "executionId",
        "eventId",
        "correlationId",
        "resolvedExpectedArtifacts",
        "user",
        "runAsUser",
        "parentExecution",
        "isPipeline",
    }
)
"""Of a trigger: what the other side has added, or what would have it run as somebody here."""


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One run there, and what was found."""

    name: str
    spinnaker: str
    """Id of the execution there; empty: only Gennaker would have started it."""
    gennaker: str = ""
    """Id of the plan here; empty: there is none."""
    result: Compared


def compare(client: Client, gate: Gate, application: str, *, limit: int, form: Form) -> int:
    """Prints the differences of each run; 1 where there is one."""
    standing = _standing(client, application)
    if text_at(standing, "phase") != "shadow":
        raise Refused(_no_shadow(application, text_at(standing, "phase")))
    here = {
        text_at(one, "id"): one
        for one in mappings(client.get(f"{addresses.gate_application(application)}/pipelineConfigs"))
    }
    written = {key: _rendered(client, one) for key, one in here.items()}
    there = {text_at(one, "id"): one for one in gate.application(application).pipelines}
    theirs = gate.executions(application, limit=limit)
    ours = mappings(
        client.get(f"{addresses.gate_application(application)}/pipelines", limit=str(limit * 4), expand="true")
    )
    pairs = pairing.paired(theirs, ours, since_ms=_since_ms(standing))
    runs = [
        _compared(one, awaiting.ended(client, f"/pipelines/{text_at(other, 'id')}"), written)
        for one, other in pairs.both
        if _is_complete(one)
    ]
    runs += [_planned(client, one, written, standing) for one in pairs.only_theirs if _is_complete(one)]
    runs += _only_here(pairs, theirs)
    changed = _changed(there, here)
    if form is Form.TABLE:
        _tell(runs, changed)
    else:
        terminal.show({"runs": [to_json(one) for one in runs], "definitions": [to_json(one) for one in changed]}, form)
    return 1 if changed or any(one.result.differences for one in runs) else 0


def _standing(client: Client, application: str) -> JsonObject:
    for one in mappings(client.listed("/api/v1/imports", "applications")):
        if text_at(one, "application") == application:
            return one
    raise Refused(_no_shadow(application, ""))


def _rendered(client: Client, pipeline: JsonObject) -> JsonObject:
    """The stages that its author wrote, or those of the template that it is made from."""
    if text_at(pipeline, "type") != "templatedPipeline":
        return pipeline
    return mapping(client.post("/v2/pipelineTemplates/plan", pipeline))


def _compared(theirs: JsonObject, ours: JsonObject, definitions: dict[str, JsonObject]) -> Run:
    definition = definitions.get(text_at(theirs, "pipelineConfigId"), {})
    return Run(
        name=pairing.name_of(theirs),
        spinnaker=text_at(theirs, "id"),
        gennaker=text_at(ours, "id"),
        result=comparing.compared(theirs, ours, definition),
    )


def _planned(client: Client, theirs: JsonObject, definitions: dict[str, JsonObject], standing: JsonObject) -> Run:
    """A run for which nothing has started here: planned now, from its trigger."""
    missing = _not_started(theirs, standing)
    pipeline_id = text_at(theirs, "pipelineConfigId")
    try:
        ours = _plan(client, text_at(standing, "application"), pipeline_id, theirs)
    except Refused as refused:
        if refused.status not in _WRONG:
            raise
        said = "; ".join(str(one) for one in refused.problems)
        refusal = Difference(what="start", message=f"Gennaker wouldn't start it: {said}")
        return Run(
            name=pairing.name_of(theirs), spinnaker=text_at(theirs, "id"), result=Compared(differences=(refusal,))
        )
    found = _compared(theirs, ours, definitions)
    result = msgspec.structs.replace(found.result, differences=(*missing, *found.result.differences))
    return msgspec.structs.replace(found, result=result)


def _since_ms(standing: JsonObject) -> float:
    """When events began to be planned here."""
    return msgspec.convert(standing["since"], datetime).timestamp() * 1000


def _not_started(theirs: JsonObject, standing: JsonObject) -> tuple[Difference, ...]:
    """Only of events that can be told, and that came since the application is in shadow."""
    built = theirs.get("buildTime")
    is_ours = isinstance(built, int | float) and built >= _since_ms(standing)
    if not is_ours or not pairing.is_told_by_its_event(theirs):
        return ()
    said = "Its event has started it in Spinnaker, and nothing here: was it sent to both?"
    return (Difference(what="start", message=said),)


def _plan(client: Client, application: str, pipeline_id: str, theirs: JsonObject) -> JsonObject:
    own_id = f"shadow-{text_at(theirs, 'id')}"[:64]
    trigger: JsonObject = {
        **{key: value for key, value in mapping(theirs.get("trigger")).items() if key not in _NOT_THE_EVENTS},
        pairing.SHADOW_OF: text_at(theirs, "id"),
        "executionId": own_id,
    }
    try:
        client.post(f"{addresses.pipeline(application, pipeline_id)}/start", trigger)
    except Refused as refused:
        if refused.status != _TAKEN:
            raise  # else it was planned before
    return awaiting.ended(client, f"/pipelines/{own_id}")


def _only_here(pairs: Pairs, theirs: list[JsonObject]) -> list[Run]:
    """What an event, or the end of another run, would have started here only."""
    said = "Gennaker would have started it, Spinnaker has not."
    result = Compared(differences=(Difference(what="start", message=said),))
    return [
        Run(name=pairing.name_of(one), spinnaker="", gennaker=text_at(one, "id"), result=result)
        for one in pairs.only_ours
        if _is_one_too_many(one, pairs, theirs)
    ]


def _is_one_too_many(ours: JsonObject, pairs: Pairs, theirs: list[JsonObject]) -> bool:
    """A plan always succeeds: what follows one whose counterpart has failed says nothing. Nor does what is older than all there."""
    trigger = mapping(ours.get("trigger"))
    of_its_pipeline = [one for one in theirs if one.get("pipelineConfigId") == ours.get("pipelineConfigId")]
    if trigger.get("shadow") is not True or not pairing.is_told_by_its_event(ours):
        return False
    if pairing.is_before(ours, of_its_pipeline):
        return False
    if text_at(trigger, "type") != "pipeline":
        return True
    parent = text_at(trigger.get("parentExecution"), "id")
    return any(text_at(other, "id") == parent and one.get("status") == "SUCCEEDED" for one, other in pairs.both)


def _changed(there: dict[str, JsonObject], here: dict[str, JsonObject]) -> list[Difference]:
    found = []
    for key, one in there.items():
        name = text_at(one, "name")
        if key not in here:
            found.append(Difference(what="definition", message=f"{name} isn't here: import again."))
        elif (told := comparing.definition_changed(name, _plain(one), _plain(here[key]))) is not None:
            found.append(told)
    names = [text_at(one, "name") for key, one in here.items() if key not in there]
    return [*found, *(Difference(what="definition", message=f"{one} is here only: delete it.") for one in names)]


def _plain(pipeline: JsonObject) -> JsonObject:
    """Secrets are shown by one of the two at most."""
    content = bundles.content(pipeline)
    triggers: list[Json] = [
        {key: value for key, value in one.items() if key != "secret"} for one in mappings_at(content, "triggers")
    ]
    return {**content, "triggers": triggers} if triggers else content


def _tell(runs: list[Run], changed: list[Difference]) -> None:
    for one in changed:
        terminal.say(one.message)
    for run in runs:
        count = len(run.result.differences)
        said = _counted(count, "difference") if count else f"the same, in {_counted(run.result.values, 'value')}"
        terminal.say(f"{run.name}: {said}" + (f"  (plan {run.gennaker})" if run.gennaker else ""))
        for one in run.result.differences:
            terminal.say(f"  {one.message}")
            if one.spinnaker is not None or one.gennaker is not None:
                terminal.say(f"    Spinnaker: {_short(one.spinnaker)}")
                terminal.say(f"    Gennaker:  {_short(one.gennaker)}")
    differing = sum(bool(one.result.differences) for one in runs)
    said = f"{len(runs) - differing} the same, {differing} with differences"
    terminal.say(f"{_counted(len(runs), 'run')} compared: {said}.")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _short(value: Json) -> str:
    text = value if isinstance(value, str) else encode(value).decode()
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _is_complete(execution: JsonObject) -> bool:
    """False for a status that nobody here knows: nothing can be said of such a run."""
    return text_at(execution, "status") in {one.value for one in Status if one.is_complete}


def _no_shadow(application: str, phase: str) -> Problem:
    said = f"is {phase}" if phase else "wasn't imported"
    return Problem(
        code="shadow.none",
        message=f"The application {application} isn't in shadow: it {said}.",
        remedy="`gennaker import --from-gate ADDRESS --application NAME --shadow` puts it there.",
    )
