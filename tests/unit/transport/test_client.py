"""The client: finds the server, shows its token, raises every refusal with all its problems."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.fakes import api_server
from tests.fakes.api_server import ApiServer

from gennaker.model.problems import Problem, Refused
from gennaker.transport.client import Client, server


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server.running(tmp_path) as found:
        yield found


def test_it_asks_with_the_token_and_returns_the_answer(api: ApiServer, tmp_path: Path) -> None:
    api.will("GET /api/v1/x?limit=3", {"a": 1})
    api.will("POST /api/v1/y", b"")

    with closing(Client(tmp_path)) as client:
        assert client.get("/api/v1/x", limit="3") == {"a": 1}
        assert client.post("/api/v1/y", {"b": 2}) is None
        assert client.address == api.address

    assert api.asked == [("GET /api/v1/x?limit=3", None), ("POST /api/v1/y", {"b": 2})]
    assert api.tokens == {"Bearer the-token"}


def test_a_refusal_is_raised_with_all_its_problems(api: ApiServer, tmp_path: Path) -> None:
    problems = [
        {"code": "a", "message": "A is wrong.", "remedy": "Mend it.", "pointer": "/a"},
        {"code": "b", "message": "B too."},
    ]
    api.will("GET /x", {"title": "Wrong", "problems": problems}, status=422)

    with closing(Client(tmp_path)) as client, pytest.raises(Refused) as caught:
        client.get("/x")

    assert caught.value.status == 422
    assert caught.value.problems == (
        Problem(code="a", message="A is wrong.", remedy="Mend it.", pointer="/a"),
        Problem(code="b", message="B too."),
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [(b"<h1>Bad Gateway</h1>", "<h1>Bad Gateway</h1>"), ({"title": "Oh."}, "Oh."), (b"", "Bad Gateway")],
)
def test_an_answer_that_is_no_problem_document_is_said_as_it_is(
    api: ApiServer, tmp_path: Path, answer: object, said: str
) -> None:
    api.will("GET /x", answer, status=502)

    with closing(Client(tmp_path)) as client, pytest.raises(Refused, match=said):
        client.get("/x")


@pytest.mark.parametrize("answer", [b"<h1>Sign in</h1>", b"[" * 100_000], ids=["a page", "brackets"])
def test_a_good_answer_that_is_no_json_is_said(api: ApiServer, tmp_path: Path, answer: bytes) -> None:
    api.will("GET /x", answer)

    with closing(Client(tmp_path)) as client, pytest.raises(Refused, match="answers to /x is no JSON"):
        client.get("/x")


def test_a_redirect_is_not_followed_and_that_is_said(api: ApiServer, tmp_path: Path) -> None:
    api.will("GET /x", b"", status=302)

    with closing(Client(tmp_path)) as client, pytest.raises(Refused, match="sends us on"):
        client.get("/x")


def test_live_updates_are_read_and_comments_passed_over(api: ApiServer, tmp_path: Path) -> None:
    text = b': still here\r\n\r\nid: 1\r\nevent: execution\r\ndata: {"id":"x"}\r\n\r\n'
    api.will("GET /api/v1/events", text)

    with closing(Client(tmp_path)) as client:
        assert list(client.events()) == [("execution", {"id": "x"})]


def test_live_updates_that_are_refused_are_raised(api: ApiServer, tmp_path: Path) -> None:
    api.will("GET /api/v1/events", {"problems": [{"code": "x", "message": "No."}]}, status=401)

    with closing(Client(tmp_path)) as client, pytest.raises(Refused, match="No"):
        next(client.events())


def test_where_no_server_runs_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="No Gennaker runs on"):
        Client(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": "x"}', b'{"pid": 1, "api": "\xff"}'])
def test_an_announcement_that_can_not_be_read_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "server.json").write_bytes(content)

    with pytest.raises(Refused, match=r"server\.json can't be read"):
        server(tmp_path)


@pytest.mark.usefixtures("api")
def test_a_token_that_can_not_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "token").unlink()

    with pytest.raises(Refused, match="Run the command as the user who started the server"):
        Client(tmp_path)


def test_a_server_that_was_killed_does_not_answer_and_that_is_said(tmp_path: Path) -> None:
    with api_server.running(tmp_path):
        pass

    with closing(Client(tmp_path)) as client, pytest.raises(Refused, match="doesn't answer"):
        client.get("/x")


def test_a_list_is_read_page_by_page(api: ApiServer, tmp_path: Path) -> None:
    api.will("GET /api/v1/secrets?kind=x", {"secrets": ["a", "b"], "next": "b"})
    api.will("GET /api/v1/secrets?kind=x&after=b", {"secrets": ["c"], "next": None})
    client = Client(tmp_path)

    assert client.listed("/api/v1/secrets", "secrets", kind="x") == ["a", "b", "c"]

    client.close()
