""".dockerignore leaves out what Docker leaves out."""

import pytest

from gennaker.transport.images.ignore import IgnoreRules


@pytest.mark.parametrize(
    ("rules", "path", "is_ignored"),
    [
        ("*.md", "README.md", True),
        ("*.md", "docs/README.md", False),  # anchored, unlike .gitignore
        ("**/*.md", "docs/deep/README.md", True),
        ("**/*.md", "README.md", True),
        ("docs", "docs/deep/x", True),
        ("docs", "documents", False),
        ("/docs/", "docs/x", True),
        ("*.md\n!README.md", "README.md", False),
        ("!README.md\n*.md", "README.md", True),
        ("docs\n!docs/keep", "docs/keep", False),
        ("docs\n!docs/keep", "docs/other", True),
        ("# comment\n\n", "# comment", False),
        ("**", "any/thing", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab].txt", "b.txt", True),
        ("node_modules/**/test", "node_modules/a/b/test", True),
        ("a.b", "axb", False),
    ],
)
def test_decides_by_the_last_rule_that_matches(rules: str, path: str, is_ignored: bool) -> None:
    assert IgnoreRules(rules).ignores(path) is is_ignored
