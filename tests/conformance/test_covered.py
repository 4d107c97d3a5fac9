"""Every class that offers a port of which there are several is run through the port's suite, fakes included."""

import ast
from importlib import import_module

import pytest
from tests.conformance import subjects
from tests.conformance.subjects import ROOT, Found

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sources")]
"""One process reads them all."""

SUITES = {
    "AllAtOnce": ("test_cloud_provider", "ALL_AT_ONCE"),
    "ArtifactAccount": ("test_artifact_accounts", "SUBJECTS"),
    "ArtifactCatalogue": ("test_artifact_accounts", "CATALOGUES"),
    "AuditTrail": ("test_audit", "SUBJECTS"),
    "CiSystem": ("test_ci", "SUBJECTS"),
    "CloudProvider": ("test_cloud_provider", "SUBJECTS"),
    "Definitions": ("test_definitions", "SUBJECTS"),
    "Documents": ("test_documents", "SUBJECTS"),
    "Evidence": ("test_evidence", "SUBJECTS"),
    "IdentityProvider": ("test_identity_providers", "SUBJECTS"),
    "ImageRegistry": ("test_image_registries", "SUBJECTS"),
    "ImageStore": ("test_registry", "SUBJECTS"),
    "Journal": ("test_journal", "SUBJECTS"),
    "Logs": ("test_evidence", "SUBJECTS_OF_LOGS"),
    "MetricCatalogue": ("test_metric_sources", "CATALOGUES"),
    "MetricSource": ("test_metric_sources", "SUBJECTS"),
    "Notifier": ("test_notifiers", "SUBJECTS"),
    "SecretEngine": ("test_secret_engines", "SUBJECTS"),
    "Servers": ("test_servers", "SUBJECTS"),
    "TellsHealth": ("test_traffic_provider", "SUBJECTS"),
    "TrafficProvider": ("test_traffic_provider", "SUBJECTS"),
}
"""Of each port: its suite, and the suite's table of subjects."""
WITHOUT_SUITE = {
    "ApiServer": "one speaks to API servers, and that of tests is the same one, which asks again",
    "Clock": "says an instant, and those of tests say which they are told to, wrong ones too",
    "Ids": "gives names that differ; those of tests are counted, so that runs can be compared",
    "Outside": "answers with what each test wants to be answered",
    "Probe": "is told where the process is; it promises nothing to anybody",
}
"""Ports with several implementations that no suite could say anything about."""
PORTS = {port.name: port for port in subjects.ports()}


@pytest.mark.parametrize("port", SUITES)
def test_every_implementation_of_a_port_passes_its_suite(port: str) -> None:
    covered = {subjects.found_as(subject) for subject in table(port).values()}
    derived = {subjects.found_as(subject) for subject in reasons(port)}
    found = subjects.implementations(PORTS[port])

    # A subject with something made different for the tests of one file is no fake, but those tests' fault.
    fakes = {str(one) for one in found if not (one.is_of_a_test and is_derived(one, covered))}
    assert fakes == covered | derived
    assert all(is_derived(one, covered) for one in found if str(one) in derived)


@pytest.mark.parametrize("port", [name for name in PORTS if name not in SUITES])
def test_a_port_without_a_suite_has_one_implementation_or_a_reason(port: str) -> None:
    found = [str(one) for one in subjects.implementations(PORTS[port])]

    assert len(found) <= 1 or port in WITHOUT_SUITE, found


def test_nothing_is_excused_that_has_no_need_to_be() -> None:
    for port in WITHOUT_SUITE:
        assert port not in SUITES
        assert len(subjects.implementations(PORTS[port])) > 1


def test_no_test_passes_off_as_a_port_what_does_not_offer_it() -> None:
    """A cast would hide a fake that has only some of the operations, which no suite could be run on."""
    casts = [
        f"{file.relative_to(ROOT)}: {ast.unparse(node)}"
        for file in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "cast" and is_a_port(node.args[0])
    ]

    assert casts == []


def table(port: str) -> dict[str, type]:
    suite, name = SUITES[port]
    found: dict[str, type] = getattr(import_module(f"tests.conformance.{suite}"), name)
    return found


def reasons(port: str) -> dict[type, str]:
    """Classes derived from subjects that the suite doesn't run on, and why."""
    suite, _ = SUITES[port]
    found: dict[type, str] = getattr(import_module(f"tests.conformance.{suite}"), "DERIVED", {})
    return found


def is_derived(one: Found, covered: set[str]) -> bool:
    return any(str(base) in covered for base in subjects.derived_from(one))


def is_a_port(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in PORTS
