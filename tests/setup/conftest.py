"""What the set-up tests share: a copy of the project as a fresh clone would hold it."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The project's files as they are now, without anything that Git ignores."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, cwd=ROOT, capture_output=True, text=True, timeout=600).stdout.split("\0")
    copy = tmp_path / "gennaker"
    for name in filter(None, names):
        # A file that was removed and not committed yet is still listed.
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)
    return copy
