"""Grouping: tests of one `xdist_group` share a process, so that what they share (a server, a told story) is made once.

pytest-xdist marks the group in a test's id by writing to a private attribute, which pytest 9.2 no longer reads: its own
scheduler sees no group at all, and gives one file's tests to both processes. So the group is read where it is written: in
the test file, whose `pytestmark` names it.
"""

import re
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadGroupScheduling

LONGEST = "alone"
"""The group of the tests that take minutes: one after the other, by one process from the beginning."""
IN_A_CLUSTER = "cluster traffic"
"""The group of the tests of traffic that need a control plane: others don't wait with them until it is built."""
_IN_A_CLUSTER = re.compile(r"\[(?:[^]]*-)?(?:gateway-api|ingress-nginx)\b")
_GROUP = re.compile(r"^pytestmark = .*xdist_group\(\"(?P<name>[^\"]+)\"\)", re.MULTILINE)


class FileGroupScheduling(LoadGroupScheduling):
    """Hands out tests by the group that their file names; those of a file that names none one by one."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        """Reads each file once."""
        super().__init__(config, log)
        self._groups: dict[str, str | None] = {}

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file not in self._groups:
            self._groups[file] = group_of((self.config.rootpath / file).read_text())
        return scope_of(nodeid, self._groups[file])


def scope_of(nodeid: str, group: str | None) -> str:
    """With whom a test shares a process, by the group of its file."""
    if group is not None and _IN_A_CLUSTER.search(nodeid):
        return IN_A_CLUSTER
    return group or nodeid


def group_of(source: str) -> str | None:
    """The group that a test file's `pytestmark` names; None: it names none."""
    found = _GROUP.search(source)
    return found["name"] if found else None


def sources_that_hide_their_group(folder: Path) -> list[str]:
    """Test files that use the mark in a way that `group_of` doesn't see."""
    return [
        str(file)
        for file in sorted(folder.rglob("test_*.py"))
        if "mark.xdist_group(" in (source := file.read_text()) and group_of(source) is None
    ]
