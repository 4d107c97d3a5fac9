"""Gate's routes to pipeline templates (v2). They are written by jobs, which the answer shows as they have ended."""

from base64 import b64encode
from typing import Annotated

from litestar import Controller, delete, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from gennaker.interfaces.definitions import Definition
from gennaker.model import foreign, template_references
from gennaker.model.codec import Json, JsonObject, encode
from gennaker.model.problems import Problem, Refused
from gennaker.model.saved_pipelines import PIPELINE
from gennaker.web import pipeline_saves
from gennaker.web.gate import jobs
from gennaker.web.ports import Asking, Ports, WebPorts

_KIND = template_references.KIND
_APPLICATION = "spinnaker"
"""Templates belong to none."""
SkipsPlans = Annotated[bool, QueryParameter(name="skipPlanDependents")]


class GateTemplatesController(Controller):
    """Routes under /v2/pipelineTemplates."""

    path = "/v2/pipelineTemplates"

    @get("/")
    async def all(
        self, ports: Ports, principal: Asking, scopes: FromQuery[list[str] | None] = None
    ) -> list[JsonObject]:
        """All templates under their ids and tags."""
        return [one.body for one in await _listed(ports, scopes)]

    @get("/versions")
    async def versions(self, ports: Ports, principal: Asking, scopes: FromQuery[list[str] | None] = None) -> JsonObject:
        """The same by id."""
        found: dict[str, list[Json]] = {}
        for one in await _listed(ports, scopes):
            found.setdefault(template_references.undecorated(one.id), []).append(one.body)
        return dict(found)

    @get("/{template_id:str}")
    async def one(
        self,
        ports: Ports,
        principal: Asking,
        template_id: FromPath[str],
        tag: FromQuery[str] = "",
        digest: FromQuery[str] = "",
    ) -> JsonObject:
        """One template, by tag or digest where given."""
        found = await _found(ports, template_id, tag, digest)
        return {key: value for key, value in found.body.items() if key not in ("tag", "digest")}

    @get("/{template_id:str}/dependentPipelines")
    async def dependents(self, ports: Ports, principal: Asking, template_id: FromPath[str]) -> list[JsonObject]:
        """The pipelines that are made from it, in any of its versions."""
        found = await ports.services.definitions.list(PIPELINE)
        return [pipeline_saves.shown(one) for one in found if template_references.template_of(one.body) == template_id]

    @post("/create", status_code=202)
    async def create(
        self, ports: Ports, principal: Asking, data: JSONBody[JsonObject], tag: FromQuery[str] = ""
    ) -> JsonObject:
        """Stores a new template."""
        job: JsonObject = {"type": "createV2PipelineTemplate", "pipelineTemplate": _encoded(data)}
        name = data.get("id")
        return await jobs.done(ports, principal, _request(f"Create pipeline template '{name}'", _tagged(job, tag)))

    @post("/update/{template_id:str}", status_code=202)
    async def update(
        self,
        *,
        ports: Ports,
        principal: Asking,
        template_id: FromPath[str],
        data: JSONBody[JsonObject],
        tag: FromQuery[str] = "",
        skips_plans: SkipsPlans = False,
    ) -> JsonObject:
        """Stores a new version of a template."""
        job: JsonObject = {
            "type": "updateV2PipelineTemplate",
            "id": template_id,
            "pipelineTemplate": _encoded({"id": template_id, **data}),
            "skipPlanDependents": skips_plans,
        }
        said = f"Update pipeline template '{template_id}'"
        return await jobs.done(ports, principal, _request(said, _tagged(job, tag)))

    @delete("/{template_id:str}", status_code=202)
    async def remove(
        self,
        ports: Ports,
        principal: Asking,
        template_id: FromPath[str],
        tag: FromQuery[str] = "",
        digest: FromQuery[str] = "",
        application: FromQuery[str] = _APPLICATION,
    ) -> JsonObject:
        """Deletes a template, or one tag or digest of it; clients demand 202."""
        job: JsonObject = {"type": "deleteV2PipelineTemplate", "pipelineTemplateId": template_id}
        if digest:
            job["digest"] = digest
        said = f"Delete pipeline template '{template_id}'"
        return await jobs.done(ports, principal, {**_request(said, _tagged(job, tag)), "application": application})


async def _listed(ports: WebPorts, scopes: list[str] | None) -> list[Definition]:
    """Without the copies that are kept under the digest of their content."""
    wanted = [one for one in scopes or [] if one]
    found = await ports.services.definitions.list(_KIND)
    return [one for one in found if "@" not in one.id and (not wanted or _is_in_scope(one.body, wanted))]


async def _found(ports: WebPorts, template_id: str, tag: str, digest: str) -> Definition:
    if tag and digest:
        raise Refused(
            Problem(code="template.tag_and_digest", message="Either a tag or a digest can be asked for, not both.")
        )
    keys = [template_references.tagged(template_id, tag)]
    if digest:
        keys = [template_references.digested(template_id, digest)]
    elif not tag:
        keys.append(template_references.tagged(template_id, template_references.LATEST))
    for key in keys:
        found = await ports.services.definitions.get(_KIND, key)
        if found is not None:
            return found
    raise Refused(Problem(code="template.unknown", message=f"There is no pipeline template {keys[0]!r}."), status=404)


def _is_in_scope(template: JsonObject, wanted: list[str]) -> bool:
    stored = foreign.items(foreign.mapping(template.get("metadata")).get("scopes"))
    return any(_is_like(foreign.text(one), scope) for one in stored for scope in wanted)


def _is_like(stored: str, scope: str) -> bool:
    """Stored scopes are names; `.*` in them stands for anything.

    No regular expression: of several `.*` it would try all ways. The first place of each part is as good as any other.
    """
    first, *parts = stored.lower().split(".*")
    name = scope.lower()
    if not parts:
        return name == first
    *inner, last = parts
    if not (name.startswith(first) and name.endswith(last) and len(name) >= len(first) + len(last)):
        return False
    at, end = len(first), len(name) - len(last)
    for part in inner:
        at = name.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def _encoded(template: JsonObject) -> str:
    """So that nothing in it is taken for an expression of the job."""
    return b64encode(encode(template)).decode()


def _tagged(job: JsonObject, tag: str) -> JsonObject:
    return {**job, "tag": tag} if tag else job


def _request(description: str, job: JsonObject) -> JsonObject:
    return {"application": _APPLICATION, "description": description, "job": [job]}
