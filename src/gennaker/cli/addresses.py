"""Addresses: where the API has what a command names. People type anything: what can be no name is refused, the rest is quoted."""

from urllib.parse import quote

from gennaker.model.problems import Problem, Refused


def execution(execution_id: str) -> str:
    """Of an execution. Raises Refused (404)."""
    return f"/api/v1/executions/{_part(execution_id, 'execution')}"


def application(name: str) -> str:
    """Of an application. Raises Refused (404)."""
    return f"/api/v1/applications/{_part(name, 'application')}"


def pipeline(application_name: str, name: str) -> str:
    """Of a stored pipeline, by its name or id. Raises Refused (404)."""
    return f"{application(application_name)}/pipelines/{quote(name, safe='')}"


def imported(name: str) -> str:
    """Of an application as an import. Raises Refused (404)."""
    return f"/api/v1/imports/{_part(name, 'application')}"


def gate_application(name: str) -> str:
    """Of an application in Gate's form. Raises Refused (404)."""
    return f"/applications/{_part(name, 'application')}"


def gate_notifications(name: str) -> str:
    """Of an application's notifications in Gate's form. Raises Refused (404)."""
    return f"/notifications/application/{_part(name, 'application')}"


def gate_canary_config(config_id: str) -> str:
    """Of a canary config in Gate's form. Raises Refused (404)."""
    return f"/v2/canaryConfig/{_part(config_id, 'canary config')}"


def gate_execution(execution_id: str) -> str:
    """Of an execution in Gate's form. Raises Refused (404)."""
    return f"/pipelines/{_part(execution_id, 'execution')}"


def _part(name: str, what: str) -> str:
    """As one part of a path: of a slash in it the server would make two, of `..` the part above."""
    if name in ("", ".", "..") or "/" in name:
        raise Refused(
            Problem(
                code=f"{what}.unknown",
                message=f"There is no {what} {name!r}.",
                remedy=f"`gennaker list {what}s` names them.",
            ),
            status=404,
        )
    return quote(name, safe="")
