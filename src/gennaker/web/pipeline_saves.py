"""Saving pipelines and strategies for all routes that do it: everything that is wrong is said, and then nothing is stored.

At once, and not by a job as Gate has it done: a job keeps the definition as it was sent, secrets of triggers included.
"""

from gennaker.interfaces.definitions import Definition
from gennaker.model import needs, saved_pipelines, trigger_secrets
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web.ports import WebPorts
from gennaker.web.preconditions import NO_CONDITIONS, Conditions


async def save(
    ports: WebPorts,
    principal: Principal,
    given: JsonObject,
    *,
    kind: str = saved_pipelines.PIPELINE,
    checks_staleness: bool = False,
    adopts_name: bool = False,
    conditions: Conditions = NO_CONDITIONS,
) -> tuple[Definition, list[Json]]:
    """Stores it, and returns warnings with it. Raises Refused(422; 412 where the conditions don't hold).

    Without an id it is new; `adopts_name`: unless there is one of the same name, which is then saved anew.
    """
    checked = await ports.services.checks.pipeline(given)
    if checked.problems:
        raise Refused(*checked.problems, status=422)
    given = {**given, "name": str(given["name"]).strip()}
    listed = await ports.services.definitions.list(kind, str(given["application"]))
    stored = {one.id: one.body for one in listed}
    pipeline_id = str(given.get("id") or "") or (adopts_name and _of_name(stored, given)) or ports.services.ids.uuid()
    existing = await ports.services.definitions.get(kind, pipeline_id)
    before = existing.body if existing else None
    await _refuse_unauthorised(ports, principal, given, before)
    await conditions.refuse_definition(ports.services.definitions, kind, pipeline_id)
    saved_pipelines.refuse_name(given, pipeline_id, stored)
    if checks_staleness:
        saved_pipelines.refuse_stale(given, before)
    body = saved_pipelines.completed(
        trigger_secrets.unmasked(given, before),
        pipeline_id,
        existing=before,
        stored=stored,
        stamp=saved_pipelines.Stamp(at=ports.services.clock.now(), user=principal.name),
    )
    revision = existing.revision if existing else None
    with conditions.writing():
        saved = await ports.services.definitions.save(
            kind, pipeline_id, body, author=principal.name, if_revision=revision
        )
    return saved, [to_json(warning) for warning in checked.warnings]


async def _refuse_unauthorised(
    ports: WebPorts, principal: Principal, given: JsonObject, before: JsonObject | None
) -> None:
    authoriser = ports.services.authoriser
    problem = await authoriser.refusal(principal, *needs.of_saving(given, before))
    for name in needs.run_as(given):
        problem = problem or await authoriser.refusal_to_act_as(principal, name)
    if problem is not None:
        raise Refused(problem, status=403)


def shown(definition: Definition) -> JsonObject:
    """A stored one as clients may see it."""
    return trigger_secrets.masked({**definition.body, "id": definition.id})


def unknown(kind: str, wanted: str, application: str = "") -> Refused:
    """There is none."""
    where = f"The application {application!r} has no" if application else "There is no"
    return Refused(Problem(code=f"{kind}.unknown", message=f"{where} {kind} {wanted!r}."), status=404)


def _of_name(stored: dict[str, JsonObject], given: JsonObject) -> str:
    same = (key for key, one in stored.items() if saved_pipelines.is_same_name(one.get("name"), given["name"]))
    return next(same, "")
