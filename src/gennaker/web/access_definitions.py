"""Access to definitions: what reading, changing and restoring pipelines, strategies, templates, projects and canary configs takes."""

from gennaker.interfaces.services import Services
from gennaker.model import foreign, needs, template_references
from gennaker.model.codec import JsonObject
from gennaker.model.permissions import Need, Right
from gennaker.web import access_asking
from gennaker.web.access_asking import Asked, Rule

_CANARY_CONFIG = "canary-config"
_REVISIONS = 200
"""So many are looked at: any of them may be restored."""


def stored(kind: str, right: Right, key: str) -> Rule:
    """The application of the pipeline or strategy that the path names, deleted ones included."""

    async def rule(request: Asked, services: Services) -> tuple[Need, ...]:
        return await _of_stored(services, kind, str(request.path_params[key]), right)

    return rule


async def canary_config(request: Asked, services: Services) -> tuple[Need, ...]:
    """The applications that it names, as it is stored and as it will be; one that names none is everybody's."""
    body = await access_asking.body(request)
    wanted = foreign.text(request.path_params.get("config_id") or body.get("id") or body.get("name"))
    stored = await services.definitions.get(_CANARY_CONFIG, wanted) if wanted else None
    return _of_canary_configs(Right.WRITE, body, *((stored.body,) if stored else ()))


def _of_canary_configs(right: Right, *bodies: JsonObject) -> tuple[Need, ...]:
    named = [foreign.text(one) for body in bodies for one in foreign.items(body.get("applications"))]
    return tuple(Need(right=right, application=name) for name in dict.fromkeys(named) if name)


def of_any_kind(right: Right) -> Rule:
    """Native revisions: pipelines, strategies and applications are their applications'; of others anybody may know."""

    async def rule(request: Asked, services: Services) -> tuple[Need, ...]:
        kind, wanted = str(request.path_params["kind"]), str(request.path_params["definition_id"])
        if kind == "applications":
            return (Need(right=right, application=wanted),)
        if kind == "canary-configs" and right is not Right.READ:
            revisions = await services.definitions.history(_CANARY_CONFIG, wanted, _REVISIONS)
            return _of_canary_configs(right, *(one.body for one in revisions))
        if kind in ("templates", "projects") and right is not Right.READ:
            return await _of_shared(request, services, kind, wanted)
        singular = {"pipelines": "pipeline", "strategies": "strategy"}.get(kind)
        return await _of_stored(services, singular, wanted, right) if singular else ()

    return rule


async def _of_shared(request: Asked, services: Services, kind: str, wanted: str) -> tuple[Need, ...]:
    """Templates and projects belong to no application: to those that use them, or to who has saved them."""
    singular = {"templates": template_references.KIND, "projects": "project"}[kind]
    revisions = await services.definitions.history(singular, wanted, _REVISIONS)
    is_own = any(one.author == request.scope["state"]["principal"].name for one in revisions)
    if kind == "templates":
        listed = [one.body for one in await services.definitions.list("pipeline")]
        users = template_references.users(wanted, listed)
        return needs.of_template(users, is_new=not revisions, is_own=is_own)
    known = {one.id.lower() for one in await services.definitions.list("application")}
    before = revisions[0].body if revisions else None
    found = [need for one in revisions for need in needs.of_project(before, one.body, is_own=is_own, known=known)]
    return tuple(dict.fromkeys(found))


async def _of_stored(services: Services, kind: str, wanted: str, right: Right) -> tuple[Need, ...]:
    found = await services.definitions.history(kind, wanted, 1)
    return tuple(Need(right=right, application=foreign.text(one.body.get("application"))) for one in found)
