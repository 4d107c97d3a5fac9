"""Tests of the metrics."""

from storefront.metrics import Metrics


def test_a_request_is_counted_once_in_every_form() -> None:
    metrics = Metrics()

    metrics.observe("/", 200, 0.002)

    text = metrics.text()
    assert 'http_requests_total{route="/",status="200"} 1' in text
    assert 'http_request_seconds_bucket{le="0.001"} 0' in text
    assert 'http_request_seconds_bucket{le="0.0025"} 1' in text
    assert "http_request_seconds_count 1" in text
