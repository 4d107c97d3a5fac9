"""Pruning: what earlier runs of the same stage applied and this one no longer contains. Never what somebody else applied.

A stage of a stored pipeline is a set; what is in it is kept as a document for each account, by kind, namespace and name without
version. Whether an object is still the set's own its annotation tells (`docs/decisions/0033-pruning.md`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gennaker.interfaces.documents import Document, Documents, VersionMismatch
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageContext
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import annotations, kinds, manifests
from gennaker.plugins.kubernetes.deploying import Ready
from gennaker.plugins.kubernetes.kinds import Kind
from gennaker.plugins.kubernetes.manifests import Coordinates
from gennaker.plugins.kubernetes.objects import Objects

_VERSION = re.compile(r"-v[0-9]{3,}$")
TO_PRUNE = "manifestsToPrune"
_DOCUMENTS = "kubernetes.applied"
_FORBIDDEN = 403
_ONLY_LISTED = frozenset({"namespace", "customResourceDefinition", "persistentVolume", "persistentVolumeClaim"})
"""With them goes what is in them."""


class Item(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """What a set contains: an object, or all versions of one."""

    kind: str
    namespace: str
    name: str

    @property
    def is_of(self) -> Kind:
        """Its kind."""
        return kinds.parse(self.kind)


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What is left, before anything is sent."""

    differences: tuple[JsonObject, ...] = ()
    to_prune: tuple[JsonObject, ...] = ()
    """`{name, namespace, item, by}`, in the order in which they go."""


def set_of(context: StageContext) -> str:
    """The name of the stage's set; empty: it has none."""
    head, own = context.execution.head, context.stage.context
    # A stage that only shows the difference looks with another's eyes: it applies nothing itself.
    shown = foreign.text_at(own, "asStage") if foreign.flag(own.get("diffOnly")) else ""
    return (
        f"{head.application}/{head.pipeline_config_id}/{shown or context.stage.ref_id}"
        if head.pipeline_config_id
        else ""
    )


async def left(context: StageContext, objects: Objects, *, given: Sequence[Ready], sent: Sequence[Ready]) -> Left:
    """What the set has and `given` doesn't contain; remembers what is about to be `sent`. Raises Refused, ApiFailure."""
    prunes, own_set = foreign.flag(context.stage.context.get("prune")), set_of(context)
    if not own_set:
        if prunes:
            raise Refused(_no_set())
        return Left()
    book = _Book(context.services.documents(_DOCUMENTS), f"{objects.account.name}/{own_set}")
    contained = {await _item(objects, one) for one in given if not manifests.has_generated_name(one.manifest)}
    stale = {item: by for item, by in (await book.read()).items() if item not in contained}
    there = await live(objects, stale, is_strict=prunes)
    own = {
        item: None if one is None else [each for each in one if _is_own(each, own_set)] for item, one in there.items()
    }
    execution = context.execution.head.id
    sends = {await _item(objects, one): execution for one in sent if not manifests.has_generated_name(one.manifest)}
    await book.change(forgets=[item for item in stale if own[item] == []], adds=sends)
    found = [(item, one) for item in stale for one in own[item] or ()]
    found.sort(key=lambda each: (-objects.account.custom.of(each[0].is_of).priority, each[0]))
    return Left(
        differences=tuple(_difference(one, prunes=prunes) for _, one in found),
        to_prune=tuple(_remembered(one, item, stale[item]) for item, one in found if prunes and _may_go(one)),
    )


def to_prune(context: StageContext) -> list[Coordinates]:
    """What `left` has found."""
    found = []
    for one in foreign.mappings_at(context.stage.context, TO_PRUNE):
        kind, name = kinds.parse_full_name(foreign.text_at(one, "name"))
        found.append(Coordinates(kind=kind, namespace=foreign.text_at(one, "namespace"), name=name))
    return found


async def prune(context: StageContext, objects: Objects) -> list[Json]:
    """Deletes what `left` has found, where it is still the set's and no newer run contains it; names what was deleted."""
    wanted = foreign.mappings_at(context.stage.context, TO_PRUNE)
    if not wanted:
        return []
    own_set = set_of(context)
    book = _Book(context.services.documents(_DOCUMENTS), f"{objects.account.name}/{own_set}")
    gone: list[Json] = []
    for one, where in zip(wanted, to_prune(context), strict=True):
        item = msgspec.convert(one["item"], Item)
        if (await book.read()).get(item) != foreign.text_at(one, "by"):
            continue
        found = await objects.get(where)
        if found is not None and _is_own(found, own_set) and _may_go(found):
            await objects.delete(where)
            gone.append(where.full_name)
    by = {msgspec.convert(one["item"], Item): foreign.text_at(one, "by") for one in wanted}
    there, known = await live(objects, by), await book.read()
    # What a newer run contains again it has noted before it sends it: that isn't there yet, and not to be forgotten.
    await book.change(forgets=[item for item in by if there[item] == [] and known.get(item) == by[item]], adds={})
    return gone


async def recorded(services: Services, account: str, application: str) -> dict[Item, str]:
    """What the application's stages have applied in an account, with the stage; of stages that still exist."""
    found: dict[Item, str] = {}
    for document in await services.documents(_DOCUMENTS).list(f"{account}/"):
        _, owner, pipeline, stage = document.key.split("/", 3)
        if owner.lower() != application.lower():
            continue
        stored = await services.definitions.get("pipeline", pipeline)
        stages = foreign.mappings_at(stored.body, "stages") if stored is not None else []
        if any(foreign.text_at(one, "refId") == stage for one in stages):
            name = foreign.text_at(stored.body, "name") if stored is not None else pipeline
            found |= dict.fromkeys(_items(document), f"stage {stage} of {name}")
    return found


