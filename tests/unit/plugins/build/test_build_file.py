"""The build file: what is read, and that all mistakes are told at once, each with its place."""

import pytest

from gennaker.model.problems import Refused
from gennaker.plugins.build import build_file
from gennaker.plugins.build.build_file import BuildFile, FailOn, ImagePlan, Step, StepKind
from gennaker.transport.reports.reading import ReportKind
from gennaker.transport.reports.sarif import Level

FOLDER, PATH = "services/shop", "services/shop/build.yaml"


def problems(text: str) -> list[tuple[str, object, str]]:
    """Pointer, line and sentence of everything that is wrong."""
    with pytest.raises(Refused) as caught:
        build_file.read(text, path=PATH, folder=FOLDER)
    return [(one.pointer, one.details["line"], one.message.partition(": ")[2]) for one in caught.value.problems]


def test_a_whole_build_file_is_read() -> None:
    text = """
service: shop
version-file: ../VERSION
depends-on: [libs/storefront]
steps:
  - name: Unit tests
    kind: unit-tests
    run: [python3, -m, pytest, 1]
    timeout: 60
    working-directory: src
    environment: {PYTHONPATH: ".", DEBUG: 1}
    reports: {junit: reports/unit.xml}
  - {name: Lint, kind: lint, run: ruff check, fail-on: note, reports: {sarif: a.sarif}}
  - {name: Components, kind: sbom, components: components.yaml}
  - {name: Scan, kind: scan}
image: {name: acme/shop, dockerfile: docker/Dockerfile, context: ../.., tag: "{version}-{branch}"}
"""

    assert build_file.read(text, path=PATH, folder=FOLDER) == BuildFile(
        service="shop",
        version_file="../VERSION",
        depends_on=("libs/storefront",),
        steps=(
            Step(
                name="Unit tests",
                kind=StepKind.UNIT_TESTS,
                run=("python3", "-m", "pytest", "1"),
                timeout_seconds=60,
                folder="src",
                environment={"PYTHONPATH": ".", "DEBUG": "1"},
                reports={ReportKind.JUNIT: "reports/unit.xml"},
            ),
            Step(
                name="Lint",
                kind=StepKind.LINT,
                run=("sh", "-c", "ruff check"),
                fail_on=FailOn.NOTE,
                reports={ReportKind.SARIF: "a.sarif"},
            ),
            Step(name="Components", kind=StepKind.SBOM, components="components.yaml"),
            Step(name="Scan", kind=StepKind.SCAN),
        ),
        image=ImagePlan(name="acme/shop", dockerfile="docker/Dockerfile", context="../..", tag="{version}-{branch}"),
    )


def test_only_the_service_is_needed() -> None:
    assert build_file.read("service: shop", path=PATH, folder=FOLDER) == BuildFile(service="shop")


