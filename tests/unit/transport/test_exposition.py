"""Reading the Prometheus text format."""

import math

from gennaker.transport import exposition
from gennaker.transport.exposition import Page

PAGE = """\
# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{status="200",path="/a\\"b\\\\c\\n"} 12 1700000000000
http_requests_total{ path = "/", status="500", } 1e1
# TYPE http_request_seconds histogram
http_request_seconds_bucket{le="0.1"} 3
http_request_seconds_bucket{le="+Inf"} 4
http_request_seconds_sum 0.5
http_request_seconds_count 4
# TYPE temperature gauge
temperature -3.5
temperature{where="hell"} +Inf
queue_count 7
"""


def test_samples_are_told_apart_by_their_family() -> None:
    page = exposition.parse(PAGE, most=100)

    assert page == Page(
        counters={
            ("http_requests_total", (("path", '/a"b\\c\n'), ("status", "200"))): 12.0,
            ("http_requests_total", (("path", "/"), ("status", "500"))): 10.0,
            ("http_request_seconds_bucket", (("le", "0.1"),)): 3.0,
            ("http_request_seconds_bucket", (("le", "+Inf"),)): 4.0,
            ("http_request_seconds_sum", ()): 0.5,
            ("http_request_seconds_count", ()): 4.0,
        },
        gauges={
            ("temperature", ()): -3.5,
            ("temperature", (("where", "hell"),)): math.inf,
            ("queue_count", ()): 7.0,
        },
    )


def test_a_line_that_cant_be_read_costs_no_other() -> None:
    page = exposition.parse('good 1\nbad{x="1" 2\n{} 3\nworse\nempty \nname nonsense\nlast 2\n', most=100)

    assert page.gauges == {("good", ()): 1.0, ("last", ()): 2.0}
    assert page.skipped == 5


def test_without_types_names_decide() -> None:
    page = exposition.parse("a_total 1\na_bucket 1\na_sum 1\na_count 1\na 1\n", most=100)

    assert set(page.gauges) == {("a", ())}


def test_more_series_than_allowed_are_left_out() -> None:
    page = exposition.parse("\n".join(f"m{number} 1" for number in range(10)), most=4)

    assert len(page.gauges) == 4
    assert page.skipped == 6
