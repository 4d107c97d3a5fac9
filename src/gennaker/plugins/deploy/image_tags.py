"""Image tags: what pipelines say of an image (`released: yes`), to find it by later: Orca's upsertImageTags, findImageFromTags.

An application's own pipelines keep them, for themselves: whoever may start those of another application can't make these deploy
another image. An image is known by its digest: a tag of the registry that moves on takes nothing with it. Of several that fit
the one that was tagged last is found: where an older version is tagged again, it is meant.
"""

import contextlib
from datetime import datetime, timedelta

import msgspec

from gennaker.interfaces.documents import Documents, VersionMismatch
from gennaker.interfaces.stages import StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.event import Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.deploy import images

_NAMESPACE = "deploy.image-tags"
_ATTEMPTS = 20
_LISTED = 5
_KEPT = 1000
"""Images of an application with tags: those that were tagged last."""


class TagSpec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The JSON of upsertImageTags."""

    image_name: str | None = None
    image_names: tuple[str, ...] | None = ()
    """Neither: the image that a deploy stage in this place would take."""
    tags: JsonObject | None = None
    """By name; null takes one away."""


class FindSpec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The JSON of findImageFromTags."""

    package_name: str = ""
    """Of the image: its repository, with or without the registry's host, or that one's last part."""
    tags: JsonObject | None = None
    """An image must have them all."""


