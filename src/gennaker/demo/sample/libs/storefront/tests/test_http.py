"""Messages are read and written as RFC 9112 says."""

import pytest
from storefront.http import BadRequestError, RequestReader, Response, ResponseWriter


def read(*parts: bytes) -> list[tuple[str, str, str, bytes]]:
    reader = RequestReader()
    found = []
    for part in parts:
        reader.feed(part)
        while (request := reader.next()) is not None:
            found.append((request.method, request.path, request.query, request.body))
    return found


def test_a_request_may_arrive_byte_by_byte() -> None:
    text = b"POST /orders?visit=7 HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\n\r\nbody"

    assert read(*(bytes([byte]) for byte in text)) == [("POST", "/orders", "visit=7", b"body")]


def test_several_requests_may_arrive_at_once() -> None:
    text = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n"

    assert [path for _, path, _, _ in read(text)] == ["/a", "/b"]


def test_a_body_may_come_in_chunks() -> None:
    text = (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;note=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: 1\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n"
    )

    assert (
        read(text)
        == read(*(bytes([byte]) for byte in text))
        == [("POST", "/", "", b"abcde"), ("GET", "/next", "", b"")]
    )


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nLong: " + b"a" * 20_000 + b"\r\n\r\n", 431),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(text: bytes, status: int) -> None:
    with pytest.raises(BadRequestError) as refused:
        read(text)

    assert refused.value.status == status


def test_an_answer_cannot_be_given_a_header_by_a_value() -> None:
    answer = Response(200, headers=(("X-Said", "a\r\nX-Forged: b"),))

    head = ResponseWriter(()).head(answer, "", now=0.0, is_last=True)

    assert b"\r\nX-Forged" not in head
    assert head.endswith(b"X-Said: a  X-Forged: b\r\nConnection: close\r\n\r\n")
