"""Dockerfiles as text: what belongs together, and everything that is wrong with its line."""

import pytest

from gennaker.transport.images import dockerfile


def instructions(text: str) -> list[tuple[int, str, str]]:
    parsed = dockerfile.parse(text)
    assert parsed.problems == ()
    return [(item.line, item.name, item.rest) for stage in parsed.stages for item in stage.instructions]


def messages(text: str) -> list[str]:
    return [problem.message for problem in dockerfile.parse(text).problems]


def test_joins_lines_and_leaves_comments_out() -> None:
    text = '# first\nFROM scratch\n\nenv A=1 \\\n  # inside\n\n  B=2\n  # indented\nCMD ["x"]\n'

    assert instructions(text) == [(4, "ENV", "A=1   B=2"), (9, "CMD", '["x"]')]


def test_groups_instructions_by_stage() -> None:
    parsed = dockerfile.parse(
        "ARG V=1\nFROM a:$V AS Build\nRUN x\nFROM --platform=linux/amd64 scratch\nCOPY --from=build /x /\n"
    )

    assert [(item.line, item.rest) for item in parsed.arguments] == [(1, "V=1")]
    assert [(stage.line, stage.base, stage.name, stage.platform) for stage in parsed.stages] == [
        (2, "a:$V", "build", ""),
        (4, "scratch", "", "linux/amd64"),
    ]
    assert parsed.stages[1].instructions[0].flags == {"from": "build"}


def test_reads_lists_and_leaves_what_is_none_as_text() -> None:
    parsed = dockerfile.parse('FROM scratch\nCMD ["a", "b c"]\nCMD [\'a\']\n').stages[0].instructions

    assert parsed[0].items == ("a", "b c")
    assert parsed[1].items is None


def test_the_escape_directive_changes_the_continuation() -> None:
    assert instructions("# escape=`\nFROM scratch\nENV A=c:\\ `\n B=2\n") == [(3, "ENV", "A=c:\\  B=2")]


def test_here_documents_of_run_are_passed_over() -> None:
    assert instructions("FROM x\nRUN <<EOF\nFROM nothing\nEOF\nUSER a\n") == [(2, "RUN", "<<EOF"), (5, "USER", "a")]


def test_reports_everything_at_once_with_its_line() -> None:
    text = "CPOY a b\nFROM scratch AS 1x\nENV\nCOPY --parents a b\nCOPY <<EOF /x\ntext\nEOF\nFROM a b\nEXPOSE 1\n"

    assert messages(text) == [
        "Dockerfile line 1: 'CPOY' is no instruction.",
        "Dockerfile line 2: '1x' is no name for a stage.",
        "Dockerfile line 3: ENV needs an argument.",
        "Dockerfile line 4: COPY doesn't take --parents here.",
        "Dockerfile line 5: COPY with a here-document (<<) is not supported.",
        "Dockerfile line 8: FROM takes an image and, if wanted, AS and a name.",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Dockerfile line 1: there is no FROM."),
        ("COPY a b\nFROM scratch\n", "Dockerfile line 1: COPY stands before the first FROM."),
        ("FROM a AS x\nFROM b AS X\n", "Dockerfile line 2: there is a stage 'x' already."),
        ("FROM a\nRUN <<EOF\nx\n", "Dockerfile line 2: the here-document EOF has no end."),
        ("\\\nFROM a\n", ""),
        ("FROM a\nRUN x \\", ""),
    ],
)
def test_says_what_is_wrong(text: str, message: str) -> None:
    assert messages(text) == ([message] if message else [])


def test_a_directive_of_many_spaces_is_looked_through_once() -> None:
    found = dockerfile.parse("# syntax=x" + " " * 100_000 + "y\n# escape = `\nFROM scratch\nRUN a `\n b\n")

    assert [one.line for one in found.stages[0].instructions] == [4]