class Tagged(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is said of one image."""

    image: str
    version: str = ""
    tags: dict[str, str]
    tagged_at: datetime


async def tag(context: TaskContext) -> TaskResult:
    """Adds tags to what an image has; a repeat does the same again."""
    tags = _tags(context)
    chosen = await _chosen(context)
    documents, before = context.services.documents(_NAMESPACE), JsonObject()
    for one in chosen:
        pinned = await _pinned(context, one.reference)
        before[pinned] = to_json(
            await _put(documents, context, images.Chosen(reference=pinned, version=one.version), tags)
        )
    await _forget_oldest(documents, _prefix(context))
    targets: list[Json] = [{"imageName": name, "imageId": name} for name in before]
    return Done(context={"targets": targets, "originalTags": before}, outputs={"targets": targets})


async def find(context: TaskContext) -> TaskResult:
    """The image that was tagged last among those that have all these tags."""
    own = context.stage.context
    package = foreign.text_at(own, "packageName")
    if not package:
        raise Refused(
            _problem("image_tags.package", "The stage names no package.", "Give `packageName`.", "/packageName")
        )
    wanted = {name: value for name, value in _tags(context).items() if value is not None}
    if not wanted:
        message = "All tags of the stage are null: any image would do."
        raise Refused(_problem("image_tags.none", message, 'Give `tags` values: {"released": "yes"}.', "/tags"))
    known = [
        msgspec.convert(one.body, Tagged) for one in await context.services.documents(_NAMESPACE).list(_prefix(context))
    ]
    there = [one for one in known if _is_of(one.image, package)]
    fitting = [one for one in there if wanted.items() <= one.tags.items()]
    if not fitting:
        raise Refused(_none(package, wanted, there))
    found = max(fitting, key=lambda one: (one.tagged_at, one.image))
    artifact: JsonObject = {
        "type": "docker/image",
        "name": _name(found.image),
        "version": found.version or images.tag_of(found.image),
        "reference": found.image,
    }
    detail: JsonObject = {
        "ami": found.image,
        "imageId": found.image,
        "imageName": found.image,
        "version": artifact["version"],
        "cloudProvider": foreign.text_at(own, "cloudProvider"),
        "refId": context.stage.ref_id,
        "tags": to_json(found.tags),
    }
    return Done(
        context={"amiDetails": [detail], "artifacts": [artifact]},
        outputs={"deploymentDetails": [detail], "artifacts": [artifact]},
    )


async def _put(
    documents: Documents, context: TaskContext, image: images.Chosen, tags: dict[str, str | None]
) -> dict[str, str]:
    """Returns the tags of before."""
    key = f"{_prefix(context)}{image.reference}"
    for _ in range(_ATTEMPTS):
        document = await documents.get(key)
        before = msgspec.convert(document.body, Tagged) if document else None
        had = before.tags if before else {}
        kept = {name: value for name, value in {**had, **tags}.items() if value is not None}
        version = image.version or (before.version if before else "")
        after = Tagged(image=image.reference, version=version, tags=kept, tagged_at=context.at)
        try:
            if kept:
                await documents.put(
                    key, foreign.mapping(to_json(after)), if_version=document.version if document else 0
                )
            elif document:
                await documents.delete(key, if_version=document.version)
        except VersionMismatch:
            continue
        return had
    message = f"The tags of {image.reference} are changed by too many at once."
    raise Refused(_problem("image_tags.busy", message, "Restart the stage.", "/imageNames"), status=409)


async def _forget_oldest(documents: Documents, prefix: str) -> None:
    """Those beyond the newest that are kept for an application."""
    listed = await documents.list(prefix)
    known = sorted(listed, key=lambda one: msgspec.convert(one.body, Tagged).tagged_at)
    for one in known[:-_KEPT]:
        with contextlib.suppress(VersionMismatch):  # tagged again or forgotten meanwhile
            await documents.delete(one.key, if_version=one.version)


async def _chosen(context: TaskContext) -> list[images.Chosen]:
    own = context.stage.context
    named = [foreign.text_at(own, "imageName"), *(foreign.text(one) for one in foreign.items(own.get("imageNames")))]
    listed = [one for one in dict.fromkeys(named) if one]
    return [images.choose(context, one, None) for one in listed] or [images.choose(context, None, None)]


async def _pinned(context: TaskContext, reference: str) -> str:
    """With its digest, as far as a registry can be asked."""
    name, _, digest = reference.partition("@")
    host, _, rest = name.partition("/")
    registry = next((one for one in context.services.registries.values() if one.host == host), None)
    if digest or registry is None:
        return reference
    repository, _, version = rest.rpartition(":") if ":" in rest else (rest, "", "latest")
    found = await registry.resolve(repository, version)
    if found is None:
        message = f"The registry {host} has no image {rest}."
        raise Refused(_problem("image_tags.no_image", message, "Push it, or mend the name.", "/imageNames"), status=404)
    return f"{host}/{repository}@{found}"


def _tags(context: StageContext) -> dict[str, str | None]:
    given = foreign.mapping(context.stage.context.get("tags"))
    if not given:
        message = "The stage names no tags."
        raise Refused(_problem("image_tags.none", message, 'Give `tags`: {"released": "yes"}.', "/tags"))
    return {name: None if value is None else foreign.written(value) for name, value in given.items()}


def _prefix(context: StageContext) -> str:
    return f"{context.execution.head.application.lower()}/"


def _name(image: str) -> str:
    name = image.partition("@")[0]
    return name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name


def _is_of(image: str, package: str) -> bool:
    return f"/{_name(image)}".endswith(f"/{package}")


def _none(package: str, wanted: dict[str, str], there: list[Tagged]) -> Problem:
    said = ", ".join(f"{name}={value}" for name, value in wanted.items())
    listed = "; ".join(
        f"{one.image} has {', '.join(f'{name}={value}' for name, value in one.tags.items()) or 'none'}"
        for one in sorted(there, key=lambda one: one.tagged_at, reverse=True)[:_LISTED]
    )
    message = f"Could not find tagged image for package: {package} and tags: {said}."
    return _problem(
        "image_tags.not_found",
        f"{message} Of this package: {listed}."
        if listed
        else f"{message} The application has tagged none of this package.",
        "Tag one by a stage upsertImageTags of the same application.",
        "/tags",
    )


def _problem(code: str, message: str, remedy: str, pointer: str) -> Problem:
    return Problem(code=code, message=message, remedy=remedy, pointer=pointer)


tagging = StageType(
    name="upsertImageTags",
    label="Tag Image",
    about="Tag Image: says something of an image, by which findImageFromTags finds it.",
    spec=TagSpec,
    tasks=(TaskType(name="upsertImageTags", run=tag, timeout=timedelta(minutes=10)),),
    aliases=("tagImage",),
    restart_clears=("targets", "originalTags"),
)
finding = StageType(
    name="findImageFromTags",
    label="Find Image from Tags",
    about="Find Image from Tags: the image of a package that has these tags.",
    spec=FindSpec,
    tasks=(TaskType(name="findImage", run=find, timeout=timedelta(minutes=10)),),
    restart_clears=("amiDetails", "artifacts"),
)
