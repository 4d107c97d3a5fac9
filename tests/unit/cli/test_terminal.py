"""Tables on narrow terminals: words stay whole, and names are shown as they are."""

import json

import pytest
from rich.console import Console

from gennaker.cli import terminal

COLUMNS = ("execution", "status", "application", "name", "began", "stands at")
ROW = (
    "01M85TDGK5KGMBNPPBVS6RZEW1",
    "FAILED_CONTINUE (dry run)",
    "storefront",
    "Deliver to production",
    "2026-11-29",
    "Integration tests",
)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output is a terminal of 80 columns."""
    console = Console(force_terminal=True, color_system=None, highlight=False, soft_wrap=True, width=80)
    monkeypatch.setattr(terminal, "out", console)


@pytest.mark.usefixtures("narrow")
def test_no_word_is_broken_at_80_columns(capsys: pytest.CaptureFixture[str]) -> None:

    terminal.show_table("", COLUMNS, [ROW], whole=("execution",))

    shown = capsys.readouterr().out.split()
    assert sorted(shown) == sorted(word for cell in (*COLUMNS, *ROW) for word in cell.split())


@pytest.mark.usefixtures("narrow")
def test_only_what_is_very_long_is_broken(capsys: pytest.CaptureFixture[str]) -> None:

    terminal.show_table("", ("setting", "value"), [("store.url", "x" * 200)])

    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_in_a_pipe_nothing_is_broken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    terminal.show_table("", ("setting", "value"), [("store.url", "a few words " * 30 + "x" * 200), ("other", "1")])

    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "setting    value",
        f"store.url  {'a few words ' * 30}{'x' * 200}",
        "other      1",
    ]


def test_names_that_look_like_markup_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show_table("", ("name",), [("[red] alert [/red]",)])
    assert "[red] alert [/red]" in capsys.readouterr().out


def test_what_others_wrote_gives_the_terminal_no_orders(capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody who may name a pipeline must not write to the clipboard, or over the screen, of whoever lists it."""
    terminal.say("\x1b[31mred\x1b[0m, \x1b]52;c;cm0=\x07 and \x08\x9b2J\r\nline")
    terminal.show_table("", ("name",), [("\x1b[2Jshop",)])

    said = capsys.readouterr().out
    assert said.startswith("red,  and \\x08\\x9b2J\nline\n")
    assert "\x1b" not in said
    assert "shop" in said


def test_json_is_the_same_value_without_what_a_terminal_takes_for_commands(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"na\x9bme": "a\x1b[31m b\x9b31m c\x7f d\x85 é\u2028"}
    terminal.show_json(value)

    shown = capsys.readouterr().out
    assert json.loads(shown) == value
    assert not set(shown) & {chr(code) for code in (*range(10), *range(11, 32), *range(127, 160))}
    assert "é" in shown
