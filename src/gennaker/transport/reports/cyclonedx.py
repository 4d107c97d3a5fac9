"""CycloneDX in JSON: of which components something is made. Reference: ECMA-424."""

from typing import Annotated

import msgspec

from gennaker.model.codec import decode_json
from gennaker.transport.reports.broken import BrokenReport, shaped

_MOST_COMPONENTS = 200


class Component(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One component."""

    name: str
    version: str = ""
    purl: str = ""


class _Component(msgspec.Struct, frozen=True, kw_only=True):
    name: Annotated[str, msgspec.Meta(min_length=1)]
    version: str | None = None
    purl: str | None = None


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
        document = decode_json(content)
    except msgspec.DecodeError as error:
        raise BrokenReport(f"it is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("bomFormat") != "CycloneDX":
        raise BrokenReport("it is no CycloneDX in JSON: `bomFormat` is not `CycloneDX`")
    version = document.get("specVersion")
    if not isinstance(version, str):
        raise BrokenReport("it lacks `specVersion`")
    found = shaped(document.get("components", []), tuple[_Component, ...], at="/components")
    return ComponentsReport(
        format=f"CycloneDX {version[:10]}",
        components=len(found),
        listed=tuple(
            Component(name=one.name, version=one.version or "", purl=one.purl or "") for one in found[:_MOST_COMPONENTS]
        ),
    )
