"""Artifacts that well-known webhooks carry without saying so (Docker Hub, Quay, a registry, GitHub, GitLab, Nexus)."""

from urllib.parse import quote

from gennaker.model.codec import JsonObject
from gennaker.model.foreign import items, mappings, needed

_DOCKER_MANIFESTS = frozenset(
    f"application/vnd.docker.distribution.manifest.v{version}+json" for version in ("1", "2")
) | {"application/vnd.docker.distribution.manifest.v1+prettyjws"}


def extract(event_type: str, source: str, body: JsonObject) -> list[JsonObject]:
    """All artifacts found; none where the body isn't of the expected form."""
    try:
        return _extract(event_type, source, body)
    except (KeyError, TypeError, AttributeError):
        return []


def _extract(event_type: str, source: str, body: JsonObject) -> list[JsonObject]:
    match (event_type, source):
        case ("git", "github"):
            return _github(body)
        case ("git", "gitlab"):
            return _gitlab(body)
        case (_, "dockerhub"):
            return _docker_hub(body)
        case (_, "quay"):
            return _quay(body)
        case (_, "dockerregistry"):
            return _registry(body)
        case (_, "nexus"):
            return _nexus(body)
        case _:
            return []


def _files(body: JsonObject) -> list[str]:
    files: dict[str, None] = {}
    for commit in mappings(body.get("commits")):
        for kind in ("added", "modified"):
            files.update((str(file), None) for file in items(commit.get(kind)))
    return list(files)


def _github(body: JsonObject) -> list[JsonObject]:
    base = str(needed(body, "repository")["contents_url"])
    return [
        {"type": "github/file", "name": file, "version": body["after"], "reference": base.replace("{+path}", file)}
        for file in _files(body)
    ]


def _gitlab(body: JsonObject) -> list[JsonObject]:
    project = needed(body, "project")
    path = str(project["path_with_namespace"])
    base = str(project["homepage"]).removesuffix(f"/{path}")
    api = f"{base}/api/v4/projects/{quote(path, safe='')}/repository/files"
    return [
        {
            "type": "gitlab/file",
            "name": file,
            "version": body["after"],
            "reference": f"{api}/{quote(file, safe='')}/raw",
        }
        for file in _files(body)
    ]


def _docker_hub(body: JsonObject) -> list[JsonObject]:
    name = f"index.docker.io/{needed(body, 'repository')['repo_name']}"
    push = needed(body, "push_data")
    return [
        {
            "type": "docker/image",
            "name": name,
            "version": push["tag"],
            "reference": f"{name}:{push['tag']}",
            "provenance": body.get("callback_url"),
            "metadata": {"pusher": push.get("pusher")},
        }
    ]


def _quay(body: JsonObject) -> list[JsonObject]:
    tags = items(body["updated_tags"])
    return [
        {
            "type": "docker/image",
            "name": body["docker_url"],
            "version": tag,
            "reference": f"{body['docker_url']}:{tag}",
            "provenance": body.get("homepage"),
        }
        for tag in tags
    ]


def _registry(body: JsonObject) -> list[JsonObject]:
    found: list[JsonObject] = []
    for event in mappings(body.get("events")):
        target = needed(event, "target")
        version, sign = target.get("tag"), ":"
        if not version:
            version, sign = target.get("digest"), "@"
        if event.get("action") != "push" or target.get("mediaType") not in _DOCKER_MANIFESTS or not version:
            continue
        name = f"{needed(event, 'request')['host']}/{target['repository']}"
        found.append({"type": "docker/image", "name": name, "version": version, "reference": f"{name}{sign}{version}"})
    return found


def _nexus(body: JsonObject) -> list[JsonObject]:
    component = needed(body, "component")
    name = f"{component['group']}:{component['name']}"
    return [
        {
            "type": "maven/file",
            "name": name,
            "reference": f"{name}:{component['version']}",
            "version": component["version"],
            "provenance": body.get("repositoryName"),
        }
    ]
