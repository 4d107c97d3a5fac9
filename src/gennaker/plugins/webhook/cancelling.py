"""Cancelling: telling the target of a webhook that its work is no longer wanted, once, as well as one can."""

from gennaker.interfaces.stages import TaskContext
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.webhook import calling, stage_settings
from gennaker.transport.http import HttpFailure


async def cancel(context: TaskContext) -> None:
    """Calls the cancel endpoint, if there is one and the webhook was called. Raises Refused if that didn't work."""
    spec = stage_settings.read(context)
    if not spec.cancel_endpoint:
        return
    if "${" in spec.cancel_endpoint:
        message = "The cancel endpoint has an expression without a value yet: nothing was called."
        raise Refused(Problem(code="webhook.cancel", message=message))
    asked = await calling.request(
        context, spec, method=spec.cancel_method, url=spec.cancel_endpoint, payload=spec.cancel_payload
    )
    try:
        answer = await calling.call(context.services, asked)
    except HttpFailure as failure:
        raise Refused(Problem(code="webhook.cancel", message=f"Cancelling failed: {failure}")) from failure
    if answer.status >= 400:
        message = f"Cancelling failed: {asked.url} answered {answer.status}."
        raise Refused(Problem(code="webhook.cancel", message=message))
