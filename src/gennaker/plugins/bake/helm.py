"""Helm: the command line that renders a chart, and what of its output counts. Pure.

Overrides are written as Helm reads them, one argument each: commas, braces and dots mean what they mean there. Without
`rawOverrides` every value is text.
"""

import re
from collections.abc import Sequence

import msgspec

from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem

_DOCUMENT = re.compile(r"^---[ \t]*\r?$\n?", re.MULTILINE)
_SOURCE = "# Source:"
_TESTS = "/templates/tests/"
_LONGEST_ARGUMENT_BYTES = 120_000
"""Linux takes no longer word of a command line than 128 KiB."""


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be rendered, with paths as Helm is given them."""

    path: str
    values: tuple[str, ...] = ()
    """Files, later ones win."""
    output_name: str = ""
    """The release's name; empty: Helm's own."""
    namespace: str = ""
    overrides: JsonObject = {}
    raw_overrides: bool = False
    include_crds: bool = False
    api_versions: tuple[str, ...] = ()
    kube_version: str = ""


def words(chart: Chart, *, is_second: bool) -> list[str]:
    """The command's words after the program. `is_second`: Helm 2's, where the name is an option and CRDs always come."""
    found = ["template"]
    if is_second and chart.output_name:
        found.append(f"--name={chart.output_name}")
    if chart.namespace:
        found.append(f"--namespace={chart.namespace}")
    if chart.include_crds and not is_second:
        found.append("--include-crds")
    found += [f"--api-versions={one}" for one in chart.api_versions]
    if chart.kube_version:
        found.append(f"--kube-version={chart.kube_version}")
    option = "--set" if chart.raw_overrides else "--set-string"
    found += [f"{option}={key}={_written(value)}" for key, value in chart.overrides.items()]
    found += [f"--values={one}" for one in chart.values]
    name = [chart.output_name] if chart.output_name and not is_second else []
    return [*found, "--", *name, chart.path]


def wrong_overrides(overrides: JsonObject) -> list[Problem]:
    """What can't be said on Helm's command line."""
    found = []
    for key, value in overrides.items():
        said = ""
        if not key:
            said = "has no name"
        elif isinstance(value, dict | list):
            said = "is no single value"
        elif len(f"{key}={_written(value)}".encode()) > _LONGEST_ARGUMENT_BYTES:
            said = f"is longer than {_LONGEST_ARGUMENT_BYTES:,} bytes"
        elif "\0" in f"{key}{value}":
            said = "has a NUL in it"
        if said:
            found.append(
                Problem(
                    code="bake.override",
                    message=f"The override {key[:80]!r} {said}.",
                    remedy="Write one override a value, such as image.tag or hosts[0]; longer ones belong into a values file.",
                    pointer="/overrides",
                )
            )
    return found


def without_tests(output: str) -> str:
    """The manifests without those of the chart's own tests, and those of its dependencies."""
    starts = [0, *(match.start() for match in _DOCUMENT.finditer(output) if match.start())]
    documents = [output[start:end] for start, end in zip(starts, [*starts[1:], len(output)], strict=True)]
    return "".join(one for one in documents if not _is_test(one))


def _is_test(document: str) -> bool:
    for line in _DOCUMENT.sub("", document).splitlines():
        if line.startswith(_SOURCE):
            return _TESTS in line
        if line.strip() and not line.startswith("#"):
            return False
    return False


def _written(value: Json) -> str:
    if value is None or isinstance(value, bool):
        return str(msgspec.json.encode(value), "ascii")
    return str(value)


def listed(value: str | Sequence[str] | None) -> tuple[str, ...]:
    """API versions as Spinnaker takes them: a list, or one text with commas."""
    parts = value.split(",") if isinstance(value, str) else value or ()
    return tuple(one.strip() for one in parts if one.strip())
