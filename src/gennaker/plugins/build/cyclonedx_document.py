"""CycloneDX documents by cyclonedx-python-lib; imported when one is written, as little else needs so large a library."""

from datetime import datetime
from uuid import UUID

import msgspec
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from gennaker.model.problems import Problem, Refused


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What is made, or what it is made of."""

    name: str
    version: str
    purl: str = ""
    license: str = ""


def write(made: Part, components: tuple[Part, ...], *, serial: UUID, at: datetime) -> bytes:
    """The document, the same for the same arguments. Raises Refused for what is no package URL."""
    root = _component(made, ComponentType.APPLICATION)
    parts = [_component(one, ComponentType.LIBRARY) for one in components]
    dependencies = [Dependency(part.bom_ref) for part in parts]
    bom = Bom(
        components=parts,
        serial_number=serial,
        metadata=BomMetaData(component=root, timestamp=at),
        dependencies=[Dependency(root.bom_ref, dependencies=dependencies), *dependencies],
    )
    return JsonV1Dot6(bom).output_as_string(indent=1).encode()


def _component(part: Part, kind: ComponentType) -> Component:
    try:
        purl = PackageURL.from_string(part.purl) if part.purl else None
    except ValueError as error:
        message = f"The component {part.name} has a broken package URL: {error}."
        raise Refused(Problem(code="build.components", message=message), status=422) from error
    licenses = [LicenseFactory().make_from_string(part.license)] if part.license else []
    reference = part.purl or f"{part.name}@{part.version}"
    return Component(name=part.name, version=part.version, type=kind, purl=purl, licenses=licenses, bom_ref=reference)
