"""CycloneDX."""

import pytest

from gennaker.transport.reports import cyclonedx
from gennaker.transport.reports.broken import BrokenReport
from gennaker.transport.reports.cyclonedx import Component, ComponentsReport


def test_components_are_listed() -> None:
    content = b"""{"bomFormat": "CycloneDX", "specVersion": "1.6",
        "components": [{"name": "flask", "version": "3.1.0", "purl": "pkg:pypi/flask@3.1.0"}, {"name": "own"}]}"""

    assert cyclonedx.read(content) == ComponentsReport(
        format="CycloneDX 1.6",
        components=2,
        listed=(Component(name="flask", version="3.1.0", purl="pkg:pypi/flask@3.1.0"), Component(name="own")),
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<bom/>", "it is not JSON"),
        (b'{"spdxVersion": "SPDX-2.3"}', "it is no CycloneDX"),
        (b'{"bomFormat": "CycloneDX"}', "it lacks `specVersion`"),
        (b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": {}}', "/components is wrong"),
        (b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{}]}', "/components/0 is wrong"),
        (b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [1]}', "/components/0 is wrong"),
        (
            b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": ""}]}',
            "/components/0/name is wrong",
        ),
        (
            b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "a", "version": 1}]}',
            "/components/0/version is wrong",
        ),
        (
            b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "a"}, {"name": "b", "purl": []}]}',
            "/components/1/purl is wrong",
        ),
    ],
)
def test_what_is_no_bill_of_materials_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(BrokenReport, match=said):
        cyclonedx.read(content)
