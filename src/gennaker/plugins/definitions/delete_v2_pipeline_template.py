"""Delete v2 pipeline template: removes a tag or a digest of a template, or all of it; refused while pipelines use it."""

from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model import template_references
from gennaker.model.codec import JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.definitions import template_store


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON; tag and digest exclude each other, and without either all copies are removed."""

    pipeline_template_id: str
    tag: str | None = None
    digest: str | None = None


async def delete(context: TaskContext) -> TaskResult:
    """Marks the copies as deleted; their revisions stay."""
    own: JsonObject = context.stage.context
    template_id = template_references.undecorated(str(own.get("pipelineTemplateId") or ""))
    tag, digest = str(own.get("tag") or ""), str(own.get("digest") or "")
    if tag and digest:
        raise Refused(
            Problem(
                code="template.tag_and_digest", message="Either a tag or a digest can be deleted, not both at once."
            )
        )
    stored = [one.id for one in await template_store.copies(context, template_id)]
    keys = stored
    if tag or digest:
        wanted = template_references.tagged(template_id, tag)
        wanted = template_references.digested(template_id, digest) if digest else wanted
        keys = [key for key in keys if key == wanted]
    used = await template_store.dependents(context, template_store.meant_by(template_id, keys, stored))
    if used:
        names = ", ".join(f"{one.body.get('application')}: {one.body.get('name')}" for one in used)
        raise Refused(
            Problem(
                code="template.in_use",
                message=f"The pipeline template {template_id!r} is still used by {names}.",
                remedy="Delete those pipelines, or let them use another template.",
            )
        )
    await template_store.refuse_unauthorised(context, template_id)
    for key in keys:
        await context.services.definitions.delete(template_references.KIND, key, author=context.sight.user)
    return Done(context={"notification.type": "deletepipelinetemplate", "pipeline.id": template_id})


stage = StageType(
    name="deleteV2PipelineTemplate",
    label="Delete Pipeline Template",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="deleteV2PipelineTemplate", run=delete),),
)
