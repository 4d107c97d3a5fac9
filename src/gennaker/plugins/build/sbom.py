"""The built-in `sbom` step: a CycloneDX bill of materials of the service and the components that its list names.

The same commit gives the same bytes: the serial number derives from the commit, the time is the commit's.
"""

from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import msgspec

from gennaker.model.problems import Problem, Refused
from gennaker.plugins.build.workspace import Build
from gennaker.plugins.build.yaml_nodes import Fields, Reader


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A component as the list has it."""

    name: str
    version: str
    purl: str = ""
    license: str = ""
    """SPDX identifier or expression, or a name."""


def read_list(file: Path, *, shown: str) -> tuple[Listed, ...]:
    """Reads a list of components. Raises Refused with all problems. Blocks."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        message = f"The list of components {shown} can't be read: {reason}."
        remedy = "Correct `components` of the sbom step in the build file."
        raise Refused(Problem(code="build.components", message=message, remedy=remedy), status=422) from error
    reader = Reader(shown, code="build.components", begins="- {name: flask, version: 3.1.0}")
    found = tuple(_listed(fields) for fields in reader.top_items(text))
    if reader.problems:
        raise Refused(*reader.problems, status=422)
    return found


def write(build: Build, components: tuple[Listed, ...]) -> bytes:
    """The bill of materials as CycloneDX 1.6 JSON. Raises Refused for what is no package URL."""
    # Only here: the library takes 7 MB and a quarter of a second, half of it for XML, and only this step needs it.
    from gennaker.plugins.build import cyclonedx_document  # noqa: PLC0415 - a large library

    serial = uuid5(NAMESPACE_URL, f"{build.repository}/{build.service_folder}@{build.commit.hash}")
    return cyclonedx_document.write(
        cyclonedx_document.Part(name=build.file.service, version=build.version),
        tuple(
            cyclonedx_document.Part(name=one.name, version=one.version, purl=one.purl, license=one.license)
            for one in components
        ),
        serial=serial,
        at=build.at,
    )


def _listed(fields: Fields) -> Listed:
    fields.only("name", "version", "purl", "license")
    purl = fields.text("purl")
    if purl and not purl.startswith("pkg:"):
        fields.wrong("purl", f"{purl!r} is no package URL, such as pkg:pypi/flask@3.1.0")
    return Listed(
        name=fields.text("name", is_needed=True),
        version=fields.text("version", is_needed=True),
        purl=purl,
        license=fields.text("license"),
    )
