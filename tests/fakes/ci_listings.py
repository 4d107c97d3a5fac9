"""What fake CI systems list: jobs, their parameters and builds, in the vendors' forms. The systems are in ci_worlds.py."""

import re
from typing import Any

from tests.fakes.http_target import Answer

WORKFLOW = b"""
name: Build
on:
  push:
  workflow_dispatch:
    inputs:
      branch: {description: What is built, default: main, required: true}
      size: {type: choice, options: [small, large], default: small}
      gennaker_run: {description: For Gennaker}
jobs: {}
"""
VARIABLES = """
variables:
  INTERNAL: "1"
  branch: {description: What is built, value: main}
  size: {description: Of the machine, value: small, options: [small, large]}
  GENNAKER_KEY: {description: For Gennaker}
"""
PARAMETERS = b"""
parameters:
  - name: branch
    displayName: What is built
    default: main
  - name: size
    default: small
    values: [small, large]
  - {name: gennakerKey, default: ''}
steps: []
"""


def jenkins_tree(others: int) -> dict[str, Any]:
    """A job within a folder, an empty folder, and others."""
    team = {"name": "team", "jobs": [{"name": "app"}, {"name": "empty", "jobs": []}]}
    return {"jobs": [team, *({"name": f"other-{number}"} for number in range(others))]}


def github(path: str, *, others: int) -> Answer | None:
    """Repositories and workflows; others are in a second repository."""
    if path == "/user/repos":
        repositories = [{"full_name": "acme/app"}, {"full_name": "acme/old", "archived": True}]
        return Answer(body=[*repositories, {"full_name": "acme/gone"}, {"full_name": "acme/others"}])
    if path == "/repos/acme/app/actions/workflows":
        own = {"id": 2, "path": "dynamic/github-code-scanning/codeql"}
        return Answer(body={"workflows": [{"id": 1, "path": ".github/workflows/build.yml"}, own]})
    if path == "/repos/acme/others/actions/workflows":
        return Answer(body={"workflows": [{"path": f".github/workflows/{number}.yml"} for number in range(others)]})
    if path == "/repos/acme/app/actions/workflows/build.yml":
        url = "https://github.example.org/acme/app/blob/main/.github/workflows/build.yml"
        body = {"name": "Build", "path": ".github/workflows/build.yml", "state": "active", "html_url": url}
        return Answer(body=body)
    if path == "/repos/acme/app/contents/.github/workflows/build.yml":
        return Answer(body=WORKFLOW)
    return None


def gitlab(path: str, query: dict[str, list[str]], *, others: int) -> Answer | None:
    """Projects, page by page."""
    url = "https://gitlab.example.org/acme/app"
    project = {"path_with_namespace": "acme/app", "name_with_namespace": "Acme / App", "web_url": url}
    if path == "/api/v4/projects":
        assert query["membership"] == ["true"]
        size, page = int(query["per_page"][0]), int(query["page"][0])
        every = [project, *({"path_with_namespace": f"acme/other-{number}"} for number in range(others))]
        return Answer(body=every[size * (page - 1) : size * page])
    if path == "/api/v4/projects/acme%2Fapp":
        return Answer(body=project)
    if path == "/api/v4/projects/acme%2Fapp/ci/lint":
        assert query["content_ref"] == ["main"]
        return Answer(body={"valid": True, "errors": [], "merged_yaml": VARIABLES})
    return None


def azure(path: str, query: dict[str, list[str]], *, others: int) -> Answer | None:
    """Projects and pipelines; others are in a second project."""
    if path == "/_apis/projects":
        return Answer(body={"value": [{"name": "Shop"}, {"name": "Others"}]})
    if path == "/Shop/_apis/pipelines":
        return Answer(body={"value": [{"id": 7, "name": "app"}]})
    if path == "/Others/_apis/pipelines":
        return Answer(body={"value": [{"id": number, "name": "other"} for number in range(others)]})
    if path == "/Shop/_apis/pipelines/7":
        repository = {"id": "r-1", "type": "azureReposGit"}
        file = {"type": "yaml", "path": "/azure-pipelines.yml", "repository": repository}
        url = "https://dev.example.org/Shop/_build?definitionId=7"
        return Answer(body={"id": 7, "name": "app", "configuration": file, "_links": {"web": {"href": url}}})
    if path == "/Shop/_apis/git/repositories/r-1/items":
        assert query["path"] == ["/azure-pipelines.yml"]
        assert query["versionDescriptor.version"] == ["main"]
        return Answer(body=PARAMETERS)
    return None


def of_pipeline(query: dict[str, list[str]], builds: list[dict[str, Any]]) -> Answer:
    """Azure's builds of one pipeline, newest first."""
    assert re.fullmatch(r"\d+", query["$top"][0])
    found = builds[: int(query["$top"][0])] if query["definitions"] == ["7"] else []
    return Answer(body={"count": len(found), "value": found})