def test_all_mistakes_are_told_at_once_with_line_and_pointer() -> None:
    text = """\
servise: shop
version-file: 1.20
depends-on: [../other]
steps:
  - name: A
    run: [true]
    kind: unit-test
    timeout: 0
  - name: A
    fail-on: always
  - just text
image:
  name: Shop
  tag: "{versoin}"
  dockerfile: /etc/passwd
  context: ../../..
"""

    assert problems(text) == [
        ("/servise", 1, "servise: this key is unknown; did you mean `service`?"),
        ("", 1, "it lacks `service`."),
        ("/version-file", 2, 'version-file: it must be a text: write "1.20" in quotes.'),
        ("/depends-on", 3, "depends-on: '../other' leads out of the repository; give a folder relative to its root."),
        ("/steps/2", 11, "steps.2: it must hold keys and values."),
        ("/steps/0/kind", 7, "steps.0.kind: 'unit-test' is unknown; did you mean unit-tests?"),
        ("/steps/0/timeout", 8, "steps.0.timeout: it must be a number of seconds, more than 0 and at most 86400."),
        ("/steps/1/fail-on", 10, "steps.1.fail-on: 'always' is unknown; there are error, warning, note, never."),
        ("/steps/1", 9, "steps.1: it lacks `run`, the program and its arguments."),
        ("/steps/1/name", 9, "steps.1.name: two steps are named 'A'."),
        (
            "/image/name",
            13,
            "image.name: 'Shop' is no image name: lower-case letters, digits, '.', '_', '-', parts between '/'.",
        ),
        ("/image/tag", 14, "image.tag: {versoin} is unknown; there are {version}, {sha}, {short_sha}, {branch}."),
        (
            "/image/dockerfile",
            15,
            "image.dockerfile: '/etc/passwd' leads out of the repository; give a path relative to the service's folder.",
        ),
        (
            "/image/context",
            16,
            "image.context: '../../..' leads out of the repository; give a path relative to the service's folder.",
        ),
    ]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("{name: S, kind: scan, run: scan}", "a scanner's result is read from its SARIF"),
        ("{name: S, kind: sbom, run: make-sbom}", "what the tool makes is read from its report"),
        ("{name: S, kind: scan, reports: {sarif: a}}", "there is no `run` that could write reports"),
        ("{name: S, run: a, components: b}", "only for steps of kind sbom without `run`"),
        ("{name: S, run: []}", "it names no program"),
        ("{name: S, run: a, reports: {junit: ../../../a.xml}}", "leads out of the repository"),
        ("{name: S, run: a, reports: {html: a}}", "this key is unknown"),
        ("{name: S, run: a, environment: {A=B: 1}}", "this can't be the name of a variable"),
        ("{name: S, run: a, name: T}", "it stands there twice"),
        ('{name: S, run: ["a\\0b"]}', "it holds a NUL character"),
        ("{name: ' ', run: a}", "it is empty"),
    ],
)
def test_what_does_not_fit_together_is_said(step: str, said: str) -> None:
    assert [one for one in problems(f"service: shop\nsteps: [{step}]") if said in one[2]] != []


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n"])
def test_an_empty_file_is_told_with_what_to_begin(text: str) -> None:
    (found,) = problems(text)

    assert found[2] == "it is empty; begin with `service: shop`."


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a",
        "a: [",
        "a: b: c",
        "\t",
        "? [a]\n: b",
        "[" * 5000,
        "&a [*a]",
        "x" * 300_000,
        "a: !!python/object:os.system b",
    ],
)
def test_no_text_is_too_broken_for_a_sentence(text: str) -> None:
    assert problems(text) != []


@pytest.mark.parametrize(
    ("pattern", "tag"),
    [
        ("{version}-{short_sha}", "1.2.3-0123456"),
        ("{sha}", "0123456789abcdef"),
        ("v{version}-{branch}", "v1.2.3-feature-a-b"),
    ],
)
def test_the_tag_is_made_of_its_parts(pattern: str, tag: str) -> None:
    assert build_file.tag(pattern, version="1.2.3", commit="0123456789abcdef", branch="feature/a b") == tag


def test_a_tag_that_is_none_is_refused() -> None:
    with pytest.raises(Refused, match="which is none"):
        build_file.tag("{version}/x", version="1", commit="0123456", branch="")


@pytest.mark.parametrize(("text", "version"), [("1.2.3\n", "1.2.3"), ("  1.0-rc.1 \nmore", "1.0-rc.1")])
def test_the_version_is_the_first_line(text: str, version: str) -> None:
    assert build_file.version(text, path="VERSION") == version


@pytest.mark.parametrize("text", ["", "\n", "1.2+build", "-1", "a b"])
def test_a_version_that_no_tag_can_hold_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="VERSION"):
        build_file.version(text, path="VERSION")


def test_never_means_that_findings_do_not_fail() -> None:
    assert [one.level for one in FailOn] == [Level.ERROR, Level.WARNING, Level.NOTE, None]
