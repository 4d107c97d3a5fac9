"""Update v2 pipeline template: stores a new version of a template; refused if a pipeline made from it would break."""

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
    id: str | None = None
    tag: str | None = None
    skip_plan_dependents: bool | str | None = False
    """Store it whatever becomes of the pipelines that are made from it."""


async def update(context: TaskContext) -> TaskResult:
    """Refuses what doesn't exist."""
    template, tag = template_store.given(context)
    template_id = template_references.undecorated(str(template["id"]))
    wanted = context.stage.context.get("id")
    if isinstance(wanted, str) and wanted and template_references.undecorated(wanted) != template_id:
        raise Refused(
            Problem(
                code="template.other_id",
                message=f"The template's id {template_id!r} isn't the one that is to be updated, {wanted!r}.",
                pointer="/pipelineTemplate/id",
            )
        )
    stored = [one.id for one in await template_store.copies(context, template_id)]
    if not stored:
        raise Refused(
            Problem(code="template.unknown", message=f"There is no pipeline template {template_id!r}."), status=404
        )
    await template_store.refuse_unauthorised(context, template_id)
    if str(context.stage.context.get("skipPlanDependents")).lower() != "true":
        latest = template_references.tagged(template_id, template_references.LATEST)
        changed = (template_references.tagged(template_id, tag), latest)
        keys = template_store.meant_by(template_id, changed, {*stored, changed[0]})
        await template_store.refuse_breaking(context, template, keys)
    await template_store.store(context, template, tag)
    return Done(
        context={"notification.type": "updatepipelinetemplate", "pipelineTemplate.id": template_id},
        outputs={"pipelineTemplate.id": template_id},
    )


stage = StageType(
    name="updateV2PipelineTemplate",
    label="Update Pipeline Template",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="updateV2PipelineTemplate", run=update),),
)
