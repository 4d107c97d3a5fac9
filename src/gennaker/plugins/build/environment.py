"""The environment of steps: clean, the same for everyone, and enough to say what is built."""

import os
import sys
from pathlib import Path

from gennaker.plugins.build.workspace import Build, Workspace
from gennaker.transport.processes import host_path


def search_path() -> str:
    """Gennaker's own tools first, then this machine's."""
    # Not the interpreter's resolved place: what is installed with Gennaker lies beside the link.
    return os.pathsep.join((str(Path(sys.executable).parent), host_path()))


def of_steps(build: Build, workspace: Workspace) -> dict[str, str]:
    """Everything that a step gets, before its own `environment`."""
    return {
        "PATH": search_path(),
        "HOME": str(workspace.home),
        "TMPDIR": str(workspace.temporary),
        "LANG": "C.UTF-8",
        "CI": "true",
        "SOURCE_DATE_EPOCH": str(int(build.at.timestamp())),
        # Compiled files beside the sources would end up in images, with today's times in them.
        "PYTHONDONTWRITEBYTECODE": "1",
        "GENNAKER_COMMIT": build.commit.hash,
        "GENNAKER_BRANCH": build.branch,
        "GENNAKER_SERVICE": build.file.service,
        "GENNAKER_VERSION": build.version,
    }
