"""Where URLs lead, as settings name it: one form for all spellings."""

import pytest

from gennaker import addresses


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://Example.COM/x", "example.com:80"),
        ("https://example.com", "example.com:443"),
        ("https://example.com:8443/a?b=c:1", "example.com:8443"),
        ("http://[::1]:8080/", "[::1]:8080"),
        ("https://[2001:DB8:0::1]", "[2001:db8::1]:443"),
        ("http://user:secret@[fe80::1]:9", "[fe80::1]:9"),
        ("http://127.0.0.1:1", "127.0.0.1:1"),
        ("ftp://example.com", "example.com:0"),
        ("http://example.com:0", "example.com:80"),
        ("http://xn--bcher-kva.example/", "bücher.example:80"),
        ("http://BÜCHER.example", "bücher.example:80"),
        ("nothing", ""),
        ("", ""),
    ],
)
def test_a_url_leads_to_a_host_and_a_port(url: str, place: str) -> None:
    assert addresses.of_url(url) == place


@pytest.mark.parametrize("url", ["http://[::1", "http://a:b", "http://a:99999"])
def test_what_is_no_url_leads_nowhere(url: str) -> None:
    with pytest.raises(ValueError, match=r"IPv6|[Pp]ort"):
        addresses.of_url(url)


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ("[::1]:8080", "[::1]:8080"),
        ("[0:0:0:0:0:0:0:1]:8080", "[::1]:8080"),
        ("::1:8080", "[::1]:8080"),
        (" Example.com:80", "example.com:80"),
        ("10.0.0.1:80", "10.0.0.1:80"),
        ("a:b:c:80", "[a:b:c]:80"),
        ("xn--bcher-kva.example:80", "bücher.example:80"),
        ("www.XN--Bcher-kva.example:80", "www.bücher.example:80"),
        ("Bücher.example:80", "bücher.example:80"),
        ("xn--strae-oqa.example:80", "straße.example:80"),
        ("xn--example-.com:80", "xn--example-.com:80"),
        ("xn--999999999:80", "xn--999999999:80"),
        ("xn--b\u00fccher-kva:80", "xn--b\u00fccher-kva:80"),
    ],
)
def test_what_people_write_is_read_in_the_same_form(entry: str, place: str) -> None:
    assert addresses.written(entry) == place
