"""Matching: which triggers of which pipelines an event fires, and what their executions are given.

Theory of operation. A trigger type is served by one `_Handler`: the event's type, the successful-event test, the trigger's
mandatory fields, the match, and what the runtime trigger takes from the event. Everything else (disabled pipelines,
duplicates, artifact constraints, signatures) is common to all. Source: Echo's trigger event handlers.

Signatures are the one thing that isn't a plain yes or no: the caller must know when a delivery would have matched but for
its signature. Hence `Matches.unsigned`.
"""

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

import msgspec

from gennaker.model import artifact_matching
from gennaker.model.artifact import Artifact, ExpectedArtifact
from gennaker.model.codec import Json, JsonObject, encode_sorted, to_json
from gennaker.model.foreign import flag, mapping, mappings, said_at
from gennaker.patterns.errors import PatternError
from gennaker.triggers import constraints, patterns, signatures


class EventFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event as triggers see it."""

    type: str
    source: str = ""
    content: JsonObject = {}
    payload: JsonObject = {}
    raw: bytes = b""
    headers: dict[str, list[str]] = {}
    """Names in lower case."""
    attributes: dict[str, str] = {}
    event_id: str = ""


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """One execution to start."""

    pipeline: JsonObject
    trigger: JsonObject
    """The runtime trigger: the configured one with what the event tells."""
    artifacts: tuple[Artifact, ...] = ()


class Matches(msgspec.Struct, frozen=True, kw_only=True):
    """What an event fires."""

    found: tuple[Match, ...] = ()
    unsigned: int = 0
    """Triggers that would have matched had the delivery's signature been right."""
    undecided: tuple[str, ...] = ()
    """Why triggers weren't compared with the event, and start nothing: their patterns would cost too much."""


def match(event: EventFacts, pipelines: Iterable[JsonObject], *, shared_secret: str = "") -> Matches:
    """All executions that the event starts; two identical triggers of one pipeline start one."""
    handlers = [handler for handler in _HANDLERS if handler.takes(event) and handler.is_successful(event)]
    found: dict[bytes, Match] = {}
    unsigned = 0
    undecided: list[str] = []
    for pipeline in pipelines:
        if flag(pipeline.get("disabled")):
            continue
        for trigger in _triggers(pipeline):
            for handler in handlers:
                try:
                    if trigger["type"] not in handler.types or not handler.matches(trigger, event):
                        continue
                except PatternError as error:
                    undecided.append(error.message)
                    continue
                made = _match(handler, pipeline, trigger, event)
                if made is None:
                    continue
                if not _is_signed(trigger, event, shared_secret):
                    unsigned += 1
                    continue
                found.setdefault(encode_sorted((pipeline.get("id"), made.trigger)), made)
    return Matches(found=tuple(found.values()), unsigned=unsigned, undecided=tuple(undecided))


class _Handler(msgspec.Struct, frozen=True, kw_only=True):
    types: tuple[str, ...]
    """Trigger types that it serves."""
    takes: Callable[[EventFacts], bool]
    is_successful: Callable[[EventFacts], bool] = lambda _: True
    matches: Callable[[JsonObject, EventFacts], bool]
    fields: Callable[[JsonObject, EventFacts], JsonObject]
    """What the runtime trigger takes from the event; None values remove a key."""
    artifacts: Callable[[EventFacts], list[JsonObject]]


def _triggers(pipeline: JsonObject) -> list[JsonObject]:
    triggers = pipeline.get("triggers")
    if not isinstance(triggers, list):
        return []
    return [t for t in triggers if isinstance(t, dict) and flag(t.get("enabled")) and t.get("type")]


def _match(handler: _Handler, pipeline: JsonObject, trigger: JsonObject, event: EventFacts) -> Match | None:
    artifacts = tuple(artifact_matching.read(artifact) for artifact in handler.artifacts(event))
    if not _satisfies_artifacts(pipeline, trigger, artifacts):
        return None
    fields: JsonObject = {"eventId": event.event_id, **handler.fields(trigger, event)}
    runtime: JsonObject = {key: value for key, value in {**trigger, **fields}.items() if value is not None}
    runtime.pop("secret", None)
    return Match(pipeline=pipeline, trigger=runtime, artifacts=artifacts)


def _satisfies_artifacts(pipeline: JsonObject, trigger: JsonObject, artifacts: tuple[Artifact, ...]) -> bool:
    """At least one artifact matches at least one of the expected ones that the trigger names."""
    ids = trigger.get("expectedArtifactIds")
    if not isinstance(ids, list) or not ids:
        return True
    expected: list[ExpectedArtifact] = [
        artifact_matching.read_expected(one)
        for one in mappings(pipeline.get("expectedArtifacts"))
        if one.get("id") in ids
    ]
    try:
        return any(
            artifact_matching.matches(wanted.match_artifact, artifact) for wanted in expected for artifact in artifacts
        )
    except artifact_matching.InvalidPattern:
        return False


