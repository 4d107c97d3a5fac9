"""`gennaker context`: which server commands are about, and who may read the tokens."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes import api_server
from tests.fakes.api_server import ApiServer

from gennaker.cli import main
from gennaker.cli.place import Place
from gennaker.model.problems import Refused
from gennaker.transport.client import Remote

TOKEN = "gnk_of-the-context"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which nothing is set."""
    for name in ("GENNAKER_CONTEXT", "GENNAKER_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{TOKEN}\n"))
    return tmp_path


@pytest.fixture
def api(home: Path) -> Iterator[ApiServer]:
    with api_server.running(home / "there") as found:
        found.will("GET /api/v1/applications?limit=1", {"applications": [], "next": None})
        found.will("GET /api/v1/applications", {"applications": ["far"], "next": None})
        found.will("GET /version", {"version": "1.2.3"})
        yield found


def kept(home: Path) -> Path:
    return home / "config" / "gennaker" / "contexts.json"


def test_a_server_is_kept_with_its_token_and_commands_are_about_it(
    home: Path, api: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.app(["context", "add", "far", f"{api.address}/"]) == 0

    assert "answers with version 1.2.3" in capsys.readouterr().out
    assert kept(home).stat().st_mode & 0o777 == 0o600
    assert main.app(["list", "applications", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == ["far"]
    assert api.tokens == {f"Bearer {TOKEN}"}
    assert [one.name for one in kept(home).parent.iterdir()] == ["contexts.json"]


def test_a_server_that_refuses_the_token_is_not_kept(home: Path, api: ApiServer) -> None:
    refusal = {"problems": [{"code": "request.not_signed_in", "message": "Who are you?"}]}
    api.will("GET /api/v1/applications?limit=1", refusal, status=401)
    with pytest.raises(Refused, match="Who are you"):
        main.app(["context", "add", "far", api.address])
    assert not kept(home).exists()


def test_one_that_does_not_answer_at_present_is_kept(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with api_server.running(home / "gone") as gone:
        address = gone.address
    assert main.app(["context", "add", "far", address]) == 0
    assert "doesn't answer at present" in capsys.readouterr().out


def test_which_server_is_meant(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    servers = {name: {"address": f"https://{name}", "token": TOKEN} for name in ("one", "two")}
    kept(home).parent.mkdir(parents=True)
    kept(home).write_text(json.dumps({"in_use": "one", "servers": servers}))
    kept(home).chmod(0o600)

    def meant(**given: object) -> str:
        found = Place(**given).where()  # type: ignore[arg-type]  # some of its options
        return found.address if isinstance(found, Remote) else str(found)

    assert meant() == "https://one"
    assert meant(context="two") == "https://two"
    assert meant(context="local") == str(home / "share" / "gennaker")
    assert meant(data=home) == str(home)
    monkeypatch.setenv("GENNAKER_DATA", str(home / "data"))
    assert meant() == str(home / "data")
    monkeypatch.setenv("GENNAKER_CONTEXT", "two")
    assert meant() == "https://two"
    assert meant(data=home) == str(home)
    for given, code in (({"context": "x"}, "context.unknown"), ({"context": "one", "data": home}, "context.two")):
        with pytest.raises(Refused) as refused:
            meant(**given)
        assert refused.value.problems[0].code == code


def test_contexts_are_listed_without_tokens_used_and_removed(
    home: Path, api: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    main.app(["context", "add", "far", api.address])
    capsys.readouterr()
    assert main.app(["context", "list", "--output", "json"]) == 0
    said = capsys.readouterr().out
    assert TOKEN not in said
    assert json.loads(said) == [
        {"name": "local", "address": "", "inUse": False},
        {"name": "far", "address": api.address, "inUse": True},
    ]
    assert main.app(["context", "use", "local"]) == 0
    assert Place().where() == home / "share" / "gennaker"
    main.app(["context", "use", "far"])
    assert main.app(["context", "remove", "far"]) == 0
    assert Place().where() == home / "share" / "gennaker"
    assert TOKEN not in kept(home).read_text()


@pytest.mark.parametrize(
    ("name", "address", "code"),
    [
        ("local", "https://x", "context.name"),
        ("a b", "https://x", "context.name"),
        ("x", "http://gennaker.example.com", "context.plain"),
        ("x", "gennaker.example.com", "context.address"),
        ("x", "https://user:word@x", "context.address"),
    ],
)
@pytest.mark.usefixtures("home")
def test_what_cannot_be_kept_is_said(name: str, address: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        main.app(["context", "add", name, address])
    assert refused.value.problems[0].code == code


def test_a_file_that_others_may_read_is_not_used(home: Path) -> None:
    kept(home).parent.mkdir(parents=True)
    kept(home).write_text("{}")
    kept(home).chmod(0o640)
    with pytest.raises(Refused, match="chmod 600"):
        Place().where()
    kept(home).chmod(0o600)
    kept(home).write_text("nonsense")
    with pytest.raises(Refused, match="can't be read"):
        Place().where()


@pytest.mark.parametrize("words", [["stop"], ["audit", "verify"], ["config", "show"], ["evidence", "e1"]])
@pytest.mark.usefixtures("home")
def test_commands_about_a_data_folder_refuse_a_context(words: list[str]) -> None:
    with pytest.raises(Refused) as refused:
        main.app([*words, "--context", "far"])
    assert refused.value.problems[0].code == "context.local_only"


@pytest.mark.parametrize("words", ["serve", "stop", "demo", "config show", "audit verify", "audit key", "evidence"])
def test_commands_about_a_data_folder_offer_no_context(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    main.app([*words.split(), "--help"])

    shown = capsys.readouterr().out
    assert "--data" in shown
    assert "--context" not in shown


def test_commands_of_any_server_offer_a_context(capsys: pytest.CaptureFixture[str]) -> None:
    main.app(["link", "--help"])
    assert "--context" in capsys.readouterr().out


def test_evidence_is_not_sealed_here_for_the_server_that_is_in_use(home: Path) -> None:
    """The seal says what a server's records were: the key of another machine's data folder says nothing."""
    kept(home).parent.mkdir(parents=True)
    far = {"address": "https://far.example", "token": "t"}
    kept(home).write_text(json.dumps({"in_use": "far", "servers": {"far": far}}))
    kept(home).chmod(0o600)

    with pytest.raises(Refused, match=r"not on .https://far\.example."):
        main.app(["evidence", "e1"])
