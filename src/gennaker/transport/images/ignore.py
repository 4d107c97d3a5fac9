"""Which files of a build context a .dockerignore file leaves out.

Reference: docs.docker.com/build/concepts/context, ".dockerignore files": patterns are anchored at the context's root, the
last one that matches decides, `!` takes a file back in, `**` stands for any number of folders. Unlike .gitignore.
"""

import re
from posixpath import normpath

import msgspec


class _Rule(msgspec.Struct, frozen=True):
    pattern: re.Pattern[str]
    is_exception: bool


class IgnoreRules:
    """The rules of one file."""

    def __init__(self, text: str) -> None:
        self._rules = tuple(rule for line in text.splitlines() if (rule := _rule(line)) is not None)
        self.has_exceptions = any(rule.is_exception for rule in self._rules)
        """Where there are none, an ignored folder needn't be looked into."""

    def ignores(self, path: str) -> bool:
        """Whether a path (relative, with `/`) is left out. A folder's pattern covers what is in it."""
        parents = path.split("/")
        prefixes = ["/".join(parents[: count + 1]) for count in range(len(parents))]
        is_ignored = False
        for rule in self._rules:
            if any(rule.pattern.match(prefix) for prefix in prefixes):
                is_ignored = not rule.is_exception
        return is_ignored


def pattern(glob: str) -> re.Pattern[str]:
    """A glob of Go's filepath.Match, with `**`, for whole relative paths. Raises ValueError."""
    found = ""
    at = 0
    while at < len(glob):
        if glob.startswith("**/", at):
            found, at = found + "(?:.*/)?", at + 3
        elif glob.startswith("**", at):
            found, at = found + ".*", at + 2
        elif glob[at] == "[":
            end = glob.find("]", at + 2)
            if end < 0:
                raise ValueError(f"the pattern {glob!r} has a [ that is not closed")
            inner = glob[at + 1 : end].replace("\\", "\\\\")
            found, at = found + f"[{inner}]", end + 1
        elif glob[at] == "\\" and at + 1 < len(glob):
            found, at = found + re.escape(glob[at + 1]), at + 2
        else:
            found, at = found + {"*": "[^/]*", "?": "[^/]"}.get(glob[at], re.escape(glob[at])), at + 1
    try:
        return re.compile(found + r"\Z", re.DOTALL)
    except re.error as error:
        raise ValueError(f"the pattern {glob!r} makes no sense: {error}") from error


def _rule(line: str) -> _Rule | None:
    text = line.strip()
    if not text or text.startswith("#"):
        return None
    is_exception = text.startswith("!")
    text = text.removeprefix("!").strip()
    cleaned = normpath(text.lstrip("/")) if text else ""
    return None if cleaned in ("", ".") else _Rule(pattern(cleaned), is_exception)