def _is_signed(trigger: JsonObject, event: EventFacts, shared_secret: str) -> bool:
    if trigger["type"] != "git":
        return True
    secret = said_at(trigger, "secret") or shared_secret
    return signatures.is_accepted(secret, event.headers, event.raw)


# git


def _git_matches(trigger: JsonObject, event: EventFacts) -> bool:
    content = event.content
    pairs = (("source", event.source), ("project", content.get("repoProject")), ("slug", content.get("slug")))
    for key, value in pairs:
        wanted = trigger.get(key)
        if wanted is None or str(wanted).lower() != str(value or "").lower():
            return False
    branch, events = said_at(trigger, "branch"), trigger.get("events")
    if branch and not patterns.is_full_match(branch, said_at(content, "branch")):
        return False
    if isinstance(events, list) and events and content.get("action") not in events:
        return False
    return _touches(trigger.get("paths"), content.get("changedFiles"))


def _touches(paths: Json, changed: Json) -> bool:
    """Whether a push concerns a trigger's `paths`; a push that doesn't tell all its files concerns every trigger."""
    if not isinstance(paths, list) or not paths or not isinstance(changed, list):
        return True
    return any(_is_below(str(file), str(path)) for file in changed for path in paths)


def _is_below(file: str, path: str) -> bool:
    if path.endswith("/**"):
        return file.startswith(path[:-2])
    return fnmatchcase(file, path) or file.startswith(path.rstrip("/") + "/")


def _git_fields(trigger: JsonObject, event: EventFacts) -> JsonObject:
    content = event.content
    facts = {key: content[key] for key in ("number", "draft", "state", "title") if content.get(key) is not None}
    fields: JsonObject = {
        "hash": content.get("hash"),
        "branch": content.get("branch"),
        "action": content.get("action"),
        "tag": None,
        "buildNumber": None,
    }
    if facts:
        given = trigger.get("properties")
        fields["properties"] = {**(given if isinstance(given, dict) else {}), **facts}
    return fields


# docker and other registries


def _registry(event_type: str, artifact_type: str) -> _Handler:
    def artifacts(event: EventFacts) -> list[JsonObject]:
        content = event.content
        name = f"{said_at(content, 'registry')}/{said_at(content, 'repository')}"
        tag = said_at(content, "tag")
        pinned = said_at(content, "pinned")
        return [
            {
                "type": artifact_type,
                "name": name,
                "version": tag,
                "reference": pinned or f"{name}:{tag}",
            }
        ]

    return _Handler(
        types=(event_type,),
        takes=lambda event: event.type.lower() == event_type,
        is_successful=lambda event: bool(said_at(event.content, "tag")),
        matches=_tag_matches,
        fields=lambda _, event: {"tag": event.content.get("tag"), "digest": event.content.get("digest")},
        artifacts=artifacts,
    )


def _tag_matches(trigger: JsonObject, event: EventFacts) -> bool:
    for key in ("account", "repository"):
        if trigger.get(key) is None or trigger[key] != event.content.get(key):
            return False
    pattern, tag = said_at(trigger, "tag").strip(), said_at(event.content, "tag")
    return patterns.is_full_match(pattern, tag) if pattern else tag != "latest"


# builds


def _build(event: EventFacts) -> JsonObject:
    return mapping(mapping(event.content.get("project")).get("lastBuild"))


def _build_matches(trigger: JsonObject, event: EventFacts) -> bool:
    project = event.content.get("project")
    name = project.get("name") if isinstance(project, dict) else None
    if trigger.get("job") is None or trigger.get("master") is None:
        return False
    if trigger["job"] != name or trigger["master"] != event.content.get("master"):
        return False
    properties = event.content.get("properties")
    wanted = trigger.get("payloadConstraints")
    return constraints.hold_flat(mapping(wanted), mapping(properties))


def _build_fields(_: JsonObject, event: EventFacts) -> JsonObject:
    build = _build(event)
    return {
        "buildNumber": build.get("number"),
        "link": build.get("url"),
        "buildInfo": event.content.get("buildInfo"),
        "properties": event.content.get("properties"),
        "hash": None,
        "tag": None,
    }


# webhooks and messages


def _webhook_matches(trigger: JsonObject, event: EventFacts) -> bool:
    if said_at(trigger, "type").lower() != event.type.lower() or trigger.get("source") != event.source:
        return False
    if trigger["type"] == "cdevents" and not _headers_hold(trigger, event):
        return False
    return constraints.hold(mapping(trigger.get("payloadConstraints")), event.payload)


