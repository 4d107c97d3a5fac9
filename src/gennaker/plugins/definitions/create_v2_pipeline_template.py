"""Create v2 pipeline template: stores a template that is new, or new under its tag."""

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
    template_id = await template_store.store(context, template, tag)
    return Done(
        context={"notification.type": "createpipelinetemplate", "pipelineTemplate.id": template_id},
        outputs={"pipelineTemplate.id": template_id},
    )


stage = StageType(
    name="createV2PipelineTemplate",
    label="Create Pipeline Template",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="createV2PipelineTemplate", run=create),),
)
