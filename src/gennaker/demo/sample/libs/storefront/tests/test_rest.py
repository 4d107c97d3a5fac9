"""Metrics, visits, and acceptance tests' reports."""

from xml.dom import minidom

import pytest
from storefront import acceptance, metrics, visits
from storefront.acceptance import Result
from storefront.service import Service, identity


def test_metrics_are_written_as_prometheus_reads_them() -> None:
    registry = metrics.Registry()
    registry.counter("told_total", "Told.", "who").add('a"b\\c\n')
    histogram = registry.histogram("took_seconds", "Took.")
    histogram.observe(0.0001)
    histogram.observe(3)

    text = registry.text()

    assert '# TYPE told_total counter\ntold_total{who="a\\"b\\\\c\\n"} 1\n' in text
    assert 'took_seconds_bucket{le="0.0001"} 1\n' in text
    assert 'took_seconds_bucket{le="2.5"} 1\n' in text
    assert 'took_seconds_bucket{le="+Inf"} 2\n' in text
    assert text.endswith("took_seconds_sum 3.0001\ntook_seconds_count 2\n")


def test_a_service_counts_its_answers_and_itself(tmp_path_factory: pytest.TempPathFactory) -> None:
    (root := tmp_path_factory.mktemp("root")).joinpath("VERSION").write_text("1.2.3\n")
    service = Service(identity("shop", root, {}))

    service.observe(200, "/", 0.001)

    text = service.metrics.text()
    assert 'http_requests_total{status="200",route="/"} 1\n' in text
    assert "process_cpu_seconds_total" in text
    assert service.headers()[1:] == (("X-Shop-Version", "1.2.3"), ("X-Server-Group", "none"))


def test_rolls_are_even_and_do_not_depend_on_one_another() -> None:
    offers = [visits.roll(str(number), "offer") for number in range(4000)]
    errors = [visits.roll(str(number), "error") for number in range(4000)]

    both = sum(offer < 40 and error < 50 for offer, error in zip(offers, errors, strict=True))

    assert sum(offer < 40 for offer in offers) == pytest.approx(1600, abs=120)
    assert both == pytest.approx(800, abs=100)


@pytest.mark.parametrize("name", ["", "a b", "a\n", "ä", "x" * 65])
def test_what_would_have_to_be_escaped_is_no_name(name: str) -> None:
    assert not visits.is_name(name)


def test_a_report_is_xml_whatever_the_tests_say() -> None:
    results = [
        Result("fine", 0.1),
        Result("odd <&>", 0.2, "failure", 'said "\x00"\nand more'),
        Result("bad", 0, "error", "?"),
    ]

    suite = minidom.parseString(acceptance.junit("shop", results)).getElementsByTagName("testsuite")[0]

    assert [suite.getAttribute(name) for name in ("tests", "failures", "errors")] == ["3", "1", "1"]
    assert suite.getElementsByTagName("failure")[0].getAttribute("message") == 'said "?"'


@pytest.mark.parametrize("address", ["ftp://x", "http://", ""])
def test_an_acceptance_test_wants_an_address(address: str) -> None:
    with pytest.raises(ValueError, match="isn't an address"):
        acceptance.Site(address)