async def forget(services: Services, objects: Objects, gone: Iterable[Coordinates]) -> None:
    """What a stage has deleted on purpose is no longer missed: an object, or the thing whose version it was."""
    server = objects.account.server
    wanted = {
        (one.kind.key, one.namespace or server.namespace, name)
        for one in gone
        for name in (one.name, _VERSION.sub("", one.name))
    }
    documents = services.documents(_DOCUMENTS)
    for document in await documents.list(f"{objects.account.name}/"):
        items = [one for one in _items(document) if (one.kind, one.namespace or server.namespace, one.name) in wanted]
        if items:
            await _Book(documents, document.key).change(forgets=items, adds={})


def _items(document: Document) -> dict[Item, str]:
    listed = foreign.mappings_at(document.body, "items")
    return {msgspec.convert(one["item"], Item): foreign.text_at(one, "by") for one in listed}


class _Book:
    """What a set contains: each item with the execution that had it last."""

    def __init__(self, documents: Documents, key: str) -> None:
        self._documents = documents
        self._key = key

    async def read(self) -> dict[Item, str]:
        """Nothing where nothing was written."""
        return (await self._version())[0]

    async def change(self, *, forgets: Iterable[Item], adds: Mapping[Item, str]) -> None:
        """Again, where another run of the stage has written meanwhile: neither may lose what the other has applied."""
        forgotten = set(forgets)
        while True:
            known, version = await self._version()
            wanted = {item: by for item, by in known.items() if item not in forgotten} | dict(adds)
            if wanted == known:
                return
            try:
                await self._documents.put(self._key, _body(wanted), if_version=version)
            except VersionMismatch:
                continue
            return

    async def _version(self) -> tuple[dict[Item, str], int]:
        found = await self._documents.get(self._key)
        if found is None:
            return {}, 0
        return _items(found), found.version


def _body(items: Mapping[Item, str]) -> JsonObject:
    return {"items": [{"item": msgspec.to_builtins(item), "by": by} for item, by in sorted(items.items())]}


async def _item(objects: Objects, ready: Ready) -> Item:
    """The same however the manifest writes its kind, and whether or not it names the account's own namespace."""
    kind, namespace = kinds.of(ready.manifest), manifests.namespace(ready.manifest)
    resource = await objects.known(kind, foreign.text_at(ready.manifest, "apiVersion"))
    is_namespaced = kinds.properties(kind).is_namespaced if resource is None else resource.is_namespaced
    space = (namespace or objects.account.server.namespace) if is_namespaced else ""
    return Item(kind=kind.key, namespace=space, name=ready.artifact.name or manifests.name(ready.manifest))


async def live(
    objects: Objects, items: Iterable[Item], *, is_strict: bool = False
) -> dict[Item, list[JsonObject] | None]:
    """The live objects of each; None: they may not be looked at, which is refused where it is `is_strict`."""
    found: dict[Item, list[JsonObject] | None] = {}
    listed: dict[tuple[str, str], list[JsonObject] | None] = {}
    for item in items:
        place = (item.kind, item.namespace)
        if place not in listed:
            listed[place] = await _listed(objects, item, is_strict=is_strict)
        there = listed[place]
        found[item] = None if there is None else [one for one in there if _is_of(one, item)]
    return found


async def _listed(objects: Objects, item: Item, *, is_strict: bool) -> list[JsonObject] | None:
    if await objects.known(item.is_of) is None:
        return []
    try:
        return await objects.list(item.is_of, item.namespace)
    except Refused as refused:
        if is_strict or refused.status != _FORBIDDEN:
            raise
        return None


def _is_of(live: JsonObject, item: Item) -> bool:
    artifact = annotations.artifact(live)
    return item.name == (artifact.name if artifact is not None else manifests.name(live))


def _is_own(live: JsonObject, own_set: str) -> bool:
    owners = foreign.mappings_at(manifests.metadata(live), "ownerReferences")
    is_made = any(foreign.flag(owner.get("controller")) for owner in owners)
    return manifests.annotations(live).get(annotations.APPLIED_BY) == own_set and not is_made


def _may_go(live: JsonObject) -> bool:
    is_kept = manifests.annotations(live).get(annotations.PRUNE, "").lower() == "false"
    return kinds.of(live).name not in _ONLY_LISTED and not is_kept


def _difference(live: JsonObject, *, prunes: bool) -> JsonObject:
    change = "deleted" if prunes and _may_go(live) else "left"
    named: JsonObject = {"name": manifests.full_name(live), "namespace": manifests.namespace(live)}
    return {**named, "change": change, "changes": []}


def _remembered(live: JsonObject, item: Item, by: str) -> JsonObject:
    own: JsonObject = {"name": manifests.full_name(live), "namespace": manifests.namespace(live)}
    return {**own, "item": msgspec.to_builtins(item), "by": by}


def _no_set() -> Problem:
    return Problem(
        code="manifest.prune",
        message="The stage wants to prune, and belongs to no stored pipeline: nothing says what it has applied before.",
        remedy="Save the pipeline and run that, or take off `prune`.",
        pointer="/prune",
    )
