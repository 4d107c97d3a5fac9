"""Bundles: definitions as a Spinnaker keeps them, told apart by their shape, and their triggers switched off and on again."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

import msgspec

from gennaker.model import application_notifications, foreign, template_references
from gennaker.model.codec import Json, JsonObject

BEFORE = "enabledBeforeImport"
"""Key of a trigger that was on where it comes from, and is off here until the cut-over."""
_OF_THE_STORE = frozenset(
    {
        "updateTs",
        "createTs",
        "lastModifiedBy",
        "lastModified",
        "updatedTimestamp",
        "updatedTimestampIso",
        "createdTimestamp",
    }
)
"""They say when and by whom something was kept, not what it is."""
_DERIVED = frozenset({"index", "digest"})
"""Given anew wherever it is kept."""
_Change: TypeAlias = Callable[[JsonObject], JsonObject]


class Bundle(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Definitions that belong together."""

    applications: tuple[JsonObject, ...] = ()
    """Attributes, flat."""
    notifications: tuple[JsonObject, ...] = ()
    """Applications' own: lists by type beside `application`."""
    pipelines: tuple[JsonObject, ...] = ()
    strategies: tuple[JsonObject, ...] = ()
    templates: tuple[JsonObject, ...] = ()
    canary_configs: tuple[JsonObject, ...] = ()
    projects: tuple[JsonObject, ...] = ()

    def of_application(self, name: str) -> "Bundle":
        """Its attributes, pipelines and strategies."""
        return Bundle(
            applications=tuple(one for one in self.applications if _is_named(one, "name", name)),
            notifications=tuple(one for one in self.notifications if _is_named(one, "application", name)),
            pipelines=tuple(one for one in self.pipelines if _is_named(one, "application", name)),
            strategies=tuple(one for one in self.strategies if _is_named(one, "application", name)),
        )

    def names(self) -> tuple[str, ...]:
        """Applications of which it holds anything, in lower case."""
        told = [foreign.text_at(one, "name") for one in self.applications]
        of_them = (*self.notifications, *self.pipelines, *self.strategies)
        told += [foreign.text_at(one, "application") for one in of_them]
        return tuple(dict.fromkeys(one.lower() for one in told if one))

    def shared(self) -> "Bundle":
        """What is no application's, with what should be and doesn't say of which."""
        homeless = self.homeless()
        return Bundle(
            applications=tuple(one for kind, one in homeless if kind == "application"),
            pipelines=tuple(one for kind, one in homeless if kind == "pipeline"),
            strategies=tuple(one for kind, one in homeless if kind == "strategy"),
            templates=self.templates,
            canary_configs=self.canary_configs,
            projects=self.projects,
        )

    def homeless(self) -> tuple[tuple[str, JsonObject], ...]:
        """What belongs to no application and must: its kind, and itself."""
        found = [("application", one) for one in self.applications if not foreign.text_at(one, "name")]
        listed_by_kind = (
            (application_notifications.KIND, self.notifications),
            ("pipeline", self.pipelines),
            ("strategy", self.strategies),
        )
        for kind, listed in listed_by_kind:
            found += [(kind, one) for one in listed if not foreign.text_at(one, "application")]
        return tuple(found)

    @property
    def count(self) -> int:
        """Of definitions."""
        return sum(len(getattr(self, name)) for name in self.__struct_fields__)


def joined(bundles: Iterable[Bundle]) -> Bundle:
    """All that several hold."""
    found = list(bundles)
    return Bundle(
        **{name: tuple(one for each in found for one in getattr(each, name)) for name in Bundle.__struct_fields__}
    )


def sorted_by_shape(documents: Iterable[JsonObject]) -> tuple[Bundle, list[JsonObject]]:
    """Documents by what they are; and those that are none of it."""
    found: dict[str, list[JsonObject]] = {name: [] for name in Bundle.__struct_fields__}
    strange: list[JsonObject] = []
    for one in documents:
        field = _field_of(one)
        found.get(field, strange).append(_flat(one) if field == "applications" else one)
    return Bundle(**{name: tuple(listed) for name, listed in found.items()}), strange


