"""Composing notifications: subject, text and link in Spinnaker's words (Echo's default texts)."""

from datetime import datetime

from gennaker.engine import evaluating
from gennaker.interfaces.notifiers import Message
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.effect import Notify
from gennaker.model.execution import Execution, Stage

_SAID = {"starting": "is starting", "complete": "has completed successfully", "failed": "has failed"}
_JUDGMENTS = {
    "manualJudgment": "is awaiting manual judgment",
    "manualJudgmentContinue": "was judged to continue",
    "manualJudgmentStop": "was judged to stop",
}


def compose(effect: Notify, execution: Execution, *, base_url: str, is_repeat: bool, at: datetime) -> Message:
    """The message of a Notify effect, its expressions evaluated as its stage sees them."""
    head = execution.head
    stage = execution.stages.get(effect.stage_id) if effect.stage_id else None
    link = f"{base_url}/ui/#/executions/{head.id}"
    options = evaluating.notification_of(execution, effect, at=at)
    return Message(
        delivery_id=effect.key,
        address=foreign.text_at(options, "address"),
        subject=foreign.text_at(options, "customSubject") or _subject(effect.moment, execution, stage),
        text=_body(options, effect.moment, execution, stage, link),
        link=link,
        moment=effect.moment,
        is_repeat=is_repeat,
        cc=foreign.text_at(options, "cc"),
        facts=_facts(execution, stage),
        options=options,
    )


def _subject(moment: str, execution: Execution, stage: Stage | None) -> str:
    head = execution.head
    what = f"{head.application.title()}'s {head.name or head.description}"
    if moment in _JUDGMENTS and stage is not None:
        return f"Stage {stage.name} for {what} {_JUDGMENTS[moment]}"
    kind, _, state = moment.partition(".")
    said = _SAID.get(state, state)
    if kind == "stage" and stage is not None:
        return f"Stage {stage.name} for {what} {said}"
    return f"{what} {kind} {said}"


def _body(  # noqa: PLR0917 - private, called once
    options: JsonObject, moment: str, execution: Execution, stage: Stage | None, link: str
) -> str:
    custom = foreign.text_at(options, "customMessage") or foreign.text_at(options, "customBody")
    if custom:
        return custom.replace("{{executionId}}", execution.head.id).replace("{{link}}", link)
    lines = [_subject(moment, execution, stage)]
    own = options.get("message")
    said = own.get(moment) if isinstance(own, dict) else None
    if isinstance(said, dict) and said.get("text"):
        lines.append(str(said["text"]))
    if stage is not None and stage.context.get("instructions"):
        lines.append(str(stage.context["instructions"]))
    lines.append(link)
    return "\n\n".join(lines)


def _facts(execution: Execution, stage: Stage | None) -> JsonObject:
    artifacts: Json = execution.head.trigger.get("artifacts") or []
    facts: JsonObject = {
        "executionId": execution.head.id,
        "application": execution.head.application,
        "pipeline": execution.head.name,
        "status": execution.head.status.value,
        "artifacts": artifacts,
    }
    if stage is not None:
        facts |= {"stageId": stage.id, "stage": stage.name, "stageType": stage.type}
    return facts
