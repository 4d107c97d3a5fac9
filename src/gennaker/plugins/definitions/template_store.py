"""Template store: pipeline templates under their id or tag, as `latest`, and under the digest of their content."""

from collections.abc import Iterable

import msgspec

from gennaker.interfaces.definitions import Definition
from gennaker.interfaces.stages import TaskContext
from gennaker.model import needs, template_references
from gennaker.model.codec import JsonObject, milliseconds
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.definitions import encoded, owning, pipelines

_KIND = template_references.KIND


def given(context: TaskContext) -> tuple[JsonObject, str]:
    """The job's template and tag, checked. Raises Refused with all problems."""
    template = encoded.read_map(context, "pipelineTemplate")
    tag = str(context.stage.context.get("tag") or "")
    problems = list(context.services.checks.template(template))
    if tag and tag not in template_references.TAGS:
        problems.append(
            Problem(
                code="template.tag",
                message=f"The provided tag {tag!r} is not supported.",
                remedy=f"Tag must be one of {', '.join(template_references.TAGS)}.",
                pointer="/tag",
            )
        )
    if problems:
        raise Refused(*problems)
    return template, tag


async def store(context: TaskContext, template: JsonObject, tag: str) -> str:
    """Writes the template under its key, as the latest, and under its digest; returns its id."""
    template_id = template_references.undecorated(str(template["id"]))
    digest = template_references.digest_of({**template, "id": template_id})
    by_digest = template_references.digested(template_id, digest)
    own = template_references.tagged(template_id, tag)
    latest = template_references.tagged(template_id, template_references.LATEST)
    for key in dict.fromkeys((own, latest, by_digest)):
        found = await context.services.definitions.get(_KIND, key)
        if found is not None and found.body.get("digest") == digest:
            continue  # the same content: a repeat after a crash, or saved before
        body: JsonObject = {
            **template,
            "id": template_id,
            "digest": digest,
            "updateTs": str(milliseconds(context.at)),
            "lastModifiedBy": context.sight.user,
        }
        if template_references.tag_of(key):
            body["tag"] = template_references.tag_of(key)
        await context.services.definitions.save(
            _KIND, key, body, author=context.sight.user, if_revision=found.revision if found else None
        )
    return template_id


async def refuse_unauthorised(context: TaskContext, template_id: str) -> None:
    """Raises Refused (403) where pipelines of applications are made from it that whoever asks may not change, or it is somebody else's."""
    listed = await context.services.definitions.list(pipelines.KIND)
    applications = template_references.users(template_id, (one.body for one in listed))
    stored = await copies(context, template_references.undecorated(template_id))
    is_own = any([await owning.is_own_of(context, _KIND, one.id) for one in stored])
    await owning.refuse(context, needs.of_template(applications, is_new=not stored, is_own=is_own))


async def copies(context: TaskContext, template_id: str) -> list[Definition]:
    """All that is stored of a template: itself, its tags, its digests."""
    listed = await context.services.definitions.list(_KIND)
    return [one for one in listed if template_references.undecorated(one.id) == template_id]


def meant_by(template_id: str, changed: Iterable[str], stored: Iterable[str]) -> frozenset[str]:
    """The keys by which pipelines get what is stored under those that change: a bare id without a copy of its own means `latest`."""
    template_id, keys = template_references.undecorated(template_id), frozenset(changed)
    falls_back = template_references.tagged(template_id, template_references.LATEST) in keys
    return keys | {template_id} if falls_back and template_id not in stored else keys


async def dependents(context: TaskContext, keys: frozenset[str]) -> list[Definition]:
    """The pipelines that are made from a template stored under one of these keys."""
    found: list[Definition] = []
    for one in await context.services.definitions.list(pipelines.KIND):
        used = one.body.get("template")
        reference = used.get("reference") if isinstance(used, dict) else None
        if isinstance(reference, str) and template_references.key_of(reference) in keys:
            found.append(one)
    return found


async def refuse_breaking(context: TaskContext, template: JsonObject, keys: frozenset[str]) -> None:
    """Plans every pipeline that is made from the template with what is about to be stored. Raises Refused."""
    instead = dict.fromkeys(keys, template)
    problems: list[Problem] = []
    for one in await dependents(context, keys):
        checked = await context.services.checks.pipeline({**one.body, "id": one.id}, instead=instead)
        name = f"{one.body.get('application')}: {one.body.get('name')}"
        problems += [
            msgspec.structs.replace(problem, message=f"Pipeline {name} would break: {problem.message}")
            for problem in checked.problems
        ]
    if problems:
        raise Refused(*problems)
