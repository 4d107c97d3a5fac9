"""Create v2 pipeline template: stores what is new, or new under its tag; refused if a pipeline that gets the latest would break."""

from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model import template_references
from gennaker.model.codec import JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.definitions import template_store


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    pipeline_template: JsonObject | str
    """The template, or base64 of it."""
    tag: str | None = None


async def create(context: TaskContext) -> TaskResult:
    """Refuses what exists."""
    template, tag = template_store.given(context)
    key = template_references.tagged(str(template["id"]), tag)
    found = await context.services.definitions.get(template_references.KIND, key)
    if found is not None and not context.is_repeat:
        raise Refused(
            Problem(
                code="template.exists",
                message=f"A pipeline template with the id {key} already exists.",
                remedy="Update it, or choose another id or tag.",
                pointer="/id",
            )
        )
    await template_store.refuse_unauthorised(context, key)
    await _refuse_breaking(context, template)
    template_id = await template_store.store(context, template, tag)
    return Done(
        context={"notification.type": "createpipelinetemplate", "pipelineTemplate.id": template_id},
        outputs={"pipelineTemplate.id": template_id},
    )


async def _refuse_breaking(context: TaskContext, template: JsonObject) -> None:
    """What is new becomes the latest: pipelines may have got another one until now."""
    template_id = template_references.undecorated(str(template["id"]))
    latest = template_references.tagged(template_id, template_references.LATEST)
    stored = {one.id for one in await template_store.copies(context, template_id)}
    if latest in stored:
        await template_store.refuse_breaking(context, template, template_store.meant_by(template_id, (latest,), stored))


stage = StageType(
    name="createV2PipelineTemplate",
    label="Create Pipeline Template",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="createV2PipelineTemplate", run=create),),
)