def _field_of(one: JsonObject) -> str:
    config = one.get("config")
    if isinstance(one.get("pipeline"), dict) and "schema" in one:
        return "templates"
    if "stages" in one or "template" in one:
        return "strategies" if foreign.flag(one.get("strategy")) else "pipelines"
    if "metrics" in one and "classifier" in one:
        return "canary_configs"
    if isinstance(config, dict) and "applications" in config:
        return "projects"
    if isinstance(one.get("application"), str) and _are_notifications(one):
        return "notifications"
    attributes = one.get("attributes")
    is_application = isinstance(one.get("name"), str) and ("email" in one or isinstance(attributes, dict))
    return "applications" if is_application else ""


def _are_notifications(one: JsonObject) -> bool:
    lists = [value for key, value in one.items() if key != "application" and key not in _OF_THE_STORE]
    return bool(lists) and all(isinstance(value, list) for value in lists)


def _flat(application: JsonObject) -> JsonObject:
    """Gate's `{name, attributes}` as attributes."""
    attributes = application.get("attributes")
    return {"name": application["name"], **attributes} if isinstance(attributes, dict) else application


def disarmed(pipeline: JsonObject) -> JsonObject:
    """With its triggers off; those that were on say so."""
    return _with_triggers(pipeline, _off)


def armed(pipeline: JsonObject) -> JsonObject:
    """With the triggers on that were on before the import."""
    return _with_triggers(pipeline, _on)


def has_disarmed(pipeline: JsonObject) -> bool:
    """Whether one of its triggers waits for the cut-over."""
    return any(BEFORE in one for one in foreign.mappings_at(pipeline, "triggers"))


def content(definition: Mapping[str, Json]) -> JsonObject:
    """What a definition says, without when and where it is kept."""
    plain = {key: value for key, value in definition.items() if key not in _OF_THE_STORE | _DERIVED}
    return armed(
        {key: value for key, value in plain.items() if not (key in ("triggers", "parameterConfig") and value == [])}
    )


def stored_templates(template: JsonObject) -> dict[str, JsonObject]:
    """What is stored of a template, by key: itself or its tag, as the latest unless it is a tag, and by its content."""
    template_id = template_references.undecorated(foreign.text_at(template, "id"))
    tag = foreign.text_at(template, "tag")
    plain: JsonObject = {key: value for key, value in template.items() if key not in ("tag", "digest")}
    plain["id"] = template_id
    digest = template_references.digest_of(plain)
    keys = [template_references.tagged(template_id, tag), template_references.digested(template_id, digest)]
    if not tag:
        keys.append(template_references.tagged(template_id, template_references.LATEST))
    found: dict[str, JsonObject] = {}
    for key in keys:
        tagged: JsonObject = {"tag": name} if (name := template_references.tag_of(key)) else {}
        found[key] = {**plain, "digest": digest, **tagged}
    return found


def template_keys(templates: Iterable[JsonObject]) -> dict[str, JsonObject]:
    """Templates by all keys under which pipelines may refer to them; a tag says more than a copy of the latest."""
    found: dict[str, JsonObject] = {}
    for one in sorted(templates, key=lambda one: not one.get("tag")):
        for key, stored in stored_templates(one).items():
            found.setdefault(key, stored)
    return found


def file_name(name: str) -> str:
    """A name as part of a path: nothing in it leads elsewhere."""
    cleaned = re.sub(r"[^A-Za-z0-9._ -]+", "_", name).strip(" .")
    return cleaned[:100] or "unnamed"


def triggers_on(pipeline: JsonObject) -> Iterator[JsonObject]:
    """Triggers that fire where the pipeline is kept."""
    if not foreign.flag(pipeline.get("disabled")):
        yield from (one for one in foreign.mappings_at(pipeline, "triggers") if foreign.flag(one.get("enabled")))


def _with_triggers(pipeline: JsonObject, change: _Change) -> JsonObject:
    triggers = pipeline.get("triggers")
    if not isinstance(triggers, list):
        return pipeline
    return {**pipeline, "triggers": [change(one) if isinstance(one, dict) else one for one in triggers]}


def _off(trigger: JsonObject) -> JsonObject:
    return {**trigger, "enabled": False, BEFORE: True} if foreign.flag(trigger.get("enabled")) else trigger


def _on(trigger: JsonObject) -> JsonObject:
    if BEFORE not in trigger:
        return trigger
    return {**{key: value for key, value in trigger.items() if key != BEFORE}, "enabled": True}


def _is_named(one: JsonObject, key: str, name: str) -> bool:
    return foreign.text_at(one, key).lower() == name.lower()
