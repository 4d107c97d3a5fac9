"""Webhooks of source-code hosts: GitHub, GitLab, Bitbucket and Stash, brought into one form.

Source: Echo's handlers, kinds inferred from the body as there. `changedFiles` is Gennaker's own: the files that a push
touches, or null where the payload doesn't tell them all.
"""

from collections.abc import Callable, Mapping, Sequence

from gennaker.model.codec import Json, JsonObject
from gennaker.model.foreign import needed, said_at
from gennaker.model.problems import Problem, Refused

_NO_HASH = "0" * 40
_MOST_COMMITS_TOLD = 20
"""GitHub lists no more commits than this in a push: then there may be others."""

Headers = Mapping[str, Sequence[str]]


def normalise(source: str, body: JsonObject, headers: Headers) -> JsonObject | None:
    """The event's content: the body plus `repoProject`, `slug`, `hash`, `branch`, `action` and the like.

    None for what must not go on (pings, deleted refs). Raises Refused for an unknown source or a body that lacks what
    its handler needs.
    """
    handler = _HANDLERS.get(source)
    if handler is None:
        raise Refused(
            Problem(
                code="webhook.unknown_source",
                message=f"There is no handler for git webhooks of {source!r}.",
                remedy=f"Use one of {', '.join(sorted(_HANDLERS))}, or a webhook trigger at /webhooks/webhook/{source}.",
            )
        )
    try:
        found = handler(body, headers)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise Refused(
            Problem(
                code="webhook.incomplete",
                message=f"This is not a webhook of {source} as it should be: {error} is missing.",
                remedy="Send the host's own payload as JSON.",
            )
        ) from error
    return None if found is None else {**body, **found}


def _github(body: JsonObject, headers: Headers) -> JsonObject | None:
    # A ping, of an organisation's hook or an app's without a repository; Echo knows it by its body alone.
    if "hook_id" in body or headers.get("x-github-event") == ["ping"]:
        return None
    repository = needed(body, "repository")
    owner = needed(repository, "owner")
    if "pull_request" in body:
        return _github_pull_request(body, repository, owner)
    if body.get("ref_type") == "branch":
        return {
            "repoProject": said_at(owner, "login"),
            "slug": said_at(repository, "name"),
            "hash": "",
            "branch": said_at(body, "ref"),
            "action": f"branch:{headers['x-github-event'][0]}",
        }
    return {
        "repoProject": said_at(owner, "name"),
        "slug": said_at(repository, "name"),
        "hash": said_at(body, "after"),
        "branch": _branch(said_at(body, "ref")),
        "action": "push:push",
        "changedFiles": _changed_files(body),
    }


def _github_pull_request(body: JsonObject, repository: JsonObject, owner: JsonObject) -> JsonObject:
    request = needed(body, "pull_request")
    head = needed(request, "head")
    found: JsonObject = {
        "repoProject": said_at(owner, "login"),
        "slug": said_at(repository, "name"),
        "hash": said_at(head, "sha"),
        "branch": said_at(head, "ref"),
        "action": f"pull_request:{said_at(body, 'action')}",
    }
    for key in ("number", "draft", "state", "title"):
        value = body.get(key) if key == "number" else request.get(key)
        if value is not None:
            found[key] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


def _changed_files(body: JsonObject) -> Json:
    commits = body.get("commits")
    is_whole = (
        isinstance(commits, list)
        and 0 < len(commits) < _MOST_COMMITS_TOLD
        and not body.get("created")
        and not body.get("forced")
        and body.get("before") != _NO_HASH
    )
    if not is_whole or not isinstance(commits, list):
        return None
    files: dict[str, None] = {}
    for commit in commits:
        for kind in ("added", "modified", "removed"):
            touched = commit.get(kind) if isinstance(commit, dict) else None
            if not isinstance(touched, list):
                return None
            files.update((str(file), None) for file in touched)
    return list(files)


