"""Which files of a build context a .dockerignore file leaves out.

Reference: docs.docker.com/build/concepts/context, ".dockerignore files": patterns are anchored at the context's root, the
last one that matches decides, `!` takes a file back in, `**` stands for any number of folders. Unlike .gitignore.
"""

from posixpath import normpath

import msgspec

from gennaker.transport.images.globs import Glob


class _Rule(msgspec.Struct, frozen=True):
    glob: Glob
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
            if any(rule.glob.matches(prefix) for prefix in prefixes):
                is_ignored = not rule.is_exception
        return is_ignored


def _rule(line: str) -> _Rule | None:
    text = line.strip()
    if not text or text.startswith("#"):
        return None
    is_exception = text.startswith("!")
    text = text.removeprefix("!").strip()
    cleaned = normpath(text.lstrip("/")) if text else ""
    return None if cleaned in ("", ".") else _Rule(Glob(cleaned), is_exception)