def _headers_hold(trigger: JsonObject, event: EventFacts) -> bool:
    wanted = mapping(trigger.get("attributeConstraints"))
    return all(constraints.java_text(value) in event.headers.get(key.lower(), ()) for key, value in wanted.items())


def _message(event: EventFacts) -> JsonObject:
    return mapping(event.content.get("messageDescription"))


def _pubsub_matches(trigger: JsonObject, event: EventFacts) -> bool:
    message = _message(event)
    for key in ("subscriptionName", "pubsubSystem"):
        wanted = said_at(trigger, key)
        if not wanted or wanted.lower() != said_at(message, key).lower():
            return False
    attributes = mapping(message.get("messageAttributes"))
    return constraints.hold_flat(mapping(trigger.get("payloadConstraints")), event.payload) and constraints.hold_flat(
        mapping(trigger.get("attributeConstraints")), attributes
    )


def _pubsub_fields(_: JsonObject, event: EventFacts) -> JsonObject:
    message, payload = _message(event), event.payload
    link, text = payload.get("link"), payload.get("linkText")
    has_link = isinstance(link, str) and isinstance(text, str) and link.strip() and text.strip()
    return {
        "subscriptionName": message.get("subscriptionName"),
        "pubsubSystem": message.get("pubsubSystem"),
        "parameters": payload.get("parameters") or {},
        "payload": payload,
        **({"link": link, "linkText": text} if has_link else {}),
    }


# what other systems publish


def _published(event_type: str, key: str) -> _Handler:
    return _Handler(
        types=(event_type,),
        takes=lambda event: event.type.lower() == event_type,
        matches=lambda trigger, event: trigger.get(key) is not None and trigger[key] == event.content.get("name"),
        fields=lambda _, event: {key: event.content.get("name")},
        artifacts=lambda event: mappings([event.content.get("artifact")]),
    )


def _plugin_matches(trigger: JsonObject, event: EventFacts) -> bool:
    wanted = said_at(trigger, "pluginEventType") or "PUBLISHED"
    return wanted.lower() == (event.attributes.get("pluginEventType") or "PUBLISHED").lower()


_PLUGIN_KEYS = [
    "pluginId",
    "description",
    "provider",
    "version",
    "releaseDate",
    "requires",
    "parsedRequires",
    "binaryUrl",
    "sha512sum",
]


def _plugin_fields(_: JsonObject, event: EventFacts) -> JsonObject:
    told = {key: event.content.get(key) for key in _PLUGIN_KEYS}
    return {"pluginEventType": event.attributes.get("pluginEventType") or "PUBLISHED", **told}


_HANDLERS = (
    _Handler(
        types=("git",),
        takes=lambda event: event.type.lower() == "git",
        matches=_git_matches,
        fields=_git_fields,
        artifacts=lambda event: mappings(event.content.get("artifacts")),
    ),
    _registry("docker", "docker/image"),
    _registry("helm/oci", "helm/image"),
    _Handler(
        types=("jenkins", "travis", "concourse", "gitlab-ci"),
        takes=lambda event: event.type.lower() == "build",
        is_successful=lambda event: (
            _build(event).get("result") == "SUCCESS" and _build(event).get("building") is not True
        ),
        matches=_build_matches,
        fields=_build_fields,
        artifacts=lambda event: mappings(_build(event).get("artifacts")),
    ),
    _Handler(
        types=("webhook", "cdevents"),
        takes=lambda event: event.type.lower() != "manual",
        matches=_webhook_matches,
        fields=lambda _, event: {"parameters": event.content.get("parameters"), "payload": event.payload},
        artifacts=lambda event: mappings(event.content.get("artifacts")),
    ),
    _Handler(
        types=("pubsub",),
        takes=lambda event: event.type.lower() == "pubsub",
        matches=_pubsub_matches,
        fields=_pubsub_fields,
        artifacts=lambda event: mappings(_message(event).get("artifacts")),
    ),
    _published("artifactory", "artifactorySearchName"),
    _published("nexus", "nexusSearchName"),
    _Handler(
        types=("plugin",),
        takes=lambda event: event.type.lower() == "plugin",
        matches=_plugin_matches,
        fields=_plugin_fields,
        artifacts=lambda _: [],
    ),
)
SERVED = frozenset(kind for handler in _HANDLERS for kind in handler.types)
"""Trigger types that events of others fire; those that fire by themselves, or by people, come on top."""


def artifacts_json(artifacts: Iterable[Artifact]) -> list[Json]:
    """Artifacts as the trigger of an execution holds them."""
    return [to_json(artifact) for artifact in artifacts]