def _gitlab(body: JsonObject, headers: Headers) -> JsonObject | None:
    project = needed(body, "project")
    return {
        "repoProject": project["namespace"],
        "slug": project["name"],
        "hash": body["after"],
        "branch": _branch(str(body["ref"])),
        "action": said_at(body, "object_kind"),
        "changedFiles": _changed_files(body),
    }


def _bitbucket(body: JsonObject, headers: Headers) -> JsonObject | None:
    key = headers["x-event-key"][0] if headers.get("x-event-key") else ""
    if not body:
        return None
    found: JsonObject = {}
    if key == "repo:push":
        found = _bitbucket_cloud_push(body)
    elif key == "pullrequest:fulfilled":
        found = _bitbucket_cloud_merged(body)
    elif key == "pr:merged":
        found = _bitbucket_server_request(needed(needed(body, "pullRequest"), "toRef"))
        merge = needed(needed(needed(body, "pullRequest"), "properties"), "mergeCommit")
        found["hash"] = said_at(merge, "id")
    elif key in ("pr:opened", "pr:from_ref_updated", "pr:declined", "pr:deleted"):
        found = _bitbucket_server_request(needed(needed(body, "pullRequest"), "fromRef"))
    elif key == "repo:refs_changed":
        found = _bitbucket_server_push(body)
    if str(found.get("hash", "")).startswith("0" * 9):
        return None
    return {**found, "action": key} if found else {}


def _bitbucket_cloud_push(body: JsonObject) -> JsonObject:
    change = _first(needed(body, "push"), "changes")
    commit = _first(change, "commits")
    return {
        **_bitbucket_cloud_repository(body),
        "hash": said_at(commit, "hash"),
        "branch": said_at(needed(change, "new"), "name"),
    }


def _bitbucket_cloud_merged(body: JsonObject) -> JsonObject:
    request = needed(body, "pullrequest")
    return {
        **_bitbucket_cloud_repository(body),
        "hash": said_at(needed(request, "merge_commit"), "hash"),
        "branch": said_at(needed(needed(request, "destination"), "branch"), "name"),
    }


def _bitbucket_cloud_repository(body: JsonObject) -> JsonObject:
    repository = needed(body, "repository")
    owner = repository.get("owner")
    name = said_at(owner, "username") if isinstance(owner, dict) else ""
    return {
        "repoProject": name or said_at(needed(repository, "project"), "key"),
        "slug": repository["full_name"],
    }


def _bitbucket_server_request(ref: JsonObject) -> JsonObject:
    repository = needed(ref, "repository")
    return {
        "repoProject": said_at(needed(repository, "project"), "key"),
        "slug": said_at(repository, "slug"),
        "hash": said_at(ref, "latestCommit"),
        "branch": _branch(said_at(ref, "id")),
    }


def _bitbucket_server_push(body: JsonObject) -> JsonObject:
    repository = needed(body, "repository")
    change = _first(body, "changes")
    return {
        "repoProject": said_at(needed(repository, "project"), "key"),
        "slug": said_at(repository, "slug"),
        "hash": said_at(change, "toHash"),
        "branch": _branch(said_at(needed(change, "ref"), "id")),
    }


def _stash(body: JsonObject, headers: Headers) -> JsonObject | None:
    change = _first(body, "refChanges") if body.get("refChanges") else _first(body, "changes")
    if change["toHash"] == _NO_HASH:
        return None
    repository = needed(body, "repository")
    return {
        "repoProject": needed(repository, "project")["key"],
        "slug": repository["slug"],
        "hash": change["toHash"],
        "branch": _branch(str(change["refId"])),
        "action": "",
    }


_HANDLERS: dict[str, Callable[[JsonObject, Headers], JsonObject | None]] = {
    "github": _github,
    "gitlab": _gitlab,
    "bitbucket": _bitbucket,
    "stash": _stash,
}


def _branch(ref: str) -> str:
    return ref.removeprefix("refs/heads/")


def _first(value: JsonObject, key: str) -> JsonObject:
    found = value[key]
    if not isinstance(found, list) or not found or not isinstance(found[0], dict):
        raise KeyError(f"{key}[0]")
    return found[0]
