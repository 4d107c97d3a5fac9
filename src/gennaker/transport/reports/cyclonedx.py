"""CycloneDX in JSON: of which components something is made. Reference: ECMA-424."""

import msgspec

from gennaker.model import foreign
from gennaker.model.codec import Json
from gennaker.transport.reports.broken import BrokenReport

_MOST_COMPONENTS = 200


class Component(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One component."""

    name: str
    version: str = ""
    purl: str = ""


class ComponentsReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """All components of a bill of materials."""

    format: str
    """`CycloneDX 1.6`"""
    components: int
    listed: tuple[Component, ...] = ()
    """At most 200, in the document's order."""


def read(content: bytes) -> ComponentsReport:
    """Reads a bill of materials. Raises BrokenReport."""
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenReport(f"it is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("bomFormat") != "CycloneDX":
        raise BrokenReport("it is no CycloneDX in JSON: `bomFormat` is not `CycloneDX`")
    if not isinstance(document.get("specVersion"), str):
        raise BrokenReport("it lacks `specVersion`")
    components = document.get("components", [])
    if not isinstance(components, list):
        raise BrokenReport("its `components` is no list")
    found = [_component(item, number) for number, item in enumerate(components)]
    version = document["specVersion"]
    return ComponentsReport(
        format=f"CycloneDX {version[:10]}", components=len(found), listed=tuple(found[:_MOST_COMPONENTS])
    )


def _component(item: Json, number: int) -> Component:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str) or not item["name"]:
        raise BrokenReport(f"its component {number} has no name")
    return Component(
        name=str(item["name"]), version=foreign.text(item.get("version")), purl=foreign.text(item.get("purl"))
    )
